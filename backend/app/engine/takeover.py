"""What becomes of a certain difference: the input that takes the broker's side, or none. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.deployments import EXTERNAL
from app.domain.events import (
    CashSeen,
    Difference,
    ExecutionBusted,
    HoldingSeen,
    Input,
    OrderCanceled,
    OrderFilled,
    OrderSeen,
)
from app.domain.executions import Execution
from app.domain.fills import BookedFill
from app.domain.flattening import ledger_of
from app.domain.orders import BrokerOrder, Order
from app.domain.ports import BrokerBook
from app.engine.desk import Desk
from app.engine.reconciliation import Choice, Kind, Policy
from app.risk.book import Record

ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
INFERRED: Final = "-inferred-"
"In the id of a fill that a person had booked because the broker no longer knows its executions."


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A certain difference, with what is needed to decide about it."""

    one: Difference
    theirs: BrokerBook
    policy: Policy
    is_asked: bool
    "A person said: what the broker has is right."
    currency: str
    broker: str
    at: datetime


def taken(desk: Desk, case: Case) -> tuple[Input, ...]:
    """What makes our books as the broker's; empty where only a person may decide."""
    match case.one.kind:
        case Kind.POSITION:
            return _taken_back(desk, case) or _holding(case)
        case Kind.CASH:
            return _cash(desk, case)
        case Kind.FILLS:
            return _fills(desk, case)
        case Kind.MISSING_ORDER if case.is_asked:
            reason = "the broker has no such order, and a person said so"
            return (OrderCanceled(client_order_id=case.one.subject, reason=reason, at=case.at),)
        case _:
            return ()


def _holding(case: Case) -> tuple[Input, ...]:
    held = case.theirs.positions or {}
    # A broker that suddenly holds nothing at all is more likely to be wrong than to be right.
    is_believed = bool(held) or case.is_asked
    if case.policy.positions is Choice.FLAG or not is_believed:
        return ()
    symbol = case.one.subject
    return (
        HoldingSeen(
            symbol=symbol,
            quantity=held.get(symbol, ZERO),
            average_price=case.theirs.average_prices.get(symbol),
            reason="held at the broker",
            at=case.at,
        ),
    )


def _taken_back(desk: Desk, case: Case) -> tuple[Input, ...]:
    """Fills that the broker's whole list lacks, where they are the difference to the last share.

    Not where it still counts them for an order that it lists. Of other orders nothing is left.
    """
    gone = _unlisted(desk, case)
    if not gone or sum((one.signed_quantity for one in gone), ZERO) != _too_much(case.one):
        return ()
    told: list[Input] = [_bust(one.client_order_id, one.execution_id, case) for one in gone]
    reason = "the broker has nothing of it any more"
    for identity in dict.fromkeys(one.client_order_id for one in gone):
        order = _order(case.theirs, identity)
        if order is not None and order.filled_quantity != _listed(case.theirs, identity):
            return ()
        if order is None and identity in desk.book.records:
            told.append(OrderCanceled(client_order_id=identity, reason=reason, at=case.at))
    return tuple(told)


def _unlisted(desk: Desk, case: Case) -> list[Execution]:
    """Fills of the symbol in our books that would be in the broker's list if they counted."""
    since = case.theirs.complete_since
    listed = {one.execution_id for one in case.theirs.executions}
    # The same fill may have another id by now: that of its commission, or of a new process.
    values = {_values(one) for one in case.theirs.executions}
    return [
        one
        for one in desk.fills.of_symbol(case.one.subject)
        if since is not None and one.at >= since and one.broker == case.broker
        if one.execution_id not in listed and _values(one) not in values
    ]


def _listed(theirs: BrokerBook, identity: str) -> Decimal:
    found = (one.quantity for one in theirs.executions if one.client_order_id == identity)
    return sum(found, ZERO)


def _values(one: Execution) -> tuple[str, Decimal, Decimal]:
    return one.client_order_id, one.quantity, one.price


def _too_much(one: Difference) -> Decimal:
    """Shares that we count and the broker does not."""
    return Decimal(one.ours) - Decimal(one.theirs)


