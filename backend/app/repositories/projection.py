"""State tables as folds of an account's stream: events in, changed rows out, in one statement."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import events as ev
from app.domain.events import Event
from app.domain.orders import CLOSED
from app.repositories.chain import Record
from app.repositories.folds import deployments, orders, portfolio, signals
from app.repositories.folds.book import Book, Fill, InstrumentIds
from app.repositories.folds.portfolio import deployment_of
from app.repositories.folds.tables import (
    ACCOUNTS,
    CASH_MOVEMENTS,
    COMMANDS,
    DEPLOYMENTS,
    EXECUTIONS,
    LEDGERS,
    ORDER_GROUPS,
    ORDERS,
    POSITIONS,
    RECONCILIATIONS,
    RISK_CHECKS,
    RISK_VIOLATIONS,
    SIGNALS,
    STRATEGY_EVENTS,
    TARGETS,
    TRADES,
    TRADING_STATE,
)

_SIGNALS_KEPT: Final = 1_000
_ORDER_IDS_TAKEN: Final = 64

WRITTEN_ONCE: Final = (
    CASH_MOVEMENTS, COMMANDS, EXECUTIONS, ORDER_GROUPS, RECONCILIATIONS, RISK_CHECKS,
    RISK_VIOLATIONS, STRATEGY_EVENTS, TRADES, TRADING_STATE,
)  # fmt: skip
"Tables that no fold reads again."

_ACCOUNT: Final = "SELECT id, cash, clock_at, reconciled_at FROM accounts WHERE id = $1"
_OF_ACCOUNT: Final = "SELECT {columns} FROM {table} WHERE account_id = $1"
INSTRUMENTS: Final = """
SELECT i.symbol, i.id AS instrument_id, coalesce(s.id, c.underlying_id) AS stock_id
FROM instruments i LEFT JOIN stocks s USING (id) LEFT JOIN option_contracts c USING (id)
WHERE {where}
"""
_NAMED: Final = INSTRUMENTS.format(where="i.symbol = ANY($1)")
_DEPLOYMENTS: Final = """
SELECT id, strategy_id, state, reason, started_at, stopped_at FROM deployments WHERE id = ANY($1)
"""
_ORDERS: Final = """
SELECT id, client_order_id, broker_order_id, signal_id, instrument_id, quantity, type,
       limit_price, stop_price, trail, is_held, expires_at, status, pending,
       wanted::text AS wanted, filled_quantity, average_price, reason, submitted_at, accepted_at,
       closed_at
FROM orders WHERE account_id = $1 AND client_order_id = ANY($2)
"""
_FILLS: Final = """
SELECT client_order_id, broker, execution_id, quantity, price, busted_at, corrects
FROM executions WHERE order_id = ANY($1)
"""
_EXECUTIONS: Final = """
SELECT e.broker, e.execution_id, e.quantity, e.busted_at, e.bust_reason
FROM executions e JOIN unnest($1::text[], $2::text[]) AS w(broker, execution_id)
  USING (broker, execution_id)
"""
_ORIGINS: Final = """
SELECT DISTINCT c.client_order_id, c.seq, e.correlation_id
FROM risk_checks c JOIN trading_events e ON e.stream = $2 AND e.seq = c.seq
WHERE c.account_id = $1 AND c.signal_id = ANY($3) AND c.client_order_id = ANY($4)
"""
_SIGNALS: Final = """
SELECT account_id, signal_id, signal_type, at, exposure, price, stop_loss, take_profit, reasons,
       indicator_values::text AS indicator_values, executed, outcome
