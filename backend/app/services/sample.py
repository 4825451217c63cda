"""Sample data for development: one account's story, told to the journal like any other."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import to_ns
from app.core.errors import Conflict
from app.core.security import hash_password, new_token
from app.domain import events as ev
from app.domain.deployments import Deployment
from app.domain.executions import Execution
from app.domain.market import Bar, Timeframe
from app.domain.orders import Leg, Order, Side
from app.domain.portfolio import Ledger
from app.domain.ports import Entry
from app.domain.signals import Signal, Target
from app.marketdata.batch import to_datetime
from app.marketdata.calendar import trading_calendar
from app.repositories import sample as rows
from app.repositories.journal import PostgresJournal, stream_of
from app.repositories.projection import Projection
from app.strategies.sma_cross import SmaCross

CASH: Final = Decimal(100_000)
CAPITAL: Final = Decimal(40_000)
SHARES: Final = Decimal(100)
COMMISSION: Final = Decimal(1)
SYMBOLS: Final = ("AAPL", "MSFT")
FIRST: Final = datetime(2024, 1, 2, tzinfo=UTC)
LAST: Final = datetime(2024, 12, 31, tzinfo=UTC)
SEED: Final = 20_240_102
STRATEGY: Final = SmaCross(fast=5, slow=20)


class Report(msgspec.Struct, frozen=True):
    """What was made; the password is known only here."""

    account_id: int
    email: str
    password: str
    rows: dict[str, int]


async def fill(pool: asyncpg.Pool, journal_key: bytes, *, is_production: bool = False) -> Report:
    """Add a user, an account, two deployments and a year of their trading, labelled as sample.

    Raises Conflict in production, beside live accounts or data, and the second time.
    """
    if is_production:
        raise Conflict(
            "This is a production environment: it gets no sample data.",
            remedy="Use a database for development.",
        )
    password = new_token(12)
    async with pool.acquire() as connection, connection.transaction():
        await _refuse(connection)
        user_id = await rows.add_user(connection, hash_password(password))
        account_id = await rows.add_account(connection, user_id, CASH)
        deployments = [await _deploy(connection, account_id, user_id, symbol) for symbol in SYMBOLS]
        bars = {symbol: market(symbol) for symbol in SYMBOLS}
        await rows.add_bars(connection, [bar for one in bars.values() for bar in one])
    await _tell(pool, journal_key, account_id, [Story(account_id, d, bars) for d in deployments])
    return Report(account_id, rows.EMAIL, password, await rows.counts(pool))


async def _refuse(connection: asyncpg.Connection) -> None:
    if found := await rows.obstacles(connection):
        raise Conflict(
            f"This database gets no sample data: {' and '.join(found)}.",
            remedy="Use an empty database for development.",
        )


async def _deploy(
    connection: asyncpg.Connection, account_id: int, user_id: int, symbol: str
) -> Deployment:
    parameters = msgspec.json.encode(STRATEGY.parameters).decode()
    strategy_id = await rows.add_strategy(
        connection, STRATEGY.name, STRATEGY.description, parameters
    )
    name = f"Sample {symbol}"
    number = await rows.add_deployment(
        connection, account_id, strategy_id, name, parameters, [symbol], CAPITAL, user_id
    )
    return Deployment(
        deployment_id=number,
        strategy=STRATEGY.name,
        parameters=STRATEGY.parameters,
        symbols=(symbol,),
        timeframe=Timeframe.D1,
        capital=CAPITAL,
    )


async def _tell(
    pool: asyncpg.Pool, key: bytes, account_id: int, stories: Sequence["Story"]
) -> None:
    """Journal the stories as one, in order of time; the folds fill the tables."""
    cash = CASH
    chapters = [chapter for story in stories for chapter in story.chapters()]
    async with _journal(pool, key, account_id) as journal:
        for chapter in sorted(chapters, key=lambda entries: ev.occurred_at(entries[0].event)):
            cash += sum(paid(entry.event) for entry in chapter)
            await journal.append([with_cash(entry, cash) for entry in chapter])


@asynccontextmanager
async def _journal(
    pool: asyncpg.Pool, key: bytes, account_id: int
) -> AsyncIterator[PostgresJournal]:
    stream = stream_of(account_id)
    projection = Projection(account_id, stream)
    journal = await PostgresJournal(pool, stream, account_id, None, key, projection).open()
    try:
        yield journal
    finally:
        await journal.close()


def paid(event: ev.Event) -> Decimal:
    """Cash that an event moves; negative for a purchase."""
    if not isinstance(event, ev.OrderFilled):
        return Decimal(0)
    fill = event.execution
    return -fill.signed_quantity * fill.price - fill.commission


def with_cash(entry: Entry, cash: Decimal) -> Entry:
    """A position's change, with the account's cash after it."""
    if not isinstance(entry.event, ev.PositionChanged):
        return entry
    event = msgspec.structs.replace(entry.event, account_cash=cash)
    return msgspec.structs.replace(entry, event=event)


def market(symbol: str) -> list[Bar]:
    """A year of made-up daily bars, the same every time."""
    sessions = trading_calendar().sessions(to_ns(FIRST), to_ns(LAST))
    chance = np.random.default_rng([SEED, *symbol.encode()])
    closes = 150 * np.exp(np.cumsum(chance.normal(0.0004, 0.015, len(sessions))))
    opens = np.concatenate([[150.0], closes[:-1]]) * (1 + chance.normal(0, 0.003, len(sessions)))
    spread = 1 + np.abs(chance.normal(0, 0.006, (2, len(sessions))))
    return [
        Bar(
            symbol=symbol,
            timeframe=Timeframe.D1,
            start=to_datetime(session.open),
            end=to_datetime(session.close),
            open=round(float(opens[i]), 2),
            high=round(float(max(opens[i], closes[i]) * spread[0, i]), 2),
            low=round(float(min(opens[i], closes[i]) / spread[1, i]), 2),
            close=round(float(closes[i]), 2),
            volume=float(chance.integers(1_000_000, 5_000_000)),
        )
        for i, session in enumerate(sessions)
    ]


class Story:
    """What one deployment did: its opinions filled at the next open, each a chapter of events."""

    def __init__(self, account_id: int, deployment: Deployment, bars: dict[str, list[Bar]]) -> None:
        self._account_id = account_id
        self._deployment = deployment
        self._symbol = deployment.symbols[0]
        self._bars = bars[self._symbol]
        self._book = Ledger(name=deployment.ledger, cash=Decimal(0), positions={})

    def chapters(self) -> Iterator[list[Entry]]:
        """Batches of events in order of time; the last signal stays without a fill."""
        started = ev.DeploymentStarted(deployment=self._deployment, at=self._bars[0].start)
        yield [Entry(started)]
        closes = np.array([bar.close for bar in self._bars])
        columns = STRATEGY.prepare({"close": closes})
        held = 0.0
        for i, wanted in enumerate(columns["exposure"][:-1]):
            if wanted == wanted and wanted != held:
                values = {name: float(columns[name][i]) for name in ("fast", "slow")}
                yield from self._change(self._bars[i], self._bars[i + 1], float(wanted), values)
                held = float(wanted)
        yield self._refused(self._bars[-1])

    def _change(
        self, bar: Bar, following: Bar, wanted: float, values: dict[str, float]
    ) -> Iterator[list[Entry]]:
        signal = self._signal(bar, wanted, values)
        order = self._order(signal)
        name, at = order.client_order_id, bar.end
        yield [
            Entry(self._slice(bar)),
            Entry(ev.SignalRaised(signal=signal), 0),
            Entry(ev.TargetSet(target=self._target(signal), at=at), 0),
            Entry(ev.OrderApproved(order=order, checks=(self._check(bar),)), 0),
        ]
        yield [Entry(ev.OrderSubmitted(client_order_id=name, at=at))]
        yield [
            Entry(ev.OrderAccepted(client_order_id=name, broker_order_id=f"paper-{name}", at=at))
        ]
        yield self._filled(order, following)

    def _slice(self, bar: Bar) -> ev.SliceClosed:
        return ev.SliceClosed(
            end=bar.end, session=_session(bar), base=Timeframe.D1, bars=(bar,), warm_up=False
        )

    def _signal(self, bar: Bar, wanted: float, values: dict[str, float]) -> Signal:
        above = "above" if wanted else "not above"
        return Signal(
            signal_id=f"sample-{self._deployment.ledger}-{self._symbol}-{_session(bar)}",
            ledger=self._deployment.ledger,
            deployment_id=self._deployment.deployment_id,
            symbol=self._symbol,
            exposure=wanted,
            price=bar.close,
            at=bar.end,
            reasons=(f"The fast average is {above} the slow one.",),
            indicator_values=values,
        )

    def _target(self, signal: Signal) -> Target:
        return Target(
            ledger=signal.ledger,
            symbol=signal.symbol,
            signal_id=signal.signal_id,
            exposure=signal.exposure,
            quantity=SHARES if signal.exposure else Decimal(0),
            attempt=1,
            valid_until=None,
        )

    def _order(self, signal: Signal) -> Order:
        return Order(
            client_order_id=f"tw-{self._account_id}-{signal.signal_id}-1",
            ledger=signal.ledger,
            signal_id=signal.signal_id,
            symbol=signal.symbol,
            side=Side.BUY if signal.exposure else Side.SELL,
            quantity=SHARES,
            leg=Leg.ENTRY if signal.exposure else Leg.EXIT,
            at=signal.at,
        )

    def _check(self, bar: Bar) -> ev.Check:
        value = (SHARES * Decimal(str(bar.close)) / CASH).quantize(Decimal("0.0001"))
        return ev.Check("max_position_size", passed=True, value=value, limit=Decimal("0.25"))

    def _filled(self, order: Order, bar: Bar) -> list[Entry]:
        execution = Execution(
            execution_id=f"{order.client_order_id}-1",
            broker="paper",
            client_order_id=order.client_order_id,
            ledger=order.ledger,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            price=Decimal(str(bar.open)),
            commission=COMMISSION,
            at=bar.start,
        )
        position, trade = self._book.apply(
            execution, signal_id=order.signal_id, leg=order.leg.value
        )
        changed = ev.PositionChanged(
            position=position, ledger_cash=self._book.cash, account_cash=CASH, at=bar.start
        )
        entries = [Entry(ev.OrderFilled(execution=execution)), Entry(changed, 0)]
        return [*entries, Entry(ev.TradeClosed(trade=trade), 0)] if trade else entries

    def _refused(self, bar: Bar) -> list[Entry]:
        """A signal that a limit denies, so that a denial can be seen too."""
        signal = self._signal(bar, 1.0, {})
        denied = ev.OrderDenied(
            signal_id=signal.signal_id,
            ledger=signal.ledger,
            symbol=signal.symbol,
            side=Side.BUY,
            quantity=SHARES,
            code="position_limit",
            detail=f"{signal.symbol} would exceed the largest position allowed.",
            limit=Decimal("0.05"),
            value=self._check(bar).value,
            attempt=1,
            at=bar.end,
        )
        return [Entry(self._slice(bar)), Entry(ev.SignalRaised(signal=signal), 0), Entry(denied, 0)]


def _session(bar: Bar) -> date:
    return bar.start.date()
