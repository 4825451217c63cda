"""What the broker says about our orders, and what follows from it.

Reports come late, twice and in any order. An order moves only along the edges of its life cycle; a
fill counts once, by its id, whatever the order's state; a late fact reopens a closed order.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.deployments import TradingState, deployment_of
from app.domain.events import (
    ChangeRejected,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSeen,
    OrderSubmitted,
    OrderUnknown,
    PositionChanged,
    ProtectionLost,
    Severity,
    StrategyNoted,
    TradeClosed,
)
from app.domain.executions import Execution
from app.domain.fills import BookedFill
from app.domain.orders import HEARD, NEXT, Leg, Order, OrderChange, OrderStatus, PendingChange
from app.engine.desk import Desk
from app.engine.groups import fit_pairs, undo_excess
from app.engine.protection import protect, protective_fill
from app.engine.pursuit import pursue, settle
from app.engine.state import Standing

REJECTIONS: Final = 5
"So many orders of one deployment in a row that the broker rejects pause it."
KEEP_FILLS: Final = timedelta(days=4)
"How long a broker's bust still finds the fill; exchanges decide the same day."
S = OrderStatus
Closing = OrderCanceled | OrderExpired | OrderRejected
_CLOSES: Final = {OrderCanceled: S.CANCELED, OrderExpired: S.EXPIRED, OrderRejected: S.REJECTED}


def on_submitted(desk: Desk, event: OrderSubmitted) -> None:
    desk.done(event.client_order_id, "submit")
    order = desk.book.open.get(event.client_order_id)
    if order is not None and order.status is S.APPROVED:
        desk.book.put(order.to(S.SUBMITTED, submitted_at=event.at))


def on_accepted(desk: Desk, event: OrderAccepted) -> None:
    order = _known(desk, event.client_order_id)
    if order is None:
        return
    desk.rejections.pop(order.ledger, None)
    if order.status in (S.APPROVED, S.SUBMITTED, S.UNKNOWN, S.REJECTED):
        _accept(desk, order, event.broker_order_id, event.at)
    elif order.broker_order_id is None:
        desk.book.put(msgspec.structs.replace(order, broker_order_id=event.broker_order_id))


def _accept(desk: Desk, order: Order, broker_order_id: str, at: datetime) -> None:
    is_late = order.status is S.REJECTED
    if is_late:
        _note_late(desk, order, "accepted", at)
    desk.done(order.client_order_id, "submit")
    accepted = order.at_status(S.ACCEPTED, broker_order_id=broker_order_id) or order
    desk.book.put(accepted)
    stop_again(desk, accepted, at)
    if is_late:
        look_again(desk, accepted, at)


def look_again(desk: Desk, order: Order, at: datetime) -> None:
    """An order came back, or a fill went: what is wanted may be more or less than there is now."""
    standing = desk.standings.get((order.ledger, order.symbol))
    if standing is not None:
        standing.is_live = standing.is_live or not standing.is_once
        pursue(desk, standing, at)
    protect(desk, order.ledger, order.symbol, at)


def stop_again(desk: Desk, order: Order, at: datetime) -> None:
    """What a halt (or a reduce) would have cancelled had it known of it is cancelled now."""
    state = desk.book.trading_state
    is_wanted = order.leg.is_protective or order.leg is Leg.FLATTEN
    is_stopped = state is TradingState.HALTED and not is_wanted
    if is_stopped or (state is TradingState.REDUCING and order.leg is Leg.ENTRY):
        desk.cancel(order, f"trading is {state}", at)


def on_unknown(desk: Desk, event: OrderUnknown) -> None:
    """Nobody knows whether it arrived. A cancel that was asked for is still asked for."""
    desk.done(event.client_order_id, "submit")
    order = desk.book.open.get(event.client_order_id)
    if order is not None and S.UNKNOWN in NEXT[order.status]:
        desk.book.put(order.to(S.UNKNOWN))


def on_closed(desk: Desk, event: Closing) -> None:
    """Canceled, expired or rejected."""
    order = desk.book.open.get(event.client_order_id)
    closed = order and order.at_status(
        _CLOSES[type(event)], pending=PendingChange.NONE, wanted=None
    )
    if order is None or closed is None:
        return
    desk.done(order.client_order_id)
    desk.book.put(closed)
    standing = desk.standings.get((order.ledger, order.symbol))
    is_unsent = isinstance(event, OrderCanceled) and event.is_unsent
    is_wished = order.pending is PendingChange.CANCEL
    if isinstance(event, OrderRejected):
        _count_rejection(desk, order, event.reason, event.at)
    if standing is not None and is_unsent and not is_wished:
        _try_again(desk, standing, order, event.at)
    elif standing is not None and order.leg.is_protective and not is_wished:
        # Asking again at once could go on for ever. A person must hear of it.
        standing.is_guarded, standing.is_bare = False, True
        _tell_bare(desk, order, event.reason, event.at)
    if standing is not None and standing.waits:
        pursue(desk, standing, event.at)
    protect(desk, order.ledger, order.symbol, event.at)


def _tell_bare(desk: Desk, order: Order, reason: str, at: datetime) -> None:
    """A protective order is gone: a deployment notes it, of a person's position it is an event."""
    message = f"The protective order on {order.symbol} is gone: {reason}"
    note(desk, order, "unprotected", Severity.CRITICAL, message, at)
    held = desk.book.held(order.ledger, order.symbol)
    if held and deployment_of(order.ledger) is None:
        desk.emit(
            ProtectionLost(
                ledger=order.ledger,
                symbol=order.symbol,
                client_order_id=order.client_order_id,
                leg=order.leg,
                held=held,
                reason=reason,
                at=at,
            )
        )


