"""One run: a market, a broker, a database, people, processes, and everything that goes wrong.

All of it follows from the seed. Faults stop after the market has closed; then the run waits, and
what must be true in the end is looked at.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from app.core.errors import JournalError
from app.domain.limits import Limits
from app.domain.orders import OrderType
from app.domain.ports import BrokerAbilities
from app.engine.witness import Violation
from app.simulation.broker import Network
from app.simulation.checks import Checker
from app.simulation.faults import Faults
from app.simulation.heap import undisturbed
from app.simulation.loop import LIFE, SimLoop, Stopped
from app.simulation.market import START, SYMBOLS, Maker
from app.simulation.process import Process, Production
from app.simulation.profile import CALM, Profile, draw
from app.simulation.silence import silence
from app.simulation.store import Command, MemoryStore
from app.simulation.venue import Venue

ACCOUNT: Final = 1
CASH: Final = Decimal(100_000)
DEPLOYMENTS: Final = (1, 2)
HEALING: Final = 150.0
"""Seconds after the faults have stopped in which everything may still find itself: a minute in
which executions are owed, then the half one after which an unknown order never arrived."""
RESTART: Final = 1.5
_COMMIT: Final = 0.004
_SLOW_COMMITS: Final = 0.03
"How many of them take fifty times as long."
_HESITATION: Final = 0.5
"Seconds by which the command of an emergency stop may come after its latch."


class Killed(BaseException):
    """The process is gone in the middle of what it was doing."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one seed came to."""

    seed: int
    profile: Profile
    violations: tuple[Violation, ...]
    trace: tuple[str, ...]
    hash: str
    steps: int
    seconds: float
    "Virtual."
    events: int
    orders: int
    fills: int
    crashes: int


