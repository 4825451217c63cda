"""Our books against the broker's, as values: what to report to the engine, and what differs.

Pure. A report is a fact of the broker's that we missed; a difference is what no report explains. An
order is never closed because a list lacks it, and a fill is never made up: a broker that says that
more was filled than its executions show is asked again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.deployments import EXTERNAL
from app.domain.events import (
    BrokerReport,
    Difference,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
)
from app.domain.executions import Execution
from app.domain.orders import CLOSED, BrokerOrder, Order, OrderStatus, OrderType
from app.domain.ports import BrokerBook

ZERO: Final = Decimal(0)
S = OrderStatus
_OVER: Final = CLOSED - {S.REJECTED}
"A rejected order may live at the broker after all."
_UNTAKEN: Final = frozenset({S.APPROVED, S.SUBMITTED, S.UNKNOWN, S.REJECTED})
"Orders of which we do not know yet that the broker took them."
_LIMITED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPPED: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


class Kind(StrEnum):
    """What our books and the broker's may not agree on."""

    MISSING_ORDER = "missing_order"
    "Open here; the broker does not know it."
    ENDED_ORDER = "ended_order"
    "Over here, open at the broker."
    FOREIGN_ORDER = "foreign_order"
    "Open at the broker, made by somebody else, and the policy does not adopt it."
    FILLS = "fills"
    "Other quantities filled than the executions show."
    POSITION = "position"
    CASH = "cash"


class Choice(StrEnum):
    """What to do with what came to the broker's account without us."""

    ADOPT = "adopt"
    "Book it into the ledger `external`, and tell people."
    FLAG = "flag"
    "Only reductions until a person has looked."


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """An account's answer to what other people and programs do at its broker."""

    foreign_orders: Choice = Choice.ADOPT
    positions: Choice = Choice.FLAG
    "Holdings that no execution explains."
    cash: Choice = Choice.FLAG
    "Cash that is too much for a fee: somebody paid in or out."
    cash_tolerance: Decimal = Decimal("0.0005")
    "Fees and interest of up to this part of the equity are booked without asking."
    resume: bool = False
    "Trade on by ourselves once a difference is explained."

    def __post_init__(self) -> None:
        if not 0 <= self.cash_tolerance <= 1:
            raise ValueError("cash_tolerance is a fraction of the equity, from 0 to 1")

    @property
    def adopting(self) -> "Policy":
        """As if a person had said: what the broker has is right."""
        whole = {"foreign_orders": Choice.ADOPT, "positions": Choice.ADOPT, "cash": Choice.ADOPT}
        return msgspec.structs.replace(self, **whole)


class Matched(msgspec.Struct, frozen=True):
    """One order here and at the broker: what we missed, and the quantity still unaccounted for."""

    reports: tuple[BrokerReport, ...]
    lacking: Decimal = ZERO
    "Positive: filled at the broker without an execution; negative: filled here alone."


def is_over(order: Order, theirs: BrokerOrder) -> bool:
    """Whether the order has ended here and there, filled alike: nothing is left to be told."""
    if order.status not in _OVER or theirs.status not in CLOSED:
        return False
    return theirs.filled_quantity == order.filled_quantity + base_of(order, theirs)


def match(
    order: Order,
    theirs: BrokerOrder,
    fills: Iterable[Execution],
    at: datetime,
    *,
    base: Decimal = ZERO,
) -> Matched:
    """What the broker's version of one order tells that ours has not heard.

    `fills` are its executions that are new to us; `base` is what was filled of it before it was
    ours. An end is told only when every fill before it is here.
    """
    found: list[BrokerReport] = []
    if order.status in _UNTAKEN and theirs.status is not S.REJECTED:
        number = theirs.broker_order_id
        found.append(
            OrderAccepted(client_order_id=order.client_order_id, broker_order_id=number, at=at)
        )
    new = list(fills)
    owed = theirs.filled_quantity - base - order.filled_quantity
    if new and owed <= 0:
        # Ours are full without them: they stand in the place of others, which is not certain yet.
        return Matched(tuple(found), owed - sum((one.quantity for one in new), ZERO))
    found += [OrderFilled(execution=execution) for execution in new]
    filled = order.filled_quantity + sum((one.quantity for one in new), ZERO)
    lacking = theirs.filled_quantity - base - filled
    if not lacking:
        found += _end(order, theirs, at)
        # Filled at the broker and not here: a change that made it smaller was never heard of.
        is_smaller = theirs.status is S.FILLED and order.is_open and filled < order.quantity
        if (theirs.status not in CLOSED or is_smaller) and is_changed(order, theirs, base):
            found.append(_replaced(order, theirs, base, at))
    return Matched(tuple(found), lacking)


def _end(order: Order, theirs: BrokerOrder, at: datetime) -> Iterator[BrokerReport]:
    identity, reason = order.client_order_id, theirs.reason or f"{theirs.status} at the broker"
    if not order.is_open:
        return
    if theirs.status is S.CANCELED:
        yield OrderCanceled(client_order_id=identity, reason=reason, at=at)
    elif theirs.status is S.EXPIRED:
        yield OrderExpired(client_order_id=identity, reason=reason, at=at)
    elif theirs.status is S.REJECTED:
        yield OrderRejected(client_order_id=identity, reason=reason, at=at)


