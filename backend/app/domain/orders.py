"""What we ask of a broker, and the only ways an order may change."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from app.core.errors import InvalidTransition
from app.domain.executions import Execution

ZERO: Final = Decimal(0)
_PRECISION: Final = Decimal("0.00000001")


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
"""What waits until the price touches a stop."""

PRICES: Final = {
    "limit_price": frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT}),
    "stop_price": frozenset({OrderType.STOP, OrderType.STOP_LIMIT}),
    "trail": frozenset({OrderType.TRAILING_STOP}),
}
"""The prices that somebody names, and the types that need them; no other type has them."""


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


AT_ONCE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
"""Filled at the next print or not at all."""


class Leg(StrEnum):
    """Why an order exists. Protective legs never count as "on its way"."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    FLATTEN = "flatten"

    @property
    def is_protective(self) -> bool:
        return self in PROTECTIVE


PROTECTIVE: Final = frozenset({Leg.STOP_LOSS, Leg.TAKE_PROFIT})


class OrderStatus(StrEnum):
    APPROVED = "approved"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


S = OrderStatus
_CLOSING: Final = frozenset({S.FILLED, S.CANCELED, S.EXPIRED})
NEXT: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    S.APPROVED: frozenset({S.SUBMITTED, S.CANCELED}),
    S.SUBMITTED: _CLOSING | {S.ACCEPTED, S.UNKNOWN, S.PARTIALLY_FILLED, S.REJECTED},
    S.UNKNOWN: _CLOSING | {S.ACCEPTED, S.PARTIALLY_FILLED, S.REJECTED},
    S.ACCEPTED: _CLOSING | {S.PARTIALLY_FILLED, S.REJECTED},
    S.PARTIALLY_FILLED: _CLOSING | {S.PARTIALLY_FILLED},
}
"""The order life cycle as one table. A status without a row is closed."""

REOPEN: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    S.REJECTED: frozenset({S.ACCEPTED}),
    S.CANCELED: frozenset({S.PARTIALLY_FILLED, S.FILLED}),
    S.EXPIRED: frozenset({S.PARTIALLY_FILLED, S.FILLED}),
    S.FILLED: frozenset({S.PARTIALLY_FILLED}),
}
"""Only a broker's late fact travels these edges, and it raises an alert."""

_AFTER: Final = {s: NEXT.get(s, frozenset()) | REOPEN.get(s, frozenset()) for s in S}
_FILLING: Final = frozenset({S.PARTIALLY_FILLED, S.FILLED})
_BETWEEN: Final = {
    S.APPROVED: (S.SUBMITTED, NEXT[S.SUBMITTED] - {S.UNKNOWN}),
    S.REJECTED: (S.ACCEPTED, _FILLING),
}
"What a report passes over without saying so, the submission or the late acceptance: on its way to."
OPEN: Final = frozenset(NEXT)
CLOSED: Final = frozenset(S) - OPEN
HEARD: Final = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED})
"The broker has said that it has the order."


def steps(now: OrderStatus, then: OrderStatus) -> tuple[OrderStatus, ...]:
    """The edges by which a broker's report moves an order from `now` to `then`; () if none lead.

    A fill of an order that we think was never sent, or was rejected, tells of two changes at once;
    the rejection of one that has filled in part ends what is left of it.
    """
    if then in _AFTER[now]:
        return (then,)
    if now is S.PARTIALLY_FILLED and then is S.REJECTED:
        return (S.CANCELED,)
    between, known = _BETWEEN.get(now, (None, _FILLING))
    return (between, then) if between is not None and then in known else ()


