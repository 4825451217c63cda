"""One small account for tests: an engine, its driver, a broker, and bars by hand."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from app.core.tasks import end
from app.domain.events import (
    BrokerReport,
    CommandCompleted,
    CommandReceived,
    SessionClosed,
    SessionOpened,
    SliceClosed,
)
from app.domain.executions import Execution
from app.domain.instruments import Instrument
from app.domain.limits import UNLIMITED, Limits
from app.domain.market import Bar, SliceOpened, Timeframe
from app.domain.matching import FREE, FillModel
from app.domain.orders import Leg, Order, Side
from app.domain.portfolio import Position
from app.domain.ports import Broker, BrokerAbilities, BrokerBook, BrokerLink, BrokerOrder
from app.engine.desk import EVERYTHING
from app.engine.driver import Driver
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.engine.journal import MemoryJournal
from app.engine.paper import PaperBroker
from app.research.market import Market
from app.strategies.base import BaseStrategy, Columns, Row, Strategy
from tests.markets import PARAMETERS
from tests.panels import Seesaw

T = TypeVar("T")
DAY = date(2024, 3, 1)
OPEN = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Prices = float | tuple[float, float, float, float]
"A close, or open, high, low and close."


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine waited for something")


async def on_the_wire(driver: Driver, *work: Coroutine[Any, Any, Any]) -> None:
    """Do the work, one after the other, with a real broker's wire going on beside it."""
    wire = driver.wire
    assert wire is not None
    running = asyncio.create_task(wire.run())
    try:
        for one in work or (settled(driver),):
            await one
            await settled(driver, running)
    finally:
        await end([running])
    if running.done() and not running.cancelled() and (error := running.exception()):
        raise error


async def settled(driver: Driver, running: "asyncio.Task[None] | None" = None) -> None:
    """Wait until the wire has nothing under way and nothing that it could send now."""
    assert driver.wire is not None
    await asyncio.sleep(0)
    # The wire tells nobody that it is at rest: in production nobody waits for that.
    while not driver.wire.is_idle and (running is None or not running.done()):  # noqa: ASYNC110
        await asyncio.sleep(0)


def start_command(strategy: str, market: Market) -> CommandReceived:
    """Deployment 1 on all symbols of a market, at its first open."""
    return CommandReceived(
        command_id=1,
        kind="deployment_start",
        payload={
            "deployment_id": 1,
            "strategy": strategy,
            "parameters": dict(PARAMETERS[strategy]),
            "symbols": list(market.tracks),
            "timeframe": market.timeframe.value,
            "capital": None,
        },
        actor="backtest",
        at=market.days[0].open,
    )


def make_order(**given: Any) -> Order:
    """An entry of 10 AAPL at the market, made at the open."""
    fields: dict[str, Any] = {
        "client_order_id": "1-manual-AAPL-c1-e1",
        "ledger": "manual",
        "signal_id": "manual-AAPL-c1",
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": Decimal(10),
        "leg": Leg.ENTRY,
        "at": OPEN,
    }
    for name in ("quantity", "limit_price", "stop_price"):
        if given.get(name) is not None:
            given[name] = Decimal(str(given[name]))
    return Order(**{**fields, **given})


def make_execution(quantity: float, price: float, **given: Any) -> Execution:
    """A fill; a negative `quantity` is a sale."""
    fields: dict[str, Any] = {
        "execution_id": "x1",
        "broker": "paper",
        "client_order_id": "o1",
        "ledger": "d1",
        "symbol": "AAPL",
        "side": "buy" if quantity > 0 else "sell",
        "quantity": Decimal(str(abs(quantity))),
        "price": Decimal(str(price)),
        "commission": Decimal(0),
        "at": OPEN,
    }
    if "commission" in given:
        given["commission"] = Decimal(str(given["commission"]))
    return Execution(**{**fields, **given})


@dataclass
class Lean(Strategy):
    """Wants (close - 100) / 10: 110 is +1, 95 is -0.5; above 120 it has no opinion.

    Raises at 66; stops and profits are fractions of the close, a trail is money.
    """

    stop: float = 0.0
    profit: float = 0.0
    trail: float = 0.0
    columns = {}  # noqa: RUF012 - a ClassVar of the base

    @property
    def lookback(self) -> int:
        return 1

    def prepare(self, bars: Columns) -> Columns:
        close = bars["close"]
        exposure = np.where(close > 120, np.nan, np.round((close - 100) / 10, 3))
        side = np.sign(exposure)
        stop = close * (1 - side * self.stop) if self.stop else np.full(len(close), np.nan)
        profit = close * (1 + side * self.profit) if self.profit else np.full(len(close), np.nan)
        columns = {"exposure": exposure, "stop_loss": stop, "take_profit": profit}
        return columns | ({"stop_trail": np.full(len(close), self.trail)} if self.trail else {})

    def decide(self, row: Row, held: float) -> Any:
        if row["close"] == 66:
            raise RuntimeError("sixty-six")
        return super().decide(row, held)


def make_lean(name: str, parameters: Mapping[str, Any]) -> BaseStrategy:
    if name == "broken":
        raise ZeroDivisionError("cannot be made")
    return Seesaw(**parameters) if name == "seesaw" else Lean(**parameters)