def _try_again(desk: Desk, standing: Standing, order: Order, at: datetime) -> None:
    """It never left us: what it was for is asked for anew, by hand as long as an order may take."""
    if order.leg.is_protective:
        return  # `protect` makes another one
    if standing.is_once:
        patience = timedelta(seconds=desk.book.limits.order_timeout_seconds)
        standing.is_live = standing.since is None or at - standing.since < patience
    pursue(desk, standing, at)


def _count_rejection(desk: Desk, order: Order, reason: str, at: datetime) -> None:
    """Every order rejected: that goes on unseen for days unless somebody counts."""
    count = desk.rejections.get(order.ledger, 0) + 1
    desk.rejections[order.ledger] = count
    if count == REJECTIONS:
        message = f"The broker rejected {count} orders in a row; the last: {reason}"
        note(desk, order, "all_rejected", Severity.CRITICAL, message, at)
        desk.failing[order.ledger] = message


def on_replaced(desk: Desk, event: OrderReplaced) -> None:
    """The broker changed an order, whoever asked for it."""
    order = desk.book.open.get(event.client_order_id)
    if order is None:
        return
    desk.done(order.client_order_id, "replace")
    is_asked = order.pending is PendingChange.REPLACE
    changed = msgspec.structs.replace(
        order.changed(event.change),
        pending=PendingChange.NONE if is_asked else order.pending,
        broker_order_id=event.broker_order_id or order.broker_order_id,
    )
    if changed.filled_quantity and changed.remaining_quantity <= 0:
        changed = changed.to(S.FILLED, pending=PendingChange.NONE)
        desk.done(order.client_order_id)
    elif changed.status in (S.SUBMITTED, S.UNKNOWN):
        changed = changed.to(S.ACCEPTED)
    desk.book.put(changed)
    if is_asked and order.wanted is not None and not _is_same(order.wanted, event.change):
        desk.not_changeable(changed)  # asking for the same again could go on for ever
    standing = desk.standings.get((order.ledger, order.symbol))
    if standing is not None and standing.waits:
        pursue(desk, standing, event.at)
    elif standing is not None and not order.leg.is_protective:
        settle(desk, standing, event.at)
    _fit_again(desk, changed, event.at)


def _is_same(wanted: OrderChange, told: OrderChange) -> bool:
    """Whether the broker did what was asked. Where a trailing stop stands by now it knows best."""
    if wanted.trail is not None:
        return (wanted.quantity, wanted.trail) == (told.quantity, told.trail)
    return wanted == told


def _fit_again(desk: Desk, order: Order, at: datetime) -> None:
    """More may have happened while a change was under way."""
    fit_pairs(desk, order.ledger, order.symbol, at)
    protect(desk, order.ledger, order.symbol, at)


def on_change_rejected(desk: Desk, event: ChangeRejected) -> None:
    """The order is as it was. What is still wanted of it is asked for with the next slice."""
    order = desk.book.open.get(event.client_order_id)
    if order is None:
        return
    if event.change == "replace":
        desk.done(order.client_order_id, "replace")
        is_asked = order.pending is PendingChange.REPLACE
        order = msgspec.structs.replace(
            order, wanted=None, pending=PendingChange.NONE if is_asked else order.pending
        )
    elif order.pending is PendingChange.CANCEL and order.status in HEARD:
        desk.done(order.client_order_id, "cancel")
        order = msgspec.structs.replace(order, pending=PendingChange.NONE)
    # A cancel of an order that the broker does not know (yet) is asked for again.
    desk.book.put(order)
    if event.change == "replace":
        desk.not_changeable(order)
        _fit_again(desk, order, event.at)


