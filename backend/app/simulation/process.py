"""One life of the trading process: lease, recovery, reconciliation, then one step after the other.

It is to `MemoryStore` and `SimBroker` what `runner.account` is to PostgreSQL and a real adapter;
engine, driver and reconciler are the production ones, unchanged.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

from app.core.errors import Fenced, JournalError
from app.domain.deployments import TradingState
from app.domain.events import (
    INPUT_TYPES,
    BrokerReport,
    CommandReceived,
    Input,
    SessionClosed,
    SliceClosed,
    encode,
    occurred_at,
)
from app.domain.limits import Limits
from app.domain.orders import Leg, Order
from app.domain.ports import BrokerAbilities, BrokerLink
from app.engine.driver import Driver
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.engine.reconciler import Reconciler
from app.engine.state import EngineState
from app.engine.surroundings import told_of
from app.repositories.leases import SECONDS as LEASE_SECONDS
from app.simulation import strategy
from app.simulation.broker import Network, SimBroker
from app.simulation.loop import LIFE, Life, SimLoop
from app.simulation.market import START, Item, Market
from app.simulation.store import Checkpoint, Command, MemoryStore, MemoryStream

BEAT_SECONDS: Final = 2.5
RETRY_SECONDS: Final = 1.5
CHECKPOINT_EVENTS: Final = 120
TICK_SECONDS: Final = 10.0
TURN_SECONDS: Final = 2.0
OVERLAP: Final = timedelta(minutes=10)
FRESH: Final = timedelta(seconds=90)
"Slices that ended longer ago are only looked at: nothing is decided on them."


class World(Protocol):
    """What a process sees of the world around it."""

    loop: SimLoop
    store: MemoryStore
    market: Market
    network: Network
    limits: Limits
    abilities: BrokerAbilities

    def wall(self) -> datetime: ...

    def note(self, what: str) -> None: ...

    def failpoint(self, where: str) -> None: ...

    def commit_delay(self) -> float: ...

    def refuses(self) -> bool: ...

    def on_wire(self, process: "Process", kind: str, identity: str) -> None: ...

    def ended(self, process: "Process", error: BaseException | None) -> None: ...

    def recovered(self, process: "Process", differences: list[str]) -> None: ...


class SimGate:
    """The wire gate: latch and lease, held in memory, read without waiting.

    The same decisions as `runner.gate`; it reads another database.
    """

    def __init__(self, store: MemoryStore, monotonic: Callable[[], float]) -> None:
        self._store, self._monotonic = store, monotonic
        self._state: TradingState | None = None
        self.epoch = 0
        self.held_until = 0.0

    def lost(self) -> str | None:
        """Why nothing at all may be sent."""
        if self._monotonic() >= self.held_until:
            return "the lease may have run out"
        return None

    def __call__(self, order: Order) -> str | None:
        if (lost := self.lost()) is not None:
            return lost
        if self._state is None:
            return "the trading state is not known yet"
        if self._state is TradingState.HALTED and order.leg is not Leg.FLATTEN:
            return "trading is halted"
        if self._state is TradingState.REDUCING and order.leg is Leg.ENTRY:
            return "trading is reducing"
        return None

    def read(self) -> None:
        """Obey the latch as it is stored now, and say so."""
        latch = self._store.latch
        if latch.epoch >= self.epoch:
            self._state, self.epoch = latch.state, latch.epoch
        latch.confirmed_epoch = max(latch.confirmed_epoch, self.epoch)


class ProcessClock:
    """The machine's clock: its wall time may step, its monotonic time does not."""

    def __init__(self, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self.now, self.monotonic = wall, monotonic


class Production:
    """The production classes behind the simulated ports; a planted bug replaces one of them."""

    driver: Any = Driver
    engine: Any = Engine
    reconciler: Any = Reconciler
    stream: Any = MemoryStream
    gate: Any = SimGate
    broker: Any = SimBroker


class Process:
    """One process on the account, from its start to whatever ends it."""

    def __init__(self, world: World, name: str, parts: Any = Production) -> None:  # noqa: ANN401
        self.life = Life(name)
        self.engine: Engine | None = None
        self.is_trading = False
        self._world, self._parts = world, parts
        self._inbox: asyncio.Queue[Item | Command | BrokerReport | None] = asyncio.Queue()
        self._received: set[int] = set()
        self._epoch = 0
        self._gate: SimGate = parts.gate(world.store, world.loop.time)
        self._up = asyncio.Event()
        self._first = asyncio.Event()
        self._is_ready = False
        self._saved = 0

    # ---------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Begin to live, in a context of its own."""
        context = copy_context()
        context.run(LIFE.set, self.life)
        self._world.loop.create_task(self._main(), context=context)

    def kill(self) -> None:
        """kill -9: whatever it was doing is never continued."""
        self.life.is_dead = True
        self._world.store.free_lease(self.life.name)

    async def _main(self) -> None:
        error: BaseException | None = None
        try:
            await self._live()
        except Exception as raised:  # noqa: BLE001  the world judges what ended it
            error = raised
        self.life.is_dead = True
        self._world.store.free_lease(self.life.name)
        self._world.ended(self, error)

    async def _live(self) -> None:
        world = self._world
        await self._take_lease()
        self._aside(self._keep_lease())
        stream = self._parts.stream(
            world.store,
            self._epoch,
            world.wall,
            world.commit_delay,
            world.failpoint,
            world.refuses,
        )
        await stream.reach()
        self._gate.read()
        self.engine = engine = engine_of(world, self._parts.engine)
        world.recovered(self, recover(engine, world.store))
        broker = self._parts.broker(world.network, world.wall, self._wrote, world.abilities)
        driver = self._parts.driver(
            engine,
            broker,
            stream,
            gate=self._gate,
            fence=self._gate.lost,
            clock=world.wall,
            resumed=self._resumed,
        )
        since = (engine.now or START) - OVERLAP
        clock = ProcessClock(world.wall, world.loop.time)
        reconciler = self._parts.reconciler(driver, broker, clock, since=since)
        await driver.recover(world.wall())
        told = told_of(world.abilities, world.wall())
        if told != told_of(engine.desk.abilities, told.at):
            await driver.step(told)
        assert driver.wire is not None
        self._aside(driver.wire.run())
        self._aside(self._listen(broker, driver))
        self._aside(self._keep_books(reconciler, driver))
        await self._first.wait()
        self.is_trading = True
        self._remember_commands()
        self._aside(self._feed())
        self._aside(self._tick())
        await self._work(driver)

    async def _work(self, driver: Driver) -> None:
        while True:
            item = await self._inbox.get()
            if item is None:
                await driver.tick(self._world.wall())
            elif isinstance(item, Command):
                await driver.step(self._received_command(item))
            else:
                await driver.step(item)
            self._save(driver)

    # ------------------------------------------------------------------------------- asides

    def _aside(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = self._world.loop.create_task(work)
        task.add_done_callback(self._on_aside)

    def _on_aside(self, task: "asyncio.Task[Any]") -> None:
        """Without its asides a process would seem well and not be."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.life.is_dead = True
            self._world.store.free_lease(self.life.name)
            self._world.ended(self, error)

    async def _take_lease(self) -> None:
        world = self._world
        while True:
            asked = world.loop.time()
            if not world.store.is_away:
                epoch = world.store.take_lease(self.life.name, asked)
                if epoch is not None:
                    self._epoch = epoch
                    self._gate.held_until = asked + LEASE_SECONDS
                    world.note(f"{self.life.name} holds the lease, epoch {epoch}")
                    return
            await world.loop.sleep(RETRY_SECONDS)

    async def _keep_lease(self) -> None:
        world = self._world
        while True:
            await world.loop.sleep(BEAT_SECONDS)
            asked = world.loop.time()
            while world.store.is_away:
                await world.store.back.wait()
                asked = world.loop.time()
            if not world.store.renew_lease(self._epoch, asked):
                raise Fenced("The lease was taken by another process.")
            self._gate.held_until = asked + LEASE_SECONDS

    async def _listen(self, broker: SimBroker, driver: Driver) -> None:
        """Reports into the inbox, the link at once."""
        reports: AsyncIterator[BrokerReport | BrokerLink] = broker.reports()
        async for item in reports:
            if not isinstance(item, BrokerLink):
                if self.is_trading:
                    self._inbox.put_nowait(item)
                else:
                    await driver.step(item)
                continue
            self._is_ready = False
            driver.ready(is_ready=False)
            driver.linked(is_up=item.is_up)
            if item.is_up:
                self._up.set()
            else:
                self._up.clear()

    async def _keep_books(self, reconciler: Reconciler, driver: Driver) -> None:
        """Hold our books against the broker's: after each `up` until they agree, then on timers."""
        while True:
            await self._up.wait()
            try:
                if self._is_ready:
                    await reconciler.turn()
                else:
                    await reconciler.settle()
                    if self._up.is_set():
                        self._is_ready = True
                        driver.ready(is_ready=True)
                        self._first.set()
            except JournalError:
                raise
            except Exception as error:  # noqa: BLE001  a broker may fail in any way: asked again
                self._world.note(f"{self.life.name} could not look: {error!r}")
            await self._world.loop.sleep(TURN_SECONDS)

    async def _tick(self) -> None:
        """Time-outs do not wait for the next bar."""
        while True:
            await self._world.loop.sleep(TICK_SECONDS)
            self._inbox.put_nowait(None)

    async def _feed(self) -> None:
        """What the market told since the last slice we handled, then what it tells."""
        world = self._world
        assert self.engine is not None
        tape, end = world.market.tape, self.engine.slice_end
        done = [i for i, told in enumerate(tape) if _is_before(told.item, end)]
        for told in tape[done[-1] + 1 if done else 0 :]:
            await asyncio.sleep(max(told.at - world.loop.time(), 0.0))
            item = told.item
            if isinstance(item, SliceClosed) and world.loop.time() - told.at > FRESH.seconds:
                item = msgspec.structs.replace(item, warm_up=True)
            self._inbox.put_nowait(item)

    # -------------------------------------------------------------------------------- people

    def ask(self, command: Command) -> None:
        """A command waits: the notification of it came through."""
        if self.is_trading and not self.life.is_dead and command.id not in self._received:
            self._received.add(command.id)
            self._inbox.put_nowait(command)

    def read_latch(self) -> None:
        """The notification of the emergency stop came through."""
        if not self.life.is_dead:
            self._gate.read()

    async def _resumed(self) -> None:
        self._gate.read()

    def _received_command(self, command: Command) -> CommandReceived:
        return CommandReceived(
            command_id=command.id,
            kind=command.kind,
            payload=command.payload,
            actor="anna",
            at=self._world.wall(),
        )

    def _remember_commands(self) -> None:
        """Those that are journaled were carried out; the others wait for us."""
        store = self._world.store
        self._received = {e.command_id for e in store.events if isinstance(e, CommandReceived)}
        for command in store.commands:
            if command.id not in self._received:
                self._received.add(command.id)
                self._inbox.put_nowait(command)

    # -------------------------------------------------------------------------------- inside

    def _wrote(self, kind: str, identity: str) -> None:
        self._world.failpoint(f"before {kind}")
        self._world.on_wire(self, kind, identity)

    def _save(self, driver: Driver) -> None:
        """A checkpoint now and then, between two steps."""
        store = self._world.store
        if store.seq - self._saved >= CHECKPOINT_EVENTS and store.epoch == self._epoch:
            self._saved = store.seq
            store.checkpoint = Checkpoint(store.seq, msgspec.json.encode(driver.engine.state()))


def engine_of(world: World, make: Any = Engine) -> Engine:  # noqa: ANN401 - a class, or a bug
    """A fresh engine of the run's account."""
    account = AccountSetup(
        account_id=world.store.account_id, cash=world.store.starting_cash, limits=world.limits
    )
    made: Engine = make(account, strategies=strategy.make, histories=Windows())
    return made


def _is_before(item: Item, end: datetime | None) -> bool:
    if end is None:
        return False
    if isinstance(item, SessionClosed):
        return occurred_at(item) < end
    return occurred_at(item) <= end


def recover(engine: Engine, store: MemoryStore, *, is_whole: bool = False) -> list[str]:
    """The checkpoint, then every input again; where decisions differ from the journaled ones.

    `is_whole`: from the first event on, without the checkpoint.
    """
    after = 0
    if store.checkpoint is not None and not is_whole:
        after = store.checkpoint.seq
        engine.restore(msgspec.json.decode(store.checkpoint.state, type=EngineState))
    differences: list[str] = []
    expected: list[str] = []
    again: list[str] = []
    for record, event in zip(store.records[after:], store.events[after:], strict=True):
        if type(event) in INPUT_TYPES:
            if again != expected:
                differences.append(f"before event {record.seq}: {expected} and now {again}")
            given: Input = event  # type: ignore[assignment]  # it is an input
            expected, again = [], [encode(one).decode() for one in engine.handle(given)]
        else:
            expected.append(record.payload)
    if again != expected:
        differences.append(f"at the end: {expected} and now {again}")
    return differences