class SimWorld:
    """Everything around the processes, and the eyes that see all of it."""

    def __init__(self, seed: int, profile: Profile, parts: Any = Production) -> None:  # noqa: ANN401
        self.seed, self.profile, self.parts = seed, profile, parts
        self.rng = Random(f"world {seed}")  # nosec B311 - the seed must decide
        self.loop = SimLoop(seed)
        self.trace: list[str] = []
        self.market = Maker(Random(f"market {seed}"), profile).make()  # nosec B311 - the seed must decide
        self.store = MemoryStore(ACCOUNT, CASH, SYMBOLS, DEPLOYMENTS, self.loop.time)
        self.limits = _limits(self.rng)
        self.abilities = _abilities(self.rng)
        self.offset = timedelta()
        "How wrong the machine's clock is."
        venue = Venue(Random(f"venue {seed}"), profile, self.truth_now, CASH, self.note)  # nosec B311 - the seed must decide
        network = Random(f"network {seed}")  # nosec B311 - the seed must decide
        self.network = Network(network, profile, venue, self.loop, copy_context())
        self.venue = venue
        self.processes: list[Process] = []
        self.crashes = 0
        self.is_over = False
        self.wanted = 1
        self.checker = Checker(self)
        self.store.told.append(self.checker.on_commit)
        self._names = 0

    # -------------------------------------------------------------------- seen by processes

    def truth_now(self) -> datetime:
        return START + timedelta(0, self.loop.time())

    def wall(self) -> datetime:
        """The time as the machine's clock has it."""
        return START + timedelta(0, self.loop.time()) + self.offset

    def note(self, what: str) -> None:
        self.trace.append(f"{self.loop.time():10.3f} {what}")

    def commit_delay(self) -> float:
        is_slow = self.rng.random() < _SLOW_COMMITS
        return self.rng.expovariate(1 / (_COMMIT * 50 if is_slow else _COMMIT))

    def refuses(self) -> bool:
        """Whether the database refuses this commit."""
        return not self.is_over and self.rng.random() < self.profile.refused_commits

    def failpoint(self, where: str) -> None:
        """The process may die right here."""
        if self.is_over or self.rng.random() >= self.profile.crash_at_commit:
            return
        life = LIFE.get()
        for process in self.processes:
            if process.life is life:
                self.crash(process, where)
                raise Killed

    def on_wire(self, process: Process, kind: str, identity: str) -> None:
        self.note(f"{process.life.name} writes {kind} {identity}")
        self.checker.on_wire(kind, identity)

    def ended(self, process: Process, error: BaseException | None) -> None:
        """A process ended by itself; its supervisor starts another one."""
        self.note(f"{process.life.name} ended: {error!r}")
        if not isinstance(error, JournalError):
            self.checker.say("I0", f"{process.life.name} broke: {error!r}")
        self._replace(process)

    def recovered(self, process: Process, differences: list[str]) -> None:
        self.checker.on_recovered(differences)

    # ----------------------------------------------------------------------------- processes

    def start_process(self) -> None:
        self._names += 1
        process = Process(self, f"core{self._names}", self.parts)
        self.processes.append(process)
        process.start()

    def crash(self, process: Process, where: str) -> None:
        """kill -9, wherever it is."""
        if process.life.is_dead:
            return
        self.crashes += 1
        self.note(f"{process.life.name} is killed {where}")
        process.kill()
        self._replace(process)

    def _replace(self, process: Process) -> None:
        if process in self.processes:
            self.processes.remove(process)
            delay = RESTART * (0.5 + self.rng.random())
            self.in_world(delay, self._start_again)

    def _start_again(self) -> None:
        if len(self.processes) < self.wanted:
            self.start_process()

    def in_world(self, delay: float, work: Callable[..., None], *arguments: object) -> None:
        """Do it later, in nobody's life."""
        self.loop.call_later(delay, work, *arguments, context=self._context)

    # -------------------------------------------------------------------------------- people

    def ask(self, kind: str, **payload: Any) -> None:  # noqa: ANN401 - a command's own
        """Somebody asks for something; whoever is there hears of it, or reads it later."""
        command = self.store.ask(kind, payload)
        self.note(f"anna asks for {kind} {payload}")
        self.in_world(self.commit_delay(), self._notify, command)

    def _notify(self, command: Command) -> None:
        for process in self.processes:
            process.ask(command)

    def emergency_stop(self, *, flatten: bool) -> None:
        """As the API does it: the latch first, then the command."""
        self.store.halt()
        self.note("anna stops everything")
        self.in_world(self.commit_delay(), self._tell_latch)
        delay = _HESITATION * self.rng.random()
        self.in_world(delay, self._ask_halt, flatten)

    def _ask_halt(self, flatten: bool) -> None:
        self.ask("trading_halt", reason="emergency stop", flatten=flatten)

    def _tell_latch(self) -> None:
        for process in self.processes:
            if not process.life.is_paused:
                process.read_latch()

    # ----------------------------------------------------------------------------------- run

    def run(self) -> Outcome:
        """The whole run."""
        try:
            self.loop.run(self._play())
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001  a run that cannot end is a finding, too
            self.checker.say("I0", f"the run broke: {error!r}")
        self.checker.on_errors(self.loop.errors)
        self.note(f"the stream ends with {self.store.hash.hex()}")
        trace = tuple(self.trace)
        outcome = Outcome(
            seed=self.seed,
            profile=self.profile,
            violations=tuple(self.checker.found),
            trace=trace,
            hash=hashlib.sha256("\n".join(trace).encode()).hexdigest(),
            steps=self.loop.steps,
            seconds=self.loop.time(),
            events=self.store.seq,
            orders=len(self.venue.orders),
            fills=len(self.venue.fills) + len(self.venue.undone),
            crashes=self.crashes,
        )
        self.loop.bury()
        return outcome

    async def _play(self) -> None:
        self._context = copy_context()
        self._set_up()
        faults = Faults(self)
        faults.schedule()
        await asyncio.sleep(self.market.length + 5.0)
        faults.stop()
        self.is_over = True
        self.note("faults stop")
        await asyncio.sleep(HEALING)
        self.checker.at_the_end()

    def _set_up(self) -> None:
        for at, symbol, price in ((p.at, p.symbol, p.price) for p in self.market.prints):
            self.in_world(at, self.venue.price, symbol, price)
        self.venue.is_open = False
        for at, is_open in self.market.sessions:
            self.in_world(at, self._session, is_open)
        self.start_process()
        limits = msgspec.to_builtins(self.limits)
        self.ask("limits_change", limits=limits)
        for number in DEPLOYMENTS:
            self.ask(
                "deployment_start",
                deployment_id=number,
                strategy="sway",
                parameters={"contrary": number == 2, "stop": self.rng.choice((0.0, 0.03))},
                symbols=list(SYMBOLS[: 3 - number]),
                timeframe="1m",
                capital=self.rng.choice((None, "20000")),
            )

    def _session(self, is_open: bool) -> None:
        self.note("the exchange opens" if is_open else "the exchange closes")
        self.venue.session(is_open=is_open)

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.venue.profile = self.network.profile = CALM
        self.network.come_back()
        self.offset = timedelta()


def _limits(rng: Random) -> Limits:
    return Limits(
        allow_short=rng.random() < 0.5,
        max_position_size=rng.choice((Decimal("0.05"), Decimal("0.2"), Decimal("0.5"))),
        max_portfolio_exposure=rng.choice((Decimal("0.3"), Decimal("0.8"))),
        order_timeout_seconds=rng.choice((45, 300)),
        default_stop_loss=rng.choice((None, Decimal("0.02"), Decimal("0.05"))),
        prevent_self_crossing=rng.random() < 0.5,
        max_daily_loss=None,
        max_concurrent_orders=rng.choice((3, 10)),
    )


def _abilities(rng: Random) -> BrokerAbilities:
    """What the simulated broker can do by itself; the engine holds the rest."""
    lacking = {OrderType.TRAILING_STOP}
    if rng.random() < 0.3:
        lacking |= {OrderType.STOP, OrderType.STOP_LIMIT}
    types = frozenset(OrderType) - lacking
    return BrokerAbilities(types=types, can_replace=rng.random() < 0.5)


def simulate(seed: int, profile: str | Profile = "mixed", parts: Any = Production) -> Outcome:  # noqa: ANN401
    """Run one seed. Raises NotFound for a profile that does not exist."""
    drawn = draw(seed, profile) if isinstance(profile, str) else profile
    with silence(), undisturbed():
        return SimWorld(seed, drawn, parts).run()