def on_seen(desk: Desk, event: OrderSeen) -> None:
    """An order that somebody else made at the broker is one of the book from now on."""
    seen, known = event.order, _known(desk, event.client_order_id)
    if known is not None:
        if known.status in (S.APPROVED, S.SUBMITTED, S.UNKNOWN, S.REJECTED):
            _accept(desk, known, seen.broker_order_id, event.at)
        return
    if seen.quantity <= seen.filled_quantity:
        return  # nothing is left of it; its fills tell the rest
    held = desk.book.held(event.ledger, seen.symbol)
    order = seen.adopted(event.ledger, held, event.at)
    desk.book.put(order)
    stop_again(desk, order, event.at)


def on_filled(desk: Desk, event: OrderFilled) -> None:
    """A fill counts once, whatever the state of its order, and never after it was taken back."""
    execution = event.execution
    order = _known(desk, execution.client_order_id)
    if not is_new(desk, execution.client_order_id, execution.execution_id):
        return
    if order is not None:
        desk.rejections.pop(order.ledger, None)
        order = _with_fill(desk, order, execution)
        desk.book.put(order)
        if not order.is_open:
            desk.done(order.client_order_id)
    _book(desk, execution, order)
    if order is not None:
        _after_fill(desk, order, execution)


def _book(desk: Desk, execution: Execution, order: Order | None) -> None:
    """The fill changes position and cash of a ledger."""
    book = desk.book
    ledger = order.ledger if order is not None else execution.ledger
    before = book.position(ledger, execution.symbol)
    position, trade = book.apply(execution, order)
    signal, leg = (order.signal_id, order.leg) if order is not None else (None, None)
    desk.fills.add(BookedFill(execution=execution, signal_id=signal, leg=leg, before=before))
    desk.fills.forget(execution.at - KEEP_FILLS)
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


def _after_fill(desk: Desk, order: Order, fill: Execution) -> None:
    at, key = fill.at, (order.ledger, order.symbol)
    fit_pairs(desk, *key, at)
    standing = desk.standings.get(key)
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
    undo_excess(desk, standing, order, fill)
    protect(desk, order.ledger, order.symbol, at)


def _with_fill(desk: Desk, order: Order, execution: Execution) -> Order:
    if order.status is S.FILLED:
        _note_late(desk, order, "filled beyond its quantity", execution.at)
        filled = order.filled_quantity + execution.quantity
        return msgspec.structs.replace(order, filled_quantity=filled)
    if not order.is_open:
        _note_late(desk, order, "filled", execution.at)
    if order.status is S.APPROVED:
        order = order.to(S.SUBMITTED)
    elif order.status is S.REJECTED:
        order = order.to(S.ACCEPTED)
    order = order.filled(execution)
    if order.is_open or (order.pending is PendingChange.NONE and order.wanted is None):
        return order
    return msgspec.structs.replace(order, pending=PendingChange.NONE, wanted=None)


def _known(desk: Desk, client_order_id: str) -> Order | None:
    record = desk.book.records.get(client_order_id)
    return record.order if record else None


def is_known(desk: Desk, execution: Execution, execution_id: str) -> bool:
    """Whether a fill of the order of `execution` was told under that id."""
    record = desk.book.records.get(execution.client_order_id)
    return execution_id in (desk.book.foreign if record is None else record.executions)


def is_new(desk: Desk, client_order_id: str, execution_id: str) -> bool:
    """Remember the fill; False when it was remembered before, or taken back."""
    record = desk.book.records.get(client_order_id)
    is_first = execution_id not in desk.voided and execution_id not in desk.book.foreign
    if record is None:
        desk.book.foreign[execution_id] = None
        return is_first
    if execution_id in record.executions:
        return False
    record.executions.append(execution_id)
    return is_first


def _note_late(desk: Desk, order: Order, what: str, at: datetime) -> None:
    message = f"Order {order.client_order_id} was {order.status} and is now {what}."
    note(desk, order, "late_fact", Severity.WARNING, message, at)


def note(
    desk: Desk, order: Order, kind: str, severity: Severity, message: str, at: datetime
) -> None:
    """A line for people, where a deployment made the order."""
    deployment_id = deployment_of(order.ledger)
    if deployment_id is not None:
        desk.emit(
            StrategyNoted(
                deployment_id=deployment_id, kind=kind, severity=severity, message=message, at=at
            )
        )
