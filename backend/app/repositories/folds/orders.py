"""Orders, executions and risk decisions as folds of the stream."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.domain.events import (
    CancelRequested,
    ChangeRejected,
    Check,
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderAdjusted,
    OrderApproved,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReleased,
    OrderReplaced,
    OrderSeen,
    OrderSubmitted,
    OrderUnknown,
    ReplaceRequested,
)
from app.domain.executions import Execution
from app.domain.orders import CLOSED, HEARD, Order, OrderStatus, steps
from app.repositories.chain import Record
from app.repositories.folds import signals
from app.repositories.folds.book import Book, Fill, money
from app.repositories.folds.rows import Row
from app.repositories.folds.tables import (
    EXECUTIONS,
    ORDER_GROUPS,
    ORDERS,
    POSITIONS,
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
        "trail": order.trail,
        "is_held": order.is_held,
        "time_in_force": order.time_in_force,
        "expires_at": order.expires_at,
        "status": order.status,
        "pending": order.pending,
        "wanted": None,
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
            "scope": event.checks[-1].scope if event.checks else None,
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
                "scope": check.scope,
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
    path = steps(OrderStatus(row["status"]), status)
    if path:
        is_closed = path[-1] in CLOSED
        columns |= {"status": path[-1], "closed_at": at if is_closed else None}
        if is_closed:
            columns |= {"pending": "none", "wanted": None}
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
    _fill(book, event.execution, None, reopens=True)


def _fill(book: Book, execution: Execution, corrects: str | None, *, reopens: bool) -> None:
    """`reopens`: a fill of an order that was ended; the correction of an older fill is none."""
    row = book.rows.find(ORDERS, execution.client_order_id)
    ids = book.instrument(execution.symbol)
    fills = book.fills.setdefault(execution.client_order_id, {})
    identity = (execution.broker, execution.execution_id)
    if ids is None or identity in fills or identity in book.voided:
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
            "corrects": corrects,
            "busted_at": None,
            "bust_reason": None,
        },
    )
    if row is not None:
        _total(book, row, fills, execution.at, reopens=reopens)
        signals.executed(book, row["signal_id"])


def busted(book: Book, record: Record, event: ExecutionBusted) -> None:
    """A fill that never was: its row stays, and says so; it counts no more."""
    identity, order = (event.broker, event.execution_id), event.client_order_id
    is_known = identity in book.voided
    was_heard = _bust(book, identity, order, event.reason, event.at)
    fill, row = book.rows.find(EXECUTIONS, *identity), book.rows.find(ORDERS, order)
    if not is_known and not was_heard and fill is not None and row is not None:
        # It was filled before the order was taken over: what we took over is that much more.
        book.rows.change(ORDERS, row, quantity=row["quantity"] + fill["quantity"])
        _total(book, row, book.fills.get(order, {}), event.at, reopens=False)


def corrected(book: Book, record: Record, event: ExecutionCorrected) -> None:
    """Another fill stands in its place."""
    given = event.execution
    identity = (given.broker, event.corrects)
    if identity not in book.voided:
        was_heard = _bust(book, identity, given.client_order_id, event.reason, event.at)
        _fill(book, given, event.corrects, reopens=not was_heard)


def _bust(
    book: Book, identity: tuple[str, str], client_order_id: str, reason: str, at: datetime
) -> bool:
    """Whether the fill had been told before."""
    if identity in book.voided:
        return True
    book.voided.add(identity)
    stored = book.rows.find(EXECUTIONS, *identity)
    if stored is not None:
        book.rows.change(EXECUTIONS, stored, busted_at=at, bust_reason=reason)
    row, fills = book.rows.find(ORDERS, client_order_id), book.fills.get(client_order_id, {})
    was_heard = fills.pop(identity, None) is not None
    if was_heard and row is not None:
        _total(book, row, fills, at, reopens=False)
    return was_heard


def _total(
    book: Book, row: Row, fills: dict[tuple[str, str], Fill], at: datetime, *, reopens: bool
) -> None:
    quantity = sum((fill.quantity for fill in fills.values()), Decimal(0))
    value = sum((fill.quantity * fill.price for fill in fills.values()), Decimal(0))
    average = money(value / quantity) if quantity else None
    book.rows.change(ORDERS, row, filled_quantity=quantity, average_price=average)
    is_full, status = quantity >= row["quantity"], OrderStatus(row["status"])
    if reopens or status in (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED):
        status = OrderStatus.FILLED if is_full else OrderStatus.PARTIALLY_FILLED
        moved(book, row["client_order_id"], status, at)


def seen(book: Book, record: Record, event: OrderSeen) -> None:
    """An order that somebody else made at the broker, taken over."""
    order, identity = event.order, event.client_order_id
    if book.rows.find(ORDERS, identity) is not None:
        at, number = event.at, order.broker_order_id
        moved(book, identity, OrderStatus.ACCEPTED, at, accepted_at=at, broker_order_id=number)
        return
    ids = book.instrument(order.symbol)
    if ids is None or order.quantity <= order.filled_quantity:
        return
    position = book.rows.find(POSITIONS, book.account_id, event.ledger, ids.instrument_id)
    held = position["quantity"] if position else Decimal(0)
    row = _row(book, order.adopted(event.ledger, held, event.at), ids.instrument_id, ())
    book.rows.add(ORDERS, row | {"submitted_at": order.at, "accepted_at": event.at})
    book.fills[identity] = {}
    book.origins[identity] = (record.seq, record.correlation_id or "")


def cancel_requested(book: Book, record: Record, event: CancelRequested) -> None:
    """The broker was asked; until it answers this is an attribute, not a status."""
    row = book.rows.find(ORDERS, event.client_order_id)
    if row is not None and OrderStatus(row["status"]) not in CLOSED:
        book.rows.change(ORDERS, row, pending="cancel")


def replace_requested(book: Book, record: Record, event: ReplaceRequested) -> None:
    """What the order becomes if the broker says yes."""
    row = book.rows.find(ORDERS, event.client_order_id)
    if row is not None and OrderStatus(row["status"]) not in CLOSED:
        wanted = msgspec.to_builtins(event.change)
        book.rows.change(ORDERS, row, pending="replace", wanted=wanted)


def released(book: Book, record: Record, event: OrderReleased) -> None:
    """We held it no longer: it is on its way to the broker as another type."""
    row = book.rows.find(ORDERS, event.client_order_id)
    if row is not None:
        book.rows.change(
            ORDERS,
            row,
            is_held=False,
            type=event.order_type,
            limit_price=event.limit_price,
            stop_price=None,
            trail=None,
            reason=event.reason,
        )


def replaced(book: Book, record: Record, event: OrderReplaced) -> None:
    """The broker changed it; a quantity that is filled already ends it."""
    row = book.rows.find(ORDERS, event.client_order_id)
    if row is None or OrderStatus(row["status"]) in CLOSED:
        return
    columns = msgspec.structs.asdict(event.change)
    pending = "none" if row["pending"] == "replace" else row["pending"]
    book.rows.change(
        ORDERS,
        row,
        **columns,
        broker_order_id=event.broker_order_id or row["broker_order_id"],
        wanted=None,
        pending=pending,
    )
    filled, status = row["filled_quantity"], OrderStatus(row["status"])
    if filled and filled >= event.quantity:
        moved(book, event.client_order_id, OrderStatus.FILLED, event.at)
    elif status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
        moved(book, event.client_order_id, OrderStatus.ACCEPTED, event.at, accepted_at=event.at)


def change_rejected(book: Book, record: Record, event: ChangeRejected) -> None:
    """The order is as it was. One that the broker may not know yet is still to be cancelled."""
    row = book.rows.find(ORDERS, event.client_order_id)
    if row is None or OrderStatus(row["status"]) in CLOSED:
        return
    is_asked = row["pending"] == event.change
    if event.change == "replace":
        pending = "none" if is_asked else row["pending"]
        book.rows.change(ORDERS, row, pending=pending, wanted=None)
    elif is_asked and row["status"] in HEARD:
        book.rows.change(ORDERS, row, pending="none")


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
            trail=event.trail,
        )
