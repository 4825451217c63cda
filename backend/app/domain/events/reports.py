"""Inputs from a broker: what became of our orders, and what it has that our books have not."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from app.domain.events.base import Fact
from app.domain.executions import Execution
from app.domain.orders import BrokerOrder, OrderChange, OrderType, TimeInForce


class OrderSubmitted(Fact, frozen=True, kw_only=True):
    """Committed just before the wire is written: from here on the broker may have it."""

    client_order_id: str
    at: datetime


class OrderAccepted(Fact, frozen=True, kw_only=True):
    client_order_id: str
    broker_order_id: str
    at: datetime


class OrderRejected(Fact, frozen=True, kw_only=True):
    """The broker's definite no (ours is OrderDenied)."""

    client_order_id: str
    reason: str
    at: datetime


class OrderUnknown(Fact, frozen=True, kw_only=True):
    """Anything ambiguous: counts against every limit until the broker is asked again."""

    client_order_id: str
    reason: str
    at: datetime


class OrderCanceled(Fact, frozen=True, kw_only=True):
    client_order_id: str
    reason: str
    at: datetime
    is_unsent: bool = False
    "It certainly never reached the broker, and what it was for is still wanted."


class OrderExpired(Fact, frozen=True, kw_only=True):
    client_order_id: str
    reason: str
    at: datetime


class OrderFilled(Fact, frozen=True, kw_only=True):
    execution: Execution


class OrderReplaced(Fact, frozen=True, kw_only=True):
    """The broker changed the order: these are its quantity (fills before count) and prices now."""

    client_order_id: str
    broker_order_id: str
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    at: datetime

    @property
    def change(self) -> OrderChange:
        """Quantity and prices."""
        return OrderChange(
            quantity=self.quantity,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            trail=self.trail,
        )


class ChangeRejected(Fact, frozen=True, kw_only=True):
    """A definite no to a cancel or a replace: the order is as it was before."""

    client_order_id: str
    change: Literal["cancel", "replace"]
    reason: str
    at: datetime


class ExecutionBusted(Fact, frozen=True, kw_only=True):
    """The broker took a fill back: it never was."""

    broker: str
    execution_id: str
    client_order_id: str
    reason: str
    at: datetime


class ExecutionCorrected(Fact, frozen=True, kw_only=True):
    """`execution` stands in the place of the one with the id `corrects`, under an id of its own."""

    execution: Execution
    corrects: str
    reason: str
    at: datetime


class OrderSeen(Fact, frozen=True, kw_only=True):
    """The broker has an order that our books had not: from now on it is one of `ledger`.

    `order.filled_quantity` is what was filled without an execution of it being told to us; only
    the rest of the order is taken over.
    """

    order: BrokerOrder
    ledger: str
    at: datetime

    @property
    def client_order_id(self) -> str:
        return self.order.identity


class HoldingSeen(Fact, frozen=True, kw_only=True):
    """The broker holds `quantity` (signed, whole) of a symbol, and no order explains it.

    What our books had less or more goes to the ledger `external`: saying it twice changes nothing.
    """

    symbol: str
    quantity: Decimal
    average_price: Decimal | None = None
    "What was paid on average, where the broker says so."
    reason: str
    at: datetime


class CashSeen(Fact, frozen=True, kw_only=True):
    """The broker counts `cash`; what our books had less or more is booked as a cash movement.

    Saying it twice changes nothing. `is_flow`: somebody paid in or out, so that gains and losses
    are measured anew from there; else it is a cost or interest of the broker's.
    """

    cash: Decimal
    currency: str = "USD"
    is_flow: bool = False
    reason: str
    at: datetime


class Difference(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that the broker's books and ours do not agree on, and nothing explains."""

    kind: str
    "One of `engine.reconciliation.Kind`."
    subject: str
    "The order, the symbol, or the account's currency."
    ours: str
    theirs: str
    detail: str
    "A sentence for people."


class OrdersElsewhere(Fact, frozen=True, kw_only=True):
    """Open orders, protective ones aside, of the user's other accounts; they share one limit."""

    count: int
    at: datetime


class InstrumentSeen(Fact, frozen=True, kw_only=True):
    """What limits ask about a symbol, from here on; `sector` None: unknown."""

    symbol: str
    sector: str | None
    shortable: bool
    "Whether the broker lends it now."
    at: datetime


class FundsSeen(Fact, frozen=True, kw_only=True):
    """What the broker lets the account spend, its open orders taken off; None: it does not say."""

    buying_power: Decimal | None
    settled_cash: Decimal | None = None
    at: datetime


class AbilitiesSeen(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """What the account's broker can do by itself, from now on: we hold the rest.

    Journaled, so that the stream alone explains what was held (`domain.ports.BrokerAbilities`).
    """

    order_types: tuple[OrderType, ...]
    times_in_force: tuple[TimeInForce, ...]
    can_replace: bool
    links_orders: bool
    takes_both_sides: bool = True
    at: datetime


class Reconciled(Fact, frozen=True, kw_only=True):
    """The broker's books were compared with ours; `differences` is what could not be explained."""

    at: datetime
    open_orders: int
    positions: int
    differences: tuple[str, ...] = ()
    found: tuple[Difference, ...] = ()
    "Those of the differences that are the broker's and not our own."
    may_resume: bool = False
    "Whether trading goes on by itself once nothing is left unexplained."