class PendingChange(StrEnum):
    """An unanswered request to the broker about an open order: an attribute, not a status."""

    NONE = "none"
    CANCEL = "cancel"
    REPLACE = "replace"


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an order meets the market: type, prices and life time."""

    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    "Of a trailing stop: where it stands at first."
    trail: Decimal | None = None
    "Of a trailing stop alone: how far behind the best price it stays, in money."
    time_in_force: TimeInForce = TimeInForce.DAY


class OrderChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a replace makes of an order, whole. `quantity` is the total: fills before it count."""

    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request to a broker. `quantity` is positive; `side` is the direction; money is Decimal."""

    client_order_id: str
    ledger: str
    signal_id: str
    symbol: str
    side: Side
    quantity: Decimal
    leg: Leg
    at: datetime
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    group_id: str | None = None
    attempt: int = 1
    status: OrderStatus = OrderStatus.APPROVED
    filled_quantity: Decimal = ZERO
    average_price: Decimal | None = None
    broker_order_id: str | None = None
    pending: PendingChange = PendingChange.NONE
    expires_at: datetime | None = None
    trail: Decimal | None = None
    "Distance in money of a trailing stop; `stop_price` is where it stood at first."
    is_held: bool = False
    "Not at the broker, who cannot have it: we watch the price, and only while we run."
    wanted: OrderChange | None = None
    "What the order becomes when the broker says yes to a replace."
    submitted_at: datetime | None = None
    "When it was written to the wire, so far as we know."

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def remaining_quantity(self) -> Decimal:
        return self.quantity - self.filled_quantity

    @property
    def signed_remaining(self) -> Decimal:
        return self.remaining_quantity if self.side is Side.BUY else -self.remaining_quantity

    @property
    def most_remaining(self) -> Decimal:
        """Shares that may still fill, also when a replace that is under way succeeds."""
        wanted = self.wanted
        if wanted is not None and wanted.quantity > self.quantity:
            return wanted.quantity - self.filled_quantity
        return self.quantity - self.filled_quantity

    @property
    def only_shrinks(self) -> bool:
        """Whether the change that is asked for is a cancel of a part: it passes while halted."""
        wanted = self.wanted
        return (
            wanted is not None
            and wanted.quantity < self.quantity
            and wanted == msgspec.structs.replace(self.change, quantity=wanted.quantity)
        )

    @property
    def change(self) -> OrderChange:
        """Its quantity and prices as they are."""
        return OrderChange(
            quantity=self.quantity,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            trail=self.trail,
        )

    def changed(self, change: OrderChange) -> "Order":
        """This order with another quantity and other prices; nothing is wanted any more."""
        return msgspec.structs.replace(
            self,
            quantity=change.quantity,
            limit_price=change.limit_price,
            stop_price=change.stop_price,
            trail=change.trail,
            wanted=None,
        )

    def to(self, status: OrderStatus, **changes: object) -> "Order":
        """This order in `status`. Raises InvalidTransition along a missing edge."""
        if status not in _AFTER[self.status]:
            raise InvalidTransition(
                f"Order {self.client_order_id} is {self.status}; it cannot become {status}."
            )
        return msgspec.structs.replace(self, status=status, **changes)

    def filled(self, execution: Execution) -> "Order":
        """This order after one more fill; the average price is weighted by quantity."""
        filled = self.filled_quantity + execution.quantity
        average = execution.price
        if self.average_price is not None:
            spent = self.average_price * self.filled_quantity + average * execution.quantity
            average = (spent / filled).quantize(_PRECISION)
        return self.to(
            S.FILLED if filled >= self.quantity else S.PARTIALLY_FILLED,
            filled_quantity=filled,
            average_price=average,
        )

    def corrected(
        self, before: Execution, after: Execution | None, fills: Sequence[Execution] = ()
    ) -> "Order":
        """This order with fill `before` taken back, or replaced by `after`; `fills` are those left.

        One that is not full any more is open again for what it lacks, unless it was ended.
        """
        filled = self.filled_quantity - before.quantity
        spent = (self.average_price or ZERO) * self.filled_quantity - before.price * before.quantity
        if after is not None:
            filled, spent = filled + after.quantity, spent + after.price * after.quantity
        if filled == sum((one.quantity for one in fills), ZERO):
            # All of them are known: their average is exact.
            spent = sum((one.quantity * one.price for one in fills), ZERO)
        average = (spent / filled).quantize(_PRECISION) if filled else None
        order = msgspec.structs.replace(self, filled_quantity=filled, average_price=average)
        if order.status is S.FILLED and filled < order.quantity:
            return order.to(S.PARTIALLY_FILLED)
        if order.status is S.PARTIALLY_FILLED and filled >= order.quantity:
            return order.to(S.FILLED)
        return order

    def with_rest(self, quantity: Decimal) -> "Order":
        """This order, taken over when a part of it was filled, with so much less of that part."""
        order = msgspec.structs.replace(self, quantity=self.quantity + quantity)
        return order.to(S.PARTIALLY_FILLED) if order.status is S.FILLED else order

    def at_status(self, then: OrderStatus, **changes: object) -> "Order | None":
        """This order as a broker's report leaves it; None when no edges lead there."""
        path = steps(self.status, then)
        if not path:
            return None
        order = self
        for status in path[:-1]:
            order = order.to(status)
        return order.to(path[-1], **changes)


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as the broker has it; `client_order_id` is None where it was not made through us."""

    broker_order_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    status: OrderStatus
    "Never approved, submitted or unknown: the broker has it, or had it."
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    filled_quantity: Decimal = ZERO
    average_price: Decimal | None = None
    at: datetime | None = None
    "When the broker took it, where it says so."
    reason: str | None = None
    "What the broker said of a rejection, cancellation or expiry."
    trail: Decimal | None = None

    @property
    def identity(self) -> str:
        """What we call it: our own id, or one made of the broker's."""
        return self.client_order_id or foreign_id(self.broker_order_id)

    @property
    def change(self) -> OrderChange:
        """Its quantity and prices, to compare with what was asked for."""
        return OrderChange(
            quantity=self.quantity,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            trail=self.trail,
        )

    def adopted(self, ledger: str, held: Decimal, at: datetime) -> Order:
        """What is left of it as an order of `ledger`, which holds `held` of the symbol.

        One that lacks a price of its type counts as an order at the market.
        """
        needs = [name for name, types in PRICES.items() if self.type in types]
        is_whole = all(getattr(self, name) is not None for name in needs)
        prices = {name: getattr(self, name) for name in needs} if is_whole else {}
        return Order(
            client_order_id=self.identity,
            ledger=ledger,
            signal_id=f"seen-{self.identity}",
            symbol=self.symbol,
            side=self.side,
            quantity=self.quantity - self.filled_quantity,
            leg=Leg.ENTRY if held * self.side.sign >= 0 else Leg.EXIT,
            at=at,
            type=self.type if is_whole else OrderType.MARKET,
            time_in_force=self.time_in_force,
            status=S.ACCEPTED,
            broker_order_id=self.broker_order_id,
            **prices,
        )


def foreign_id(broker_order_id: str) -> str:
    """What we call an order that was made without any client id: also in fills and cancels of it.

    >>> foreign_id("904837e3")
    'external-904837e3'
    """
    return f"external-{broker_order_id}"
