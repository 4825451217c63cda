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
            return _holding(case)
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
    total = sum((one.quantity for one in listed), ZERO)
    if total == order.filled_quantity:
        return _busted(desk, record, listed, case)
    if case.is_asked and order.filled_quantity > record.order.filled_quantity:
        return (OrderFilled(execution=_inferred(record.order, order, case.at)),)
    return ()


def _busted(desk: Desk, record: Record, listed: list[Execution], case: Case) -> tuple[Input, ...]:
    """The broker's list is whole: what we have beside it was taken back."""
    whole = {one.execution_id for one in listed}
    busts = [
        ExecutionBusted(
            broker=booked.execution.broker if (booked := desk.fills.find(one)) else case.broker,
            execution_id=one,
            client_order_id=record.order.client_order_id,
            reason="the broker does not list it any more",
            at=case.at,
        )
        for one in record.executions
        if one not in whole and one not in desk.voided
    ]
    new = [
        OrderFilled(execution=one) for one in listed if one.execution_id not in record.executions
    ]
    return (*busts, *new)


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