def explained(desk: Desk, one: Difference) -> Difference:
    """The difference with what may be its reason, for the person who looks at it."""
    fills = desk.fills.of_symbol(one.subject) if one.kind == Kind.POSITION else []
    found = next((f for f in fills if f.signed_quantity == _too_much(one)), None)
    if found is None:
        return one
    may = f"Fill {found.execution_id} may have been taken back by the broker meanwhile."
    return msgspec.structs.replace(one, detail=f"{one.detail} {may}")


def _cash(desk: Desk, case: Case) -> tuple[Input, ...]:
    counted = case.theirs.cash
    if counted is None:
        return ()
    amount = abs(counted - desk.book.cash)
    is_flow = amount > max(_ONE, case.policy.cash_tolerance * abs(desk.book.equity))
    if is_flow and case.policy.cash is Choice.FLAG:
        return ()
    reason = "paid in or out at the broker" if is_flow else "costs or interest of the broker"
    return (
        CashSeen(cash=counted, currency=case.currency, is_flow=is_flow, reason=reason, at=case.at),
    )


def adoption(theirs: BrokerOrder, before: Decimal, at: datetime) -> OrderSeen:
    """Somebody else's order becomes one of the book; `before` of it was filled before that."""
    rest = msgspec.structs.replace(theirs, filled_quantity=before)
    ledger = ledger_of(theirs.client_order_id or "") or EXTERNAL
    return OrderSeen(order=rest, ledger=ledger, at=at)


def _fills(desk: Desk, case: Case) -> tuple[Input, ...]:
    """Fills that the broker took back while nobody listened; or, asked for, those it forgot.

    Of an order that is not ours: its fills were waited for in vain, and it is taken over.
    """
    record = desk.book.records.get(case.one.subject)
    order = _order(case.theirs, case.one.subject)
    if order is None:
        return ()
    if record is None:
        return (adoption(order, order.filled_quantity, case.at),)
    listed = [one for one in case.theirs.executions if one.client_order_id == case.one.subject]
    if _listed(case.theirs, case.one.subject) == order.filled_quantity:
        return _busted(desk, record, listed, case)
    if case.is_asked and order.filled_quantity > record.order.filled_quantity:
        return (OrderFilled(execution=_inferred(record.order, order, case.at)),)
    return ()


def _busted(desk: Desk, record: Record, listed: list[Execution], case: Case) -> tuple[Input, ...]:
    """The broker's list is whole: what we have beside it was taken back."""
    whole = {one.execution_id for one in listed}
    busts = [
        _bust(record.order.client_order_id, one, case, desk.fills.find(one))
        for one in record.executions
        if one not in whole and one not in desk.voided
    ]
    new = [
        OrderFilled(execution=one) for one in listed if one.execution_id not in record.executions
    ]
    return (*busts, *new)


def _bust(
    client_order_id: str, execution_id: str, case: Case, booked: BookedFill | None = None
) -> ExecutionBusted:
    return ExecutionBusted(
        broker=case.broker if booked is None else booked.execution.broker,
        execution_id=execution_id,
        client_order_id=client_order_id,
        reason="the broker does not list it any more",
        at=case.at,
    )


def _inferred(order: Order, theirs: BrokerOrder, at: datetime) -> Execution:
    """One fill for all that the broker counts and lists no execution of."""
    quantity = theirs.filled_quantity - order.filled_quantity
    total = theirs.filled_quantity * (theirs.average_price or ZERO)
    known = order.filled_quantity * (order.average_price or ZERO)
    return Execution(
        execution_id=f"{order.client_order_id}{INFERRED}{theirs.filled_quantity}",
        broker="reconciliation",
        client_order_id=order.client_order_id,
        ledger=EXTERNAL,
        symbol=order.symbol,
        side=order.side.value,
        quantity=quantity,
        price=max((total - known) / quantity, ZERO).quantize(Decimal("0.00000001")),
        commission=ZERO,
        at=at,
    )


def _order(theirs: BrokerBook, identity: str) -> BrokerOrder | None:
    orders = {one.identity: one for one in (*theirs.open_orders, *theirs.closed_orders)}
    return orders.get(identity)
