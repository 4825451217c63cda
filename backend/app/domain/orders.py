"""What we ask of a broker, and the only ways an order may change."""

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


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


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
OPEN: Final = frozenset(NEXT)
CLOSED: Final = frozenset(S) - OPEN


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
    time_in_force: TimeInForce = TimeInForce.DAY


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

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def remaining_quantity(self) -> Decimal:
        return self.quantity - self.filled_quantity

    @property
    def signed_remaining(self) -> Decimal:
        return self.remaining_quantity if self.side is Side.BUY else -self.remaining_quantity

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
