"""What the broker says about our orders, and what follows from it.

Reports come late, twice and in any order. An order moves only along the edges of its life cycle; a
fill counts once, by its id, whatever the order's state; a late fact reopens a closed order.
"""

from datetime import datetime

import msgspec

from app.domain.deployments import deployment_of
from app.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
    PositionChanged,
    Severity,
    StrategyNoted,
    TradeClosed,
)
from app.domain.executions import Execution
from app.domain.orders import NEXT, Order, OrderStatus, PendingChange
from app.engine.desk import Desk
from app.engine.protection import protect, protective_fill
from app.engine.pursuit import pursue, settle

S = OrderStatus
Closing = OrderCanceled | OrderExpired | OrderRejected
_CLOSES = {OrderCanceled: S.CANCELED, OrderExpired: S.EXPIRED, OrderRejected: S.REJECTED}


def on_submitted(desk: Desk, event: OrderSubmitted) -> None:
    desk.done(event.client_order_id, "submit")
    order = desk.book.open.get(event.client_order_id)
    if order is not None and order.status is S.APPROVED:
        desk.book.put(order.to(S.SUBMITTED))


def on_accepted(desk: Desk, event: OrderAccepted) -> None:
    order = _known(desk, event.client_order_id)
    if order is None:
        return
    if order.status is S.REJECTED:
        _note_late(desk, order, "accepted", event.at)
    if order.status in (S.SUBMITTED, S.UNKNOWN, S.REJECTED):
        desk.book.put(order.to(S.ACCEPTED, broker_order_id=event.broker_order_id))
    elif order.broker_order_id is None:
        desk.book.put(msgspec.structs.replace(order, broker_order_id=event.broker_order_id))


def on_unknown(desk: Desk, event: OrderUnknown) -> None:
    """Nobody knows whether the request arrived; a cancel may be asked for again."""
    desk.done(event.client_order_id)
    order = desk.book.open.get(event.client_order_id)
    if order is None:
        return
    if S.UNKNOWN in NEXT[order.status]:
        order = order.to(S.UNKNOWN)
    desk.book.put(msgspec.structs.replace(order, pending=PendingChange.NONE))


def on_closed(desk: Desk, event: Closing) -> None:
    """Canceled, expired or rejected."""
    order, status = desk.book.open.get(event.client_order_id), _CLOSES[type(event)]
    if order is None or status not in NEXT[order.status]:
        return
    desk.done(order.client_order_id)
    desk.book.put(order.to(status, pending=PendingChange.NONE))
    standing = desk.standings.get((order.ledger, order.symbol))
    is_wished = order.pending is PendingChange.CANCEL
    if standing is not None and order.leg.is_protective and not is_wished:
        # Asking again at once could go on for ever. A person must hear of it.
        standing.is_guarded, standing.is_bare = False, True
        message = f"The protective order on {order.symbol} is gone: {event.reason}"
        _note(desk, order, "unprotected", Severity.CRITICAL, message, event.at)
    if standing is not None and standing.waits:
        pursue(desk, standing, event.at)
    protect(desk, order.ledger, order.symbol, event.at)


def on_filled(desk: Desk, event: OrderFilled) -> None:
    execution, book = event.execution, desk.book
    order = _known(desk, execution.client_order_id)
    if not _is_new(desk, execution):
        return
    if order is not None:
        order = _with_fill(desk, order, execution)
        book.put(order)
        if not order.is_open:
            desk.done(order.client_order_id)
    position, trade = book.apply(execution, order)
    desk.emit(
        PositionChanged(
            position=position,
            ledger_cash=book.ledgers[position.ledger].cash,
            account_cash=book.cash,
            at=execution.at,
        )
    )
    if trade is not None:
        desk.emit(TradeClosed(trade=trade))
    if order is not None:
        _after_fill(desk, order, execution.at)


def _after_fill(desk: Desk, order: Order, at: datetime) -> None:
    standing = desk.standings.get((order.ledger, order.symbol))
    if standing is None:
        return
    if order.leg.is_protective:
        protective_fill(desk, standing, order, at)
    else:
        standing.is_live = standing.is_live or not standing.is_once
        if standing.waits:
            pursue(desk, standing, at)
        else:
            settle(desk, standing, at)
    protect(desk, order.ledger, order.symbol, at)


def _with_fill(desk: Desk, order: Order, execution: Execution) -> Order:
    if order.status is S.APPROVED:
        order = order.to(S.SUBMITTED)
    if order.status is S.FILLED:
        _note_late(desk, order, "filled beyond its quantity", execution.at)
        filled = order.filled_quantity + execution.quantity
        return msgspec.structs.replace(order, filled_quantity=filled)
    if not order.is_open:
        _note_late(desk, order, "filled", execution.at)
    return order.filled(execution)


def _known(desk: Desk, client_order_id: str) -> Order | None:
    record = desk.book.records.get(client_order_id)
    return record.order if record else None


def _is_new(desk: Desk, execution: Execution) -> bool:
    """Remember the fill; False when it was remembered before."""
    record = desk.book.records.get(execution.client_order_id)
    if record is None:
        is_new = execution.execution_id not in desk.book.foreign
        desk.book.foreign[execution.execution_id] = None
        return is_new
    if execution.execution_id in record.executions:
        return False
    record.executions.append(execution.execution_id)
    return True


def _note_late(desk: Desk, order: Order, what: str, at: datetime) -> None:
    message = f"Order {order.client_order_id} was {order.status} and is now {what}."
    _note(desk, order, "late_fact", Severity.WARNING, message, at)


def _note(
    desk: Desk, order: Order, kind: str, severity: Severity, message: str, at: datetime
) -> None:
    deployment_id = deployment_of(order.ledger)
    if deployment_id is not None:
        desk.emit(
            StrategyNoted(
                deployment_id=deployment_id, kind=kind, severity=severity, message=message, at=at
            )
        )