def is_changed(order: Order, theirs: BrokerOrder, base: Decimal = ZERO) -> bool:
    """Whether the broker's order has another quantity or price, of those that its type has."""
    if theirs.quantity - base != order.quantity:
        return True
    if order.type in _LIMITED and theirs.limit_price != order.limit_price:
        return True
    if order.type is OrderType.TRAILING_STOP and theirs.trail is not None:
        return theirs.trail != order.trail
    return order.type in _STOPPED and theirs.stop_price != order.stop_price


def _replaced(order: Order, theirs: BrokerOrder, base: Decimal, at: datetime) -> OrderReplaced:
    return OrderReplaced(
        client_order_id=order.client_order_id,
        broker_order_id=theirs.broker_order_id,
        quantity=theirs.quantity - base,
        limit_price=theirs.limit_price if order.type in _LIMITED else order.limit_price,
        stop_price=theirs.stop_price if order.type in _STOPPED else order.stop_price,
        trail=order.trail if theirs.trail is None else theirs.trail,
        at=at,
    )


def base_of(order: Order, theirs: BrokerOrder) -> Decimal:
    """What was filled of an adopted order before it was ours: it is the rest that we took over.

    Not what came to light only later: it fills the order beyond that rest.
    """
    if order.ledger != EXTERNAL:
        return ZERO
    beyond = max(order.filled_quantity - order.quantity, ZERO)
    return max(theirs.quantity - order.quantity - beyond, ZERO)


# --------------------------------------------------------------------------------- differences


def missing_order(order: Order) -> Difference:
    """Open here, and the broker says that there is no such order."""
    return Difference(
        kind=Kind.MISSING_ORDER,
        subject=order.client_order_id,
        ours=order.status,
        theirs="unknown",
        detail=f"Order {order.client_order_id} is {order.status} here; the broker has none.",
    )


def ended_order(order: Order, theirs: BrokerOrder) -> Difference:
    """Over here, and still open at the broker."""
    return Difference(
        kind=Kind.ENDED_ORDER,
        subject=order.client_order_id,
        ours=order.status,
        theirs=theirs.status,
        detail=f"Order {order.client_order_id} is {order.status} here and open at the broker.",
    )


def foreign_order(theirs: BrokerOrder) -> Difference:
    """Somebody else's order on our account."""
    what = f"{theirs.side} {plain(theirs.quantity)} {theirs.symbol}"
    return Difference(
        kind=Kind.FOREIGN_ORDER,
        subject=theirs.identity,
        ours="none",
        theirs=what,
        detail=f"Order {theirs.identity} ({what}) is open at the broker and was not made here.",
    )


def lacking_fills(order: Order, theirs: BrokerOrder) -> Difference:
    """The broker counts other fills than it, or we, have executions of."""
    ours, other = plain(order.filled_quantity), plain(theirs.filled_quantity)
    return Difference(
        kind=Kind.FILLS,
        subject=order.client_order_id,
        ours=ours,
        theirs=other,
        detail=f"Order {order.client_order_id}: {ours} filled here, {other} at the broker.",
    )


def unlisted_fills(theirs: BrokerOrder, listed: Decimal) -> Difference:
    """The broker counts more fills of somebody else's order than it lists executions of."""
    ours, other = plain(listed), plain(theirs.filled_quantity)
    return Difference(
        kind=Kind.FILLS,
        subject=theirs.identity,
        ours=ours,
        theirs=other,
        detail=f"Order {theirs.identity}: {ours} of {other} filled are listed by the broker.",
    )


def positions(
    net: Mapping[str, Decimal], theirs: Mapping[str, Decimal], excused: frozenset[str]
) -> list[Difference]:
    """Symbols whose holdings differ, but those that something else explains."""
    symbols = sorted((net.keys() | theirs.keys()) - excused)
    return [
        Difference(
            kind=Kind.POSITION,
            subject=symbol,
            ours=plain(net.get(symbol, ZERO)),
            theirs=plain(theirs.get(symbol, ZERO)),
            detail=f"{symbol}: {plain(net.get(symbol, ZERO))} held here,"
            f" {plain(theirs.get(symbol, ZERO))} at the broker.",
        )
        for symbol in symbols
        if net.get(symbol, ZERO) != theirs.get(symbol, ZERO)
    ]


def cash(ours: Decimal, theirs: Decimal, currency: str) -> Difference | None:
    """Cash that differs by a cent or more: brokers round, and we do not."""
    if abs(theirs - ours) < Decimal("0.01"):
        return None
    return Difference(
        kind=Kind.CASH,
        subject=currency,
        ours=plain(ours),
        theirs=plain(theirs),
        detail=f"Cash: {plain(ours)} {currency} here, {plain(theirs)} at the broker.",
    )


def sentences(found: Sequence[Difference]) -> tuple[str, ...]:
    """For people."""
    return tuple(one.detail for one in found)


def plain(value: Decimal) -> str:
    """Without trailing zeros or an exponent.

    >>> plain(Decimal("100.00")), plain(Decimal("-0.50"))
    ('100', '-0.5')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def differences(ours: list[Order], book: BrokerBook) -> tuple[str, ...]:
    """What neither an answer still to come nor a resubmission explains; empty when all agrees."""
    mine = {order.client_order_id: order for order in ours}
    theirs = {order.identity: order for order in book.open_orders}
    found = [foreign_order(one) for identity, one in theirs.items() if identity not in mine]
    for identity, order in mine.items():
        other = theirs.get(identity)
        if other is not None and other.filled_quantity != order.filled_quantity:
            found.append(lacking_fills(order, other))
        elif other is None and order.status in (S.ACCEPTED, S.PARTIALLY_FILLED):
            found.append(missing_order(order))
    return sentences(found)
