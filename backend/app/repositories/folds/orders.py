"""Orders, executions and risk decisions as folds of the stream."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from app.domain.events import (
    CancelRequested,
    Check,
    OrderAccepted,
    OrderAdjusted,
    OrderApproved,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
)
from app.domain.orders import CLOSED, NEXT, REOPEN, Order, OrderStatus
from app.repositories.chain import Record
from app.repositories.folds import signals
from app.repositories.folds.book import Book, Fill, money
from app.repositories.folds.rows import Row
from app.repositories.folds.tables import (
    EXECUTIONS,
    ORDER_GROUPS,
    ORDERS,
    RISK_CHECKS,
    RISK_VIOLATIONS,
)


def approved(book: Book, record: Record, event: OrderApproved) -> None:
    """A new order, with the checks it passed."""
    order = event.order
    ids = book.instrument(order.symbol)
    if ids is None:
        return
    if order.group_id is not None:
        group = {"account_id": book.account_id, "group_id": order.group_id, "kind": "oco"}
        book.rows.add(ORDER_GROUPS, group)
    book.rows.add(ORDERS, _row(book, order, ids.instrument_id, event.limited_by))
    book.fills[order.client_order_id] = {}
    book.origins[order.client_order_id] = (record.seq, record.correlation_id or "")
    _checks(book, record, order.signal_id, order.client_order_id, event.checks)
    signals.settled(book, order.signal_id, "order")


def _row(book: Book, order: Order, instrument_id: int, limited_by: tuple[str, ...]) -> Row:
    return {
        "id": book.order_ids.popleft(),
        "account_id": book.account_id,
        "client_order_id": order.client_order_id,
        "broker_order_id": order.broker_order_id,
        "ledger": order.ledger,
        "signal_id": order.signal_id,
        "instrument_id": instrument_id,
        "group_id": order.group_id,
        "leg": order.leg,
        "attempt": order.attempt,
        "side": order.side,
        "quantity": order.quantity,
        "type": order.type,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "time_in_force": order.time_in_force,
        "expires_at": order.expires_at,
        "status": order.status,
        "pending": order.pending,
        "filled_quantity": order.filled_quantity,
        "average_price": order.average_price,
        "limited_by": list(limited_by),
        "reason": None,
        "at": order.at,
        "submitted_at": None,
        "accepted_at": None,
        "closed_at": None,
    }


def denied(book: Book, record: Record, event: OrderDenied) -> None:
    """Our own no, by its code, with the checks made so far."""
    _checks(book, record, event.signal_id, None, event.checks)
    signals.settled(book, event.signal_id, "denied")
    ids = book.instrument(event.symbol)
    if ids is None:
        return
    book.rows.add(
        RISK_VIOLATIONS,
        {
            "account_id": book.account_id,
            "seq": record.seq,
            "ledger": event.ledger,
            "instrument_id": ids.instrument_id,
            "signal_id": event.signal_id,
            "attempt": event.attempt,
            "side": event.side,
            "quantity": event.quantity,
            "code": event.code,
            "detail": event.detail,
            "value": money(event.value),
            "limit_value": money(event.limit),
            "at": event.at,
        },
    )


def _checks(
    book: Book,
    record: Record,
    signal_id: str,
    client_order_id: str | None,
    checks: tuple[Check, ...],
) -> None:
    for number, check in enumerate(checks):
        book.rows.add(
            RISK_CHECKS,
            {
                "account_id": book.account_id,
                "seq": record.seq,
                "number": number,
                "signal_id": signal_id,
                "client_order_id": client_order_id,
                "rule": check.rule,
                "passed": check.passed,
                "value": money(check.value),
                "limit_value": money(check.limit),
                "at": record.occurred_at,
            },
        )


def moved(
    book: Book,
    client_order_id: str,
    status: OrderStatus,
    at: datetime,
    **columns: Any,  # noqa: ANN401 - any column value
) -> None:
    """An order in `status`, if an edge of its life cycle leads there; other columns always."""
    row = book.rows.find(ORDERS, client_order_id)
    if row is None:
        return
    now = OrderStatus(row["status"])
    if status in NEXT.get(now, frozenset()) | REOPEN.get(now, frozenset()):
        is_closed = status in CLOSED
        columns |= {"status": status, "closed_at": at if is_closed else None}
        if is_closed:
            columns["pending"] = "none"
    book.rows.change(ORDERS, row, **columns)


def submitted(book: Book, record: Record, event: OrderSubmitted) -> None:
    key, at = event.client_order_id, event.at
    moved(book, key, OrderStatus.SUBMITTED, at, submitted_at=at)


def accepted(book: Book, record: Record, event: OrderAccepted) -> None:
    key, at, number = event.client_order_id, event.at, event.broker_order_id
    moved(book, key, OrderStatus.ACCEPTED, at, accepted_at=at, broker_order_id=number)


def ended(
    book: Book,
    record: Record,
    event: OrderRejected | OrderUnknown | OrderCanceled | OrderExpired,
) -> None:
    """Rejected, unknown, canceled or expired, and why."""
    moved(book, event.client_order_id, _ENDS[type(event)], event.at, reason=event.reason)


_ENDS: Final[dict[type, OrderStatus]] = {
    OrderRejected: OrderStatus.REJECTED,
    OrderUnknown: OrderStatus.UNKNOWN,
    OrderCanceled: OrderStatus.CANCELED,
    OrderExpired: OrderStatus.EXPIRED,
}


def filled(book: Book, record: Record, event: OrderFilled) -> None:
    """One fill: its row, the order's totals, the signal's flag. The same fill again is nothing."""
    execution = event.execution
    row = book.rows.find(ORDERS, execution.client_order_id)
    ids = book.instrument(execution.symbol)
    fills = book.fills.setdefault(execution.client_order_id, {})
    identity = (execution.broker, execution.execution_id)
    if ids is None or identity in fills:
        return
    fills[identity] = Fill(execution.quantity, execution.price)
    book.rows.add(
        EXECUTIONS,
        {
            "account_id": book.account_id,
            "order_id": row and row["id"],
            "broker": execution.broker,
            "execution_id": execution.execution_id,
            "client_order_id": execution.client_order_id,
            "ledger": execution.ledger,
            "instrument_id": ids.instrument_id,
            "side": execution.side,
            "quantity": execution.quantity,
            "price": execution.price,
            "commission": execution.commission,
            "at": execution.at,
        },
    )
    if row is not None:
        _total(book, row, fills, execution.at)
        signals.executed(book, row["signal_id"])


def _total(book: Book, row: Row, fills: dict[tuple[str, str], Fill], at: datetime) -> None:
    quantity = sum((fill.quantity for fill in fills.values()), Decimal(0))
    value = sum((fill.quantity * fill.price for fill in fills.values()), Decimal(0))
    is_filled = quantity >= row["quantity"]
    status = OrderStatus.FILLED if is_filled else OrderStatus.PARTIALLY_FILLED
    book.rows.change(ORDERS, row, filled_quantity=quantity, average_price=money(value / quantity))
    moved(book, row["client_order_id"], status, at)


def cancel_requested(book: Book, record: Record, event: CancelRequested) -> None:
    """The broker was asked; until it answers this is an attribute, not a status."""
    row = book.rows.find(ORDERS, event.client_order_id)
    if row is not None and OrderStatus(row["status"]) not in CLOSED:
        book.rows.change(ORDERS, row, pending="cancel")


def adjusted(book: Book, record: Record, event: OrderAdjusted) -> None:
    """What a corporate action left of an open order; its fills stay as they were."""
    row, ids = book.rows.find(ORDERS, event.client_order_id), book.instrument(event.symbol)
    if row is not None and ids is not None:
        book.rows.change(
            ORDERS,
            row,
            instrument_id=ids.instrument_id,
            quantity=event.quantity,
            limit_price=event.limit_price,
            stop_price=event.stop_price,
        )
