"""Alpaca's orders, fills and trade updates as it writes them, and what they mean to us.

An order that is replaced gets another id at Alpaca; all of them together are one order of ours,
the `chain`: the oldest first, the newest last.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.executions import Execution
from app.domain.orders import BrokerOrder, Order, OrderStatus, OrderType, Side, TimeInForce

NAME: Final = "alpaca"
LONGEST_ID: Final = 124
"Characters of a client order id: Alpaca takes 128, and four are left to tell replacements apart."
MARK: Final = "~"
"Between our client order id and the number of the replacement."
EXTERNAL: Final = "external"
ZERO: Final = Decimal(0)
S = OrderStatus

_ENDED: Final = {
    "filled": S.FILLED,
    "canceled": S.CANCELED,
    "expired": S.EXPIRED,
    "rejected": S.REJECTED,
}
OVER_FOR_TODAY: Final = frozenset({"done_for_day", "calculated"})
"A day order has no other day; one until cancelled goes on tomorrow."
_TIMES: Final = {"ioc": TimeInForce.IOC, "fok": TimeInForce.FOK, "gtc": TimeInForce.GTC}


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order of Alpaca. `qty` is None where money was ordered instead of shares."""

    id: str
    client_order_id: str
    symbol: str | None = None
    "Empty or missing, as the next three may be, where several legs are one order."
    side: str | None = None
    type: str | None = None
    time_in_force: str | None = None
    status: str = ""
    qty: Decimal | None = None
    filled_qty: Decimal | None = None
    filled_avg_price: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    hwm: Decimal | None = None
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    replaced_by: str | None = None
    replaces: str | None = None

    @property
    def filled(self) -> Decimal:
        return self.filled_qty or ZERO

    @property
    def quantity(self) -> Decimal:
        """Shares; of an order of money what is filled, for nobody knows more."""
        return self.filled if self.qty is None else self.qty

    @property
    def trail(self) -> Decimal | None:
        """Distance in money; of one in per cent as far as it is now."""
        if self.trail_price is not None or self.type != "trailing_stop":
            return self.trail_price
        if self.hwm is None or self.stop_price is None:
            return None
        return abs(self.hwm - self.stop_price)


class FillRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account activity of type FILL. Within a millisecond they come in no order."""

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    transaction_time: datetime


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One trade update. The execution ids are only in these: activities have other ids."""

    event: str
    order: OrderRow
    timestamp: datetime | None = None
    at: datetime | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    execution_id: str | None = None
    previous_execution_id: str | None = None
    reason: str | None = None

    def when(self, now: datetime) -> datetime:
        told = self.timestamp or self.at or self.order.updated_at
        return now if told is None else told.astimezone(UTC)


class PositionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A position; `qty` is negative for a short one."""

    symbol: str
    qty: Decimal
    side: str = "long"
    avg_entry_price: Decimal | None = None

    @property
    def signed(self) -> Decimal:
        return -abs(self.qty) if self.side == "short" else self.qty


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """The account. Alpaca stopped counting day trades in July 2026: those fields may be missing."""

    cash: Decimal
    equity: Decimal | None = None
    buying_power: Decimal | None = None
    multiplier: Decimal | None = None
    status: str = "ACTIVE"
    shorting_enabled: bool | None = True
    trading_blocked: bool | None = False
    account_blocked: bool | None = False
    trade_suspended_by_user: bool | None = False
    pattern_day_trader: bool | None = None
    daytrade_count: int | None = None

    @property
    def hindrance(self) -> str | None:
        """Why no order will be taken, in a person's words."""
        if self.account_blocked or self.trading_blocked:
            return "Alpaca has blocked trading on this account: ask its support."
        if self.trade_suspended_by_user:
            return "Trading is suspended in the account's configuration at Alpaca."
        if self.status != "ACTIVE":
            return f"The account at Alpaca is {self.status}, not ACTIVE."
        return None