FROM signals WHERE account_id = $1 AND signal_id = ANY($2)
"""
_ORDER_IDS: Final = """
SELECT nextval(pg_get_serial_sequence('orders', 'id')) AS id FROM generate_series(1, $1)
"""


class Wants(msgspec.Struct):
    """What a batch of events will touch."""

    symbols: set[str] = msgspec.field(default_factory=set)
    deployments: set[int] = msgspec.field(default_factory=set)
    orders: set[str] = msgspec.field(default_factory=set)
    approved: set[str] = msgspec.field(default_factory=set)
    "Orders that the batch itself brings."
    signals: set[str] = msgspec.field(default_factory=set)
    raised: set[str] = msgspec.field(default_factory=set)
    "Signals that the batch itself brings."
    executions: set[tuple[str, str]] = msgspec.field(default_factory=set)
    "Those that are taken back, by broker and id."
    order_ids: int = 0

    def add(self, event: Event) -> None:
        """Note what `event` will touch."""
        match event:
            case ev.SignalRaised():
                self.symbols.add(event.signal.symbol)
                self.raised.add(event.signal.signal_id)
            case ev.SignalSatisfied() | ev.SignalExpired():
                self.signals.add(event.signal_id)
            case ev.TargetSet():
                self.symbols.add(event.target.symbol)
            case ev.OrderApproved():
                self.symbols.add(event.order.symbol)
                self.signals.add(event.order.signal_id)
                self.approved.add(event.order.client_order_id)
                self.order_ids += 1
            case ev.OrderDenied():
                self.symbols.add(event.symbol)
                self.signals.add(event.signal_id)
            case ev.OrderFilled() | ev.ExecutionCorrected():
                self.symbols.add(event.execution.symbol)
                self.orders.add(event.execution.client_order_id)
            case _:
                self._add_rest(event)

    def add_undone(self, event: Event) -> None:
        """Note which fill `event` takes back."""
        if isinstance(event, ev.ExecutionBusted):
            self.executions.add((event.broker, event.execution_id))
        elif isinstance(event, ev.ExecutionCorrected):
            self.executions.add((event.execution.broker, event.corrects))

    def _add_rest(self, event: Event) -> None:
        match event:
            case ev.PositionChanged() | ev.PositionAdjusted():
                self.symbols.add(event.position.symbol)
            case ev.OrderAdjusted():
                self.symbols.add(event.symbol)
                self.orders.add(event.client_order_id)
            case ev.OrderSeen(order=order):
                self.symbols.add(order.symbol)
                self.orders.add(event.client_order_id)
                self.order_ids += 1
            case ev.TradeClosed(trade=trade):
                self.symbols.add(trade.symbol)
                self.signals |= {s for s in (trade.entry_signal_id, trade.exit_signal_id) if s}
                self.deployments |= {d for d in [deployment_of(trade.ledger)] if d}
            case ev.DeploymentStarted():
                self.deployments.add(event.deployment.deployment_id)
            case ev.DeploymentPaused() | ev.DeploymentStopped() | ev.DeploymentFailed():
                self.deployments.add(event.deployment_id)
            case _ if isinstance(event, ANSWERS):
                self.orders.add(event.client_order_id)
            case _:
                pass


ANSWERS: Final = (
    ev.OrderSubmitted,
    ev.OrderAccepted,
    ev.OrderRejected,
    ev.OrderUnknown,
    ev.OrderCanceled,
    ev.OrderExpired,
    ev.CancelRequested,
    ev.ReplaceRequested,
    ev.OrderReleased,
    ev.OrderReplaced,
    ev.ChangeRejected,
    ev.ExecutionBusted,
)
"Events about one order that was approved before."

FOLDS: Final[dict[type, Callable[..., None]]] = {
    ev.SignalRaised: signals.raised,
    ev.SignalSatisfied: signals.satisfied,
    ev.SignalExpired: signals.expired,
    ev.TargetSet: signals.targeted,
    ev.OrderApproved: orders.approved,
    ev.OrderDenied: orders.denied,
    ev.OrderSubmitted: orders.submitted,
    ev.OrderAccepted: orders.accepted,
    ev.OrderRejected: orders.ended,
    ev.OrderUnknown: orders.ended,
    ev.OrderCanceled: orders.ended,
    ev.OrderExpired: orders.ended,
    ev.CancelRequested: orders.cancel_requested,
    ev.OrderFilled: orders.filled,
    ev.ReplaceRequested: orders.replace_requested,
    ev.OrderReleased: orders.released,
    ev.OrderReplaced: orders.replaced,
    ev.ChangeRejected: orders.change_rejected,
    ev.ExecutionBusted: orders.busted,
    ev.ExecutionCorrected: orders.corrected,
    ev.OrderSeen: orders.seen,
    ev.PositionChanged: portfolio.changed,
    ev.PositionAdjusted: portfolio.changed,
    ev.CashMoved: portfolio.cash_moved,
    ev.OrderAdjusted: orders.adjusted,
    ev.TradeClosed: portfolio.closed,
    ev.TradeVoided: portfolio.voided,
    ev.DeploymentStarted: deployments.started,
    ev.DeploymentPaused: deployments.paused,
    ev.DeploymentStopped: deployments.stopped,
    ev.DeploymentFailed: deployments.failed,
    ev.StrategyNoted: deployments.noted,
    ev.CommandReceived: deployments.received,
    ev.CommandCompleted: deployments.completed,
    ev.TradingHalted: deployments.halted,
    ev.TradingResumed: deployments.resumed,
    ev.Reconciled: deployments.reconciled,
}
"What each event does to the tables."

JOURNAL_ONLY: Final = frozenset(
    {
        ev.SliceClosed,
        ev.BarLate,
        ev.BarsCorrected,
        ev.CorporateActionDue,
        ev.ClockTicked,
        ev.SessionOpened,
        ev.SessionClosed,
        ev.LimitsChanged,
        ev.OrdersElsewhere,
        ev.InstrumentSeen,
        ev.FundsSeen,
        ev.AbilitiesSeen,
        ev.HoldingSeen,
        ev.CashSeen,
        ev.ReconciliationDifference,
        ev.ProtectionLost,
    }
)
"Events of an account's stream that change no row but the account's clock."


def apply(book: Book, record: Record, event: Event) -> None:
    """Let one more event change the rows of `book`. Pure."""
    portfolio.clock(book, record.occurred_at)
    fold = FOLDS.get(type(event))
    if fold is not None:
        fold(book, record, event)


MAY_WAIT: Final = frozenset(
    {
        ev.SliceClosed,
        ev.SignalRaised,
        ev.SignalSatisfied,
        ev.SignalExpired,
        ev.TargetSet,
        ev.OrderApproved,
        ev.OrderDenied,
    }
)
"What a decision to order is made of: nothing that moved money, was asked for or halts."


class Projection:
    """The folds of one account. `load` is all its I/O; `fold` is pure."""

    def __init__(self, account_id: int, stream: str) -> None:
        self.book = Book(account_id)
        self._stream = stream
        self._is_open = False

    def may_wait(self, events: Sequence[Event]) -> bool:
        """An order that was approved on a slice: whatever follows it takes its rows along."""
        kinds = {type(event) for event in events}
        return ev.OrderApproved in kinds and kinds <= MAY_WAIT

    # -------------------------------------------------------------------------------------- load

    async def load(self, connection: asyncpg.Connection, events: Sequence[Event]) -> None:
        """Fetch what `events` will change and what is not remembered; forget what is long done."""
        if not self._is_open:
            await self._open(connection)
        self._forget()
        wants = Wants()
        for event in events:
            wants.add(event)
            wants.add_undone(event)
        await self._load_names(connection, wants)
        await self._load_orders(connection, wants)
        if wants.executions:
            await self._load_executions(connection, wants)
        await self._load_signals(connection, wants)

    async def _open(self, connection: asyncpg.Connection) -> None:
        account_id, rows = self.book.account_id, self.book.rows
        row = await connection.fetchrow(_ACCOUNT, account_id)
        rows.remember(ACCOUNTS, row)
        for table in (LEDGERS, POSITIONS, TARGETS):
            sql = _OF_ACCOUNT.format(columns=", ".join(table.columns), table=table.name)
            for row in await connection.fetch(sql, account_id):
                rows.remember(table, _plain(row))
        self._is_open = True

    def _forget(self) -> None:
        rows = self.book.rows
        for row in [row for row in rows.of(ORDERS) if row["status"] in CLOSED]:
            rows.drop(ORDERS, row["client_order_id"])
            self.book.fills.pop(row["client_order_id"], None)
            self.book.origins.pop(row["client_order_id"], None)
        rows.forget(SIGNALS, _SIGNALS_KEPT)
        for table in WRITTEN_ONCE:
            rows.forget(table, 0)
        self.book.commands.clear()

    async def _load_names(self, connection: asyncpg.Connection, wants: Wants) -> None:
        book = self.book
        if symbols := wants.symbols - book.instruments.keys():
            for row in await connection.fetch(_NAMED, list(symbols)):
                ids = InstrumentIds(row["instrument_id"], row["stock_id"])
                book.instruments[row["symbol"]] = ids
        if numbers := wants.deployments - book.strategies.keys():
            for row in await connection.fetch(_DEPLOYMENTS, list(numbers)):
                book.strategies[row["id"]] = row["strategy_id"]
                book.rows.remember(DEPLOYMENTS, row)
        if (missing := wants.order_ids - len(book.order_ids)) > 0:
            taken = await connection.fetch(_ORDER_IDS, max(missing, _ORDER_IDS_TAKEN))
            book.order_ids.extend(row["id"] for row in taken)

    async def _load_orders(self, connection: asyncpg.Connection, wants: Wants) -> None:
        book = self.book
        for row in book.rows.of(ORDERS):
            if row["client_order_id"] in wants.orders:
                wants.orders.discard(row["client_order_id"])
                wants.signals.add(row["signal_id"])
        wants.orders -= wants.approved
        if not wants.orders:
            return
        found = await connection.fetch(_ORDERS, book.account_id, list(wants.orders))
        for row in found:
            book.rows.remember(ORDERS, _plain(row))
            book.fills[row["client_order_id"]] = {}
            wants.signals.add(row["signal_id"])
        if not found:
            return
        await self._load_fills(connection, [row["id"] for row in found])
        signal_ids = [row["signal_id"] for row in found]
        for row in await connection.fetch(
            _ORIGINS, book.account_id, self._stream, signal_ids, list(wants.orders)
        ):
            book.origins[row["client_order_id"]] = (row["seq"], row["correlation_id"])

    async def _load_fills(self, connection: asyncpg.Connection, order_ids: list[int]) -> None:
        book = self.book
        for row in await connection.fetch(_FILLS, order_ids):
            identity = (row["broker"], row["execution_id"])
            if row["corrects"] is not None:  # which may be told only after its correction
                book.voided.add((row["broker"], row["corrects"]))
            if row["busted_at"] is not None:
                book.voided.add(identity)
                continue
            book.fills[row["client_order_id"]][identity] = Fill(row["quantity"], row["price"])

    async def _load_executions(self, connection: asyncpg.Connection, wants: Wants) -> None:
        brokers, identities = zip(*wants.executions, strict=True)
        for row in await connection.fetch(_EXECUTIONS, list(brokers), list(identities)):
            self.book.rows.remember(EXECUTIONS, row)
            if row["busted_at"] is not None:
                self.book.voided.add((row["broker"], row["execution_id"]))

    async def _load_signals(self, connection: asyncpg.Connection, wants: Wants) -> None:
        rows, account_id = self.book.rows, self.book.account_id
        wanted = wants.signals - wants.raised
        missing = [s for s in wanted if rows.find(SIGNALS, account_id, s) is None]
        if missing:
            for row in await connection.fetch(_SIGNALS, account_id, missing):
                rows.remember(SIGNALS, _plain(row))

    # -------------------------------------------------------------------------------------- fold

    def origin(self, event: Event) -> tuple[int, str] | None:
        """An answer of the broker belongs to the chain that approved the order."""
        if isinstance(event, ev.OrderFilled | ev.ExecutionCorrected):
            return self.book.origins.get(event.execution.client_order_id)
        if isinstance(event, ANSWERS):
            return self.book.origins.get(event.client_order_id)
        return None

    def fold(self, record: Record, event: Event) -> None:
        """Let one more event change the rows."""
        apply(self.book, record, event)

    def take(self) -> tuple[str, list[str], list[tuple[str, str]]]:
        """The CTEs that store what changed since the last call, the rows, and whom to notify."""
        sql, rows = self.book.rows.take()
        notices, self.book.notices = self.book.notices, []
        return sql, rows, notices


def _plain(row: asyncpg.Record) -> dict[str, Any]:
    """A stored row as the fold would have made it: json columns come as text."""
    return {
        key: _JSON[key](value) if key in _JSON and value else value for key, value in row.items()
    }


_JSON: Final[dict[str, Any]] = {
    "terms": msgspec.json.decode,
    "wanted": msgspec.json.decode,
    "indicator_values": msgspec.json.decode,
}