class World:
    """An account on 1-minute bars of one morning. Its limits are off unless a test sets some."""

    def __init__(
        self,
        *,
        limits: Limits = UNLIMITED,
        cash: int = 100_000,
        model: FillModel = FREE,
        instruments: Mapping[str, Instrument] | None = None,
        broker: Broker | None = None,
        abilities: BrokerAbilities = EVERYTHING,
        sessions: bool = True,
        **driven: Any,
    ) -> None:
        self.windows = Windows()
        self.engine = Engine(
            AccountSetup(account_id=1, cash=Decimal(cash), limits=limits),
            strategies=make_lean,
            histories=self.windows,
            instruments=instruments,
            abilities=abilities,
        )
        self.broker: Any = broker or PaperBroker(model, instruments)
        self.journal = MemoryJournal(keeps_time=True)
        self.driver = Driver(self.engine, self.broker, self.journal, **driven)
        self.driver.ready(is_ready=True)
        self.now = OPEN
        self.commands = 0
        if sessions:
            self.step(SessionOpened(session=DAY, at=OPEN))

    def step(self, item: Any) -> None:
        """One step; with a real broker until nothing is left that its wire could do now."""
        if self.driver.wire is None:
            finish(self.driver.step(item))
        else:
            # In a thread: tests that are coroutines themselves use this too.
            with ThreadPoolExecutor(1) as thread:
                work = on_the_wire(self.driver, self.driver.step(item))
                thread.submit(asyncio.run, work).result()

    def bar(
        self,
        close: Prices | None = None,
        *,
        volume: float = 10_000,
        warm_up: bool = False,
        **more: Prices,
    ) -> None:
        """One minute of AAPL (and others by name)."""
        prices = ({"AAPL": close} if close is not None else {}) | more
        end = self.now + MINUTE
        bars = tuple(make_bar(s, p, self.now, volume=volume) for s, p in prices.items())
        self.step(SliceOpened(self.now, DAY, {bar.symbol: bar.open for bar in bars}))
        self.step(SliceClosed(end=end, session=DAY, base=Timeframe.M1, bars=bars, warm_up=warm_up))
        self.now = end

    def close_session(self) -> None:
        self.step(SessionClosed(session=DAY, at=self.now))

    def next_session(self) -> None:
        """The next morning."""
        self.now = OPEN + timedelta(days=3)
        self.step(SessionOpened(session=date(2024, 3, 4), at=self.now))

    def command(self, kind: str, **payload: Any) -> dict[str, Any]:
        """Ask for something; the outcome with `succeeded` in it."""
        self.commands += 1
        self.step(
            CommandReceived(
                command_id=self.commands, kind=kind, payload=payload, actor="anna", at=self.now
            )
        )
        done = self.of(CommandCompleted)[-1]
        assert done.command_id == self.commands
        return {**done.result, "succeeded": done.succeeded}

    def deploy(
        self,
        *symbols: str,
        number: int = 1,
        capital: int | None = 10_000,
        strategy: str = "lean",
        **parameters: float,
    ) -> dict[str, Any]:
        return self.command(
            "deployment_start",
            deployment_id=number,
            strategy=strategy,
            parameters=parameters,
            symbols=list(symbols or ("AAPL",)),
            timeframe="1m",
            capital=None if capital is None else str(capital),
        )

    def order(
        self, side: str, quantity: float, symbol: str = "AAPL", **terms: Any
    ) -> dict[str, Any]:
        """An explicit order by hand."""
        texts = {k: str(v) if isinstance(v, int | float) else v for k, v in terms.items()}
        return self.command(
            "order_place", symbol=symbol, side=side, quantity=str(quantity), **texts
        )

    # ---------------------------------------------------------------------------- what came

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.journal.events if isinstance(event, kind)]

    def names(self, since: int = 0) -> list[str]:
        """Kinds of the journaled events but for time, e.g. `OrderApproved`."""
        quiet = ("SliceClosed", "SessionOpened", "SessionClosed", "ClockTicked")
        named = [type(event).__name__ for event in self.journal.events[since:]]
        return [name for name in named if name not in quiet]

    def held(self, symbol: str = "AAPL", ledger: str = "d1") -> int:
        quantity = self.engine.book.held(ledger, symbol)
        assert quantity == int(quantity)
        return int(quantity)

    def position(self, symbol: str = "AAPL", ledger: str = "d1") -> Position:
        return self.engine.book.position(ledger, symbol)

    def working(self) -> list[tuple[str, str, int]]:
        """Open orders as (leg, side, remaining)."""
        return [
            (o.leg.value, o.side.value, int(o.remaining_quantity)) for o in self.engine.open_orders
        ]


def make_bar(symbol: str, prices: Prices, start: datetime = OPEN, *, volume: float = 10_000) -> Bar:
    opened, high, low, close = prices if isinstance(prices, tuple) else (prices,) * 4
    return Bar(symbol, Timeframe.M1, start, start + MINUTE, opened, high, low, close, volume)


class SilentBroker:
    """Answers each submit and cancel as the test says: reports, an exception, or nothing."""

    is_simulated = False
    abilities = BrokerAbilities()

    def __init__(self, *answers: Sequence[BrokerReport] | Exception) -> None:
        self.name = "silent"
        self.answers = list(answers)
        self.sent: list[str] = []

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        self.sent.append(order.client_order_id)
        return self._answer()

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        self.sent.append(f"cancel {client_order_id}")
        return self._answer()

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        self.sent.append(f"replace {order.client_order_id} {order.quantity}")
        return self._answer()

    def observe(self, seen: object) -> Sequence[BrokerReport]:
        return ()

    async def reports(self) -> AsyncIterator[BrokerReport | BrokerLink]:
        return
        yield

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        return None

    async def book(self, since: datetime | None = None) -> BrokerBook:
        return BrokerBook(open_orders=(), executions=())

    async def cancel_all(self) -> None: ...

    async def close(self) -> None: ...

    def _answer(self) -> Sequence[BrokerReport]:
        answer = self.answers.pop(0) if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        return answer
