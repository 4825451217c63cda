"""What goes wrong at certain times of a run, and what people do: drawn once, done by timers."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from app.domain.orders import Side
from app.repositories.leases import SECONDS as LEASE_SECONDS
from app.simulation.market import SYMBOLS
from app.simulation.process import Process

if TYPE_CHECKING:
    from app.simulation.world import SimWorld

HOUR: Final = timedelta(hours=1)
_BEGIN: Final = 5.0
_AROUND: Final = 0.4
"Seconds around an item of the feed in which people press the button."


class Faults:
    """The plan of one run."""

    def __init__(self, world: "SimWorld") -> None:
        self._world = world
        self._rng = Random(f"faults {world.seed}")  # nosec B311 - the seed must decide
        self._is_over = False
        self._paused: list[Process] = []

    def schedule(self) -> None:
        """Set the timer of everything that the profile says."""
        profile = self._world.profile
        plan: list[tuple[int, Callable[[], None]]] = [
            (profile.disconnects, self._disconnect),
            (profile.manual_orders, self._trade_by_hand),
            (profile.crashes, self._crash),
            (profile.pauses, self._pause),
            (profile.database_outages, self._lose_database),
            (int(profile.second_engine), self._start_second),
            (profile.clock_steps, self._step_clock),
            (profile.commands, self._command),
            (profile.config_changes, self._change_config),
        ]
        for times, work in plan:
            for _ in range(times):
                at = _BEGIN + self._rng.random() * (self._world.market.length - _BEGIN)
                self._world.in_world(at, self._unless_over, work)
        for _ in range(profile.halts):
            self._world.in_world(self._busy(), self._unless_over, self._halt)

    def _busy(self) -> float:
        """A moment when orders are likely to be on their way to the wire."""
        told = self._rng.choice(self._world.market.tape)
        return told.at + self._rng.random() * _AROUND - _AROUND / 4

    def stop(self) -> None:
        """Put everything right; what was asked of people stays as it is."""
        self._is_over = True
        self._world.heal()
        self._database_back()
        for process in self._paused:
            self._world.loop.wake(process.life)
        self._paused.clear()

    def _unless_over(self, work: Callable[[], None]) -> None:
        if not self._is_over:
            work()

    # ------------------------------------------------------------------------------- machine

    def _any(self) -> Process | None:
        there = self._world.processes
        return self._rng.choice(there) if there else None

    def _crash(self) -> None:
        process = self._any()
        if process is not None and not process.life.is_paused:
            self._world.crash(process, "from outside")

    def _pause(self) -> None:
        process = self._any()
        if process is None or process.life.is_paused:
            return
        self._world.note(f"{process.life.name} is paused")
        process.life.is_paused = True
        self._paused.append(process)
        self._world.wanted = 2
        self._world.in_world(0.5, self._world._start_again)
        length = LEASE_SECONDS * 2 * self._rng.random()
        self._world.in_world(length, self._resume, process)

    def _resume(self, process: Process) -> None:
        if process in self._paused:
            self._paused.remove(process)
            self._world.note(f"{process.life.name} goes on")
            self._world.loop.wake(process.life)
            process.read_latch()

    def _start_second(self) -> None:
        self._world.note("a second engine is started")
        self._world.wanted = 2
        self._world._start_again()

    def _lose_database(self) -> None:
        store = self._world.store
        self._world.note("the database is away")
        store.is_away = True
        self._world.in_world(20.0 * self._rng.random(), self._database_back)

    def _database_back(self) -> None:
        store = self._world.store
        if store.is_away:
            self._world.note("the database is back")
            store.is_away = False
            store.back.set()
            store.back.clear()

    def _step_clock(self) -> None:
        self._world.offset = self._rng.choice((HOUR, -HOUR, timedelta()))
        self._world.note(f"the clock is wrong by {self._world.offset}")

    # -------------------------------------------------------------------------------- broker

    def _disconnect(self) -> None:
        network = self._world.network
        self._world.note("the broker is not reachable")
        network.break_down()
        if self._world.profile.reused_ids:
            self._world.venue.restart_numbers()
        self._world.in_world(30.0 * self._rng.random(), network.come_back)

    def _trade_by_hand(self) -> None:
        side = self._rng.choice((Side.BUY, Side.SELL))
        quantity = Decimal(self._rng.randint(1, 20))
        self._world.venue.by_hand(self._rng.choice(SYMBOLS), side, quantity)

    # -------------------------------------------------------------------------------- people

    def _halt(self) -> None:
        rng = self._rng
        self._world.emergency_stop(flatten=rng.random() < 0.5)
        if rng.random() < 0.6:
            self._world.in_world(120.0 * rng.random(), self._unless_over, self._resume_trading)

    def _resume_trading(self) -> None:
        self._world.ask("trading_resume")

    def _change_config(self) -> None:
        rng = self._rng
        limits = rng.choice(
            (
                {"order_timeout_seconds": 30},
                {"max_position_size": "0.1"},
                {"max_concurrent_orders": 2},
                {"allow_short": False},
            )
        )
        self._world.ask("limits_change", limits=limits)

    def _command(self) -> None:
        rng, symbol = self._rng, self._rng.choice(SYMBOLS)
        kind = rng.choice(("market", "market", "limit", "target", "cancel", "pause", "reduce"))
        if kind == "target":
            self._world.ask("signal_raise", symbol=symbol, exposure=rng.choice((-0.5, 0.0, 0.5)))
        elif kind == "cancel":
            self._cancel()
        elif kind == "pause":
            self._world.ask("deployment_pause", deployment_id=2)
        elif kind == "reduce":
            self._world.ask("trading_reduce")
            self._world.in_world(60.0, self._unless_over, self._resume_trading)
        else:
            self._order(symbol, kind)

    def _order(self, symbol: str, kind: str) -> None:
        rng = self._rng
        given = {
            "symbol": symbol,
            "side": rng.choice(("buy", "sell")),
            "quantity": str(rng.randint(1, 40)),
            "type": kind,
        }
        if kind == "limit":
            given["limit_price"] = str(rng.randint(95, 105))
            given["time_in_force"] = rng.choice(("day", "gtc", "ioc", "fok"))
        if rng.random() < 0.3:
            given["stop_loss" if given["side"] == "buy" else "take_profit"] = "92"
        self._world.ask("order_place", **given)

    def _cancel(self) -> None:
        engines = [p.engine for p in self._world.processes if p.engine is not None]
        opened = [one.client_order_id for one in engines[-1].open_orders] if engines else []
        identity = opened[-1] if opened else "nobody"
        self._world.ask("order_cancel", client_order_id=identity)