class AssetRow(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done with a symbol."""

    symbol: str
    tradable: bool | None = False
    shortable: bool | None = False
    easy_to_borrow: bool | None = False

    @property
    def is_lent(self) -> bool:
        """Alpaca lends nothing that is hard to borrow."""
        return bool(self.tradable and self.shortable and self.easy_to_borrow)


def execution_id(order_id: str, filled: Decimal) -> str:
    """A fill's identity: its order at Alpaca, and how much of it was filled with this fill.

    Trade updates carry an execution id and activities an id of another kind, but both say this.

    >>> execution_id("904837e3", Decimal("10.00"))
    '904837e3:10'
    """
    return f"{order_id}:{filled.normalize():f}"


def side_of(said: str | None) -> Side:
    """`buy`, `sell`, and `sell_short` where activities say so."""
    return Side.BUY if (said or "").startswith("buy") else Side.SELL


def status_of(row: OrderRow) -> OrderStatus:
    """Ours for Alpaca's; whatever is not known to be over counts as open.

    An order whose fill was busted stays `filled` at Alpaca, though it is not and never will be.
    """
    if row.status in _ENDED:
        is_busted = row.status == "filled" and row.filled < row.quantity
        return S.CANCELED if is_busted else _ENDED[row.status]
    if row.status in OVER_FOR_TODAY:
        if row.qty is not None and row.filled >= row.qty:
            return S.FILLED
        if row.time_in_force == "day":
            return S.EXPIRED
    return S.PARTIALLY_FILLED if row.filled else S.ACCEPTED


def broker_order(chain: Sequence[OrderRow], client_order_id: str | None) -> BrokerOrder:
    """One order of ours out of all that Alpaca made of it.

    `broker_order_id` is that of the oldest for an order that is not ours: it gives the name.
    """
    first, last = chain[0], chain[-1]
    filled = sum((row.filled for row in chain), ZERO)
    status = status_of(last)
    if filled and status is S.ACCEPTED:
        status = S.PARTIALLY_FILLED
    spent = sum((row.filled * (row.filled_avg_price or ZERO) for row in chain), ZERO)
    return BrokerOrder(
        broker_order_id=first.id if client_order_id is None else last.id,
        client_order_id=client_order_id,
        symbol=last.symbol or "",
        side=side_of(last.side),
        quantity=total(chain),
        status=status,
        type=OrderType(last.type) if last.type in set(OrderType) else OrderType.MARKET,
        limit_price=last.limit_price,
        stop_price=last.stop_price,
        trail=last.trail,
        time_in_force=_TIMES.get(last.time_in_force or "", TimeInForce.DAY),
        filled_quantity=filled,
        average_price=round(spent / filled, 8) if filled else None,
        at=first.submitted_at,
        reason=f"Alpaca: {last.status}" if last.status in _ENDED else None,
    )


def total(chain: Sequence[OrderRow]) -> Decimal:
    """Shares of the whole order: what its earlier forms filled, and all of the newest."""
    return sum((row.filled for row in chain[:-1]), ZERO) + chain[-1].quantity


def execution(row: FillRow, client_order_id: str) -> Execution:
    """A fill as an activity tells it. Alpaca takes no commission; fees come as cash at night."""
    return Execution(
        execution_id=execution_id(row.order_id, row.cum_qty),
        broker=NAME,
        client_order_id=client_order_id,
        ledger=EXTERNAL,
        symbol=row.symbol,
        side=side_of(row.side).value,
        quantity=row.qty,
        price=row.price,
        commission=ZERO,
        at=row.transaction_time.astimezone(UTC),
    )


def streamed(update: Update, client_order_id: str, at: datetime, identity: str) -> Execution:
    """A fill as a trade update tells it."""
    return Execution(
        execution_id=identity,
        broker=NAME,
        client_order_id=client_order_id,
        ledger=EXTERNAL,
        symbol=update.order.symbol or "",
        side=side_of(update.order.side).value,
        quantity=update.qty or ZERO,
        price=update.price or ZERO,
        commission=ZERO,
        at=at,
    )


def body(order: Order, *, extended_hours: bool) -> dict[str, object]:
    """A request for a new order."""
    asked: dict[str, object] = {
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "time_in_force": order.time_in_force.value,
        "qty": f"{order.quantity:f}",
        "client_order_id": order.client_order_id,
        **_prices(order),
    }
    if order.trail is not None:
        asked["trail_price"] = f"{order.trail:f}"
        asked.pop("stop_price", None)  # Alpaca sets it, by the price when it takes the order
    if extended_hours and (order.type, order.time_in_force) == (OrderType.LIMIT, TimeInForce.DAY):
        asked["extended_hours"] = True
    return asked


def changes(order: Order, filled: Decimal, client_order_id: str | None) -> dict[str, object]:
    """A request to replace. Alpaca's new order begins at nothing: it is asked for the rest only."""
    asked: dict[str, object] = {"qty": f"{order.quantity - filled:f}", **_prices(order)}
    if order.trail is not None:
        asked["trail"] = f"{order.trail:f}"
        asked.pop("stop_price", None)
    if client_order_id is not None:
        asked["client_order_id"] = client_order_id
    return asked


def _prices(order: Order) -> dict[str, object]:
    named = {"limit_price": order.limit_price, "stop_price": order.stop_price}
    return {name: f"{price:f}" for name, price in named.items() if price is not None}


def objection(order: Order) -> str | None:
    """Why Alpaca would refuse this order, where its documentation says so beforehand."""
    if len(order.client_order_id) > LONGEST_ID:
        return f"its id is longer than {LONGEST_ID} characters"
    is_instant = order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
    if is_instant and order.type not in (OrderType.MARKET, OrderType.LIMIT):
        return f"{order.type} orders are day or gtc, not {order.time_in_force}"
    is_fractional = order.quantity != order.quantity.to_integral_value()
    if is_fractional and order.time_in_force is not TimeInForce.DAY:
        return "orders of fractions of a share are day orders"
    if order.type is OrderType.TRAILING_STOP and order.trail is None:
        return "a trailing stop needs its distance (trail)"
    if is_fractional and order.type is OrderType.TRAILING_STOP:
        return "a trailing stop is for whole shares"
    return None
