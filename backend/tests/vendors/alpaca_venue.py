"""A small exchange with one account at Alpaca: orders rest, and prints of the market fill them.

Plain Python that knows nothing of HTTP: `place`, `replace` and `cancel` answer as Alpaca documents,
`news` collects what its stream of trade updates would say. What this holds is the truth that a test
compares our books with.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from app.core.clock import now
from tests.vendors.alpaca_venue_orders import (
    ZERO,
    Fill,
    Holding,
    Message,
    Refusal,
    VenueOrder,
    is_marketable,
    opposite,
    plain,
    read_order,
    stamp,
    text,
)

_NO_REPLACE: Final = frozenset({"accepted", "pending_new", "pending_cancel", "pending_replace"})
_TERMS: Final = (
    "symbol", "side", "qty", "type", "time_in_force", "limit_price", "stop_price", "trail_price",
    "extended_hours",
)  # fmt: skip


class Venue:
    """One account. Money and quantities are Decimal; every price is one that was printed."""

    def __init__(
        self, cash: Decimal = Decimal(100_000), clock: Callable[[], datetime] = now
    ) -> None:
        self.cash = cash
        self.clock = clock
        self.assets: dict[str, Message] = {}
        self.orders: dict[str, VenueOrder] = {}
        self.holdings: dict[str, Holding] = {}
        self.fills: list[Fill] = []
        self.activities: list[Message] = []
        self.last: dict[str, Decimal] = {}
        self.news: list[Message] = []
        "Trade updates that nobody has taken yet."
        self.account: Message = {"shorting_enabled": True, "trading_blocked": False}
        "Flags of the account that a test sets."
        self.multiplier = Decimal(2)
        self.refuses_wash_trades = True
        self.is_market_open = True
        "Orders that come while it is closed wait for `open_session`."
        self.confirms_replaces = True
        "Whether a replace is done at once; else it stays pending until `settle`."
        self.confirms_cancels = True
        self._pending: list[Callable[[], None]] = []

    # ------------------------------------------------------------------------- what is known

    def know(self, symbol: str, **flags: Any) -> None:
        """A stock that can be traded."""
        self.assets[symbol] = {
            "id": str(uuid4()), "class": "us_equity", "exchange": "NASDAQ", "symbol": symbol,
            "name": symbol, "status": "active", "tradable": True, "marginable": True,
            "shortable": True, "easy_to_borrow": True, "fractionable": True, **flags,
        }  # fmt: skip

    def hold(self, symbol: str, qty: int, price: float) -> None:
        """Something that was there before us."""
        self.holdings[symbol] = Holding(Decimal(qty), Decimal(str(price)))

    def multiplier_of(self, symbol: str) -> Decimal:
        """Shares of one: an option contract's are 100."""
        is_option = self.assets.get(symbol, {}).get("class") == "us_option"
        return Decimal(100) if is_option else Decimal(1)

    def _unit(self, symbol: str, price: Decimal) -> Decimal:
        return self.last.get(symbol, price) * self.multiplier_of(symbol)

    def by_client(self, client_order_id: str) -> VenueOrder | None:
        found = (o for o in self.orders.values() if o.client_order_id == client_order_id)
        return next(found, None)

    def open_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        return [o for o in self.orders.values() if o.is_open and symbol in (None, o.symbol)]

    def held(self, symbol: str) -> Decimal:
        return self.holdings[symbol].qty if symbol in self.holdings else ZERO

    def take_news(self) -> list[Message]:
        taken, self.news = self.news, []
        return taken

    @property
    def equity(self) -> Decimal:
        return self.cash + sum(
            (h.qty * self._unit(s, h.price) for s, h in self.holdings.items()), ZERO
        )

    @property
    def buying_power(self) -> Decimal:
        """What margin allows, less positions and what open orders reserve."""
        bound = sum((abs(h.qty) * self._unit(s, h.price) for s, h in self.holdings.items()), ZERO)
        reserved = sum((self._opens(o) * self._value(o) for o in self.open_orders()), ZERO)
        return max(self.equity * self.multiplier - bound - reserved, ZERO)

    # ------------------------------------------------------------------------------- requests

    def place(self, body: Message) -> VenueOrder:
        """A new order. Raises Refusal; nothing of a refused order is kept."""
        order = self._read(body)
        self._admit(order)
        self.orders[order.id] = order
        if self.is_market_open:
            order.status = "pending_new"
            self._tell("pending_new", order)
            self._routed(order)
        else:
            self._tell("accepted", order)
        return order

    def cancel(self, order_id: str) -> None:
        order = self._order(order_id)
        if not order.is_open or order.status in ("pending_cancel", "pending_replace"):
            raise Refusal(422, 42210000, f'order is already in "{order.status}" state')
        self._when_confirmed(
            order, "pending_cancel", self.confirms_cancels, lambda: self._canceled(order)
        )

    def cancel_all(self) -> list[Message]:
        asked = []
        for order in self.open_orders():
            try:
                self.cancel(order.id)
                asked.append({"id": order.id, "status": 200})
            except Refusal as refusal:
                asked.append({"id": order.id, "status": 500, "body": refusal.body})
        return asked

    def replace(self, order_id: str, body: Message) -> VenueOrder:
        """The new order: its quantity is its own, what the old one filled is not part of it."""
        old = self._order(order_id)
        if not old.is_open or old.status in _NO_REPLACE:
            raise Refusal(422, 42210000, f"order in {old.status} status cannot be changed")
        names = {"trail": "trail_price"}
        changes = {names.get(k, k): v for k, v in body.items() if k != "client_order_id"}
        terms = {k: v for k, v in old.view().items() if k in _TERMS and v is not None}
        new = self._read({**terms, **changes, "client_order_id": body.get("client_order_id")})
        new.replaces, new.hwm = old.id, old.hwm
        self._admit(new, instead_of=old)
        self.orders[new.id] = new
        old.replaced_by = new.id
        self._when_confirmed(
            old, "pending_replace", self.confirms_replaces, lambda: self._replaced(old, new)
        )
        return new

    def settle(self) -> None:
        """Confirm what is pending, in order."""
        pending, self._pending = self._pending, []
        for confirm in pending:
            confirm()

    # ------------------------------------------------------------------------------ the market

    def print(
        self,
        symbol: str,
        price: float | Decimal,
        size: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """One trade of the market: `size` shares (None: as many as are wanted) at `price`."""
        traded = Decimal(str(price))
        self.last[symbol] = traded
        left = None if size is None else Decimal(size)
        for order in self.open_orders(symbol):
            if order.status in ("pending_new", "accepted", "held", "suspended"):
                continue
            left = self._meet(order, traded, left, at or self.clock())

    def open_session(self) -> None:
        """The bell: what came while it was closed is routed."""
        self.is_market_open = True
        for order in self.open_orders():
            if order.status == "accepted" and order.replaces is None:
                self._routed(order)

    def close_session(self, at: datetime | None = None) -> None:
        """The bell: day orders expire."""
        for order in self.open_orders():
            if order.time_in_force == "day":
                self._end(order, "expired", at)

    def push(self, order_id: str, event: str, status: str | None = None, **more: Any) -> None:
        """Any event of the life cycle, as the exchange might send it."""
        order = self._order(order_id)
        order.status = status or event
        self._tell(event, order, **more)

    def reject(self, order_id: str, reason: str = "rejected by the exchange") -> None:
        """An order that was taken is refused by the exchange later."""
        self._end(self._order(order_id), "rejected", reason=reason)

    def bust(self, execution_id: str) -> None:
        """The exchange takes a fill back."""
        fill = self._fill(execution_id)
        order = fill.order
        self._book(order, -fill.qty, fill.price)
        self.fills.remove(fill)
        self._tell(
            "trade_bust", order, price=text(fill.price), qty=plain(-fill.qty),
            execution_id=str(uuid4()), previous_execution_id=execution_id, reason="TRADE_BUST",
        )  # fmt: skip

    def correct(self, execution_id: str, price: float, qty: int | None = None) -> str:
        """The exchange changes a fill; the id of what stands in its place."""
        fill = self._fill(execution_id)
        order, new_price = fill.order, Decimal(str(price))
        new_qty = fill.qty if qty is None else Decimal(qty)
        self._book(order, -fill.qty, fill.price)
        self._book(order, new_qty, new_price)
        new = replace(fill, execution_id=str(uuid4()), qty=new_qty, price=new_price)
        self.fills[self.fills.index(fill)] = new
        self._tell(
            "trade_correct", order, price=text(new_price), qty=plain(new_qty),
            execution_id=new.execution_id, previous_execution_id=execution_id,
        )  # fmt: skip
        return new.execution_id

    # -------------------------------------------------------------------------------- inside

    def _read(self, body: Message) -> VenueOrder:
        return read_order(body, self.assets, self.by_client, self.clock())

    def _admit(self, order: VenueOrder, instead_of: VenueOrder | None = None) -> None:
        """Whether the account may have this order, beside those that it has."""
        if self.account.get("trading_blocked"):
            raise Refusal(403, 40310000, "trading is blocked for this account")
        is_fractional = order.qty != order.qty.to_integral_value()
        if is_fractional and order.time_in_force != "day":
            raise Refusal(422, 42210000, "fractional orders must be DAY orders")
        if order.extended_hours and (order.type, order.time_in_force) != ("limit", "day"):
            raise Refusal(422, 42210000, "extended hours order must be DAY limit orders")
        others = [o for o in self.open_orders(order.symbol) if o is not instead_of]
        if self.refuses_wash_trades and (other := opposite(order, others)) is not None:
            raise Refusal(
                403, 40310000, "potential wash trade detected. use complex orders",
                existing_order_id=other.id,
                reject_reason=f"opposite side {other.type} order exists",
            )  # fmt: skip
        self._admit_quantity(order, others)
        value = self._opens(order) * self._value(order)
        spare = self._opens(instead_of) * self._value(instead_of) if instead_of else ZERO
        if value > self.buying_power + spare:
            raise Refusal(403, 40310000, "insufficient buying power")

    def _admit_quantity(self, order: VenueOrder, others: list[VenueOrder]) -> None:
        """Closing orders share what is held; opening ones need the permission to short."""
        held = self.held(order.symbol) * -order.sign
        if held > 0:
            bound = sum((o.left for o in others if o.side == order.side), ZERO)
            if order.qty > held - bound:
                raise Refusal(
                    403, 40310000,
                    f"insufficient qty available for order (requested: {plain(order.qty)},"
                    f" available: {plain(held - bound)})",
                    symbol=order.symbol, existing_qty=plain(held), held_for_orders=plain(bound),
                )  # fmt: skip
        elif order.side == "sell":
            asset = self.assets[order.symbol]
            if not self.account.get("shorting_enabled"):
                raise Refusal(403, 40310000, "account is not allowed to short")
            if not (asset["shortable"] and asset["easy_to_borrow"]):
                raise Refusal(422, 42210000, f'asset "{order.symbol}" cannot be sold short')

    def _opens(self, order: VenueOrder) -> Decimal:
        """Shares that would add to a position."""
        closes = max(self.held(order.symbol) * -order.sign, ZERO)
        return max(order.left - closes, ZERO)

    def _value(self, order: VenueOrder) -> Decimal:
        price = order.limit_price or order.stop_price
        multiplier = self.multiplier_of(order.symbol)
        return (price or self.last.get(order.symbol, ZERO) * Decimal("1.03")) * multiplier

    def _routed(self, order: VenueOrder) -> None:
        order.status = "new"
        self._tell("new", order)

    def _when_confirmed(
        self, order: VenueOrder, status: str, at_once: bool, confirm: Callable[[], None]
    ) -> None:
        if at_once:
            confirm()
            return
        order.status = status
        self._tell(status, order)
        self._pending.append(confirm)

    def _canceled(self, order: VenueOrder) -> None:
        if order.left:
            self._end(order, "canceled")
        else:
            self._tell("order_cancel_rejected", order, reason="TOO_LATE_TO_CANCEL")

    def _replaced(self, old: VenueOrder, new: VenueOrder) -> None:
        if not old.left:  # it filled first: the new one is refused
            old.replaced_by = None
            self._end(new, "rejected")
            self._tell("order_replace_rejected", old)
            return
        new.status = "new"
        self._end(old, "replaced")
        self._tell("new", new)

    def _meet(
        self, order: VenueOrder, price: Decimal, left: Decimal | None, at: datetime
    ) -> Decimal | None:
        """One order meets one print; what is left of the print."""
        is_instant = order.time_in_force in ("ioc", "fok")
        if not self._elected(order, price) or not is_marketable(order, price):
            if is_instant:
                self._end(order, "canceled", at)
            return left
        wanted = order.left
        filled = wanted if left is None else min(wanted, left)
        if filled < wanted and order.time_in_force == "fok":
            filled = ZERO
        if filled:
            self._execute(order, filled, price, at)
        if is_instant and order.left:
            self._end(order, "canceled", at)
        return None if left is None else left - filled

    def _elected(self, order: VenueOrder, price: Decimal) -> bool:
        if order.type not in ("stop", "stop_limit", "trailing_stop") or order.is_elected:
            return True
        if order.type == "trailing_stop" and order.trail_price is not None:
            best = max if order.side == "sell" else min
            order.hwm = price if order.hwm is None else best(order.hwm, price)
            order.stop_price = order.hwm + order.sign * order.trail_price
        stop = order.stop_price or ZERO
        order.is_elected = price >= stop if order.side == "buy" else price <= stop
        return order.is_elected

    def _execute(self, order: VenueOrder, qty: Decimal, price: Decimal, at: datetime) -> None:
        self._book(order, qty, price)
        is_full = not order.left
        if order.status not in ("pending_cancel", "pending_replace") or is_full:
            order.status = "filled" if is_full else "partially_filled"
        if is_full:
            order.times["filled_at"] = at
        kind = "fill" if is_full else "partial_fill"
        activity = {
            "id": f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{uuid4()}", "type": kind,
            "activity_type": "FILL", "transaction_time": f"{at:%Y-%m-%dT%H:%M:%S}."
            f"{at.microsecond // 1000:03d}Z", "price": text(price), "qty": plain(qty),
            "side": order.side, "symbol": order.symbol, "leaves_qty": plain(order.left),
            "order_id": order.id, "cum_qty": plain(order.filled_qty), "order_status": order.status,
        }  # fmt: skip
        fill = Fill(str(uuid4()), order, qty, price, at, activity)
        self.fills.append(fill)
        self.activities.append(activity)
        self._tell(
            kind, order, at=at, execution_id=fill.execution_id, price=text(price), qty=plain(qty),
            position_qty=plain(self.held(order.symbol)),
        )  # fmt: skip

    def _book(self, order: VenueOrder, qty: Decimal, price: Decimal) -> None:
        """Order, position and cash after `qty` more (negative: taken back) at `price`."""
        order.filled_qty += qty
        order.spent += qty * price
        signed = qty * order.sign
        self.cash -= signed * price * self.multiplier_of(order.symbol)
        holding = self.holdings.setdefault(order.symbol, Holding())
        if holding.qty * signed >= 0 and holding.qty + signed:
            paid = holding.qty * holding.price + signed * price
            holding.price = paid / (holding.qty + signed)
        elif abs(signed) > abs(holding.qty):
            holding.price = price
        holding.qty += signed
        if not holding.qty:
            del self.holdings[order.symbol]

    def _end(self, order: VenueOrder, status: str, at: datetime | None = None, **more: str) -> None:
        order.status = status
        stamped = {"rejected": "failed_at"}.get(status, f"{status}_at")
        order.times[stamped] = at or self.clock()
        self._tell(status, order, at=at, **more)

    def _tell(self, event: str, order: VenueOrder, at: datetime | None = None, **more: Any) -> None:
        order.updated_at = self.clock()
        told = {"event": event, "timestamp": stamp(at or self.clock()), "order": order.view()}
        self.news.append({**told, **more})

    def _order(self, order_id: str) -> VenueOrder:
        if order_id not in self.orders:
            raise Refusal(404, 40410000, f"order not found for {order_id}")
        return self.orders[order_id]

    def _fill(self, execution_id: str) -> Fill:
        return next(fill for fill in self.fills if fill.execution_id == execution_id)


def positions(venue: Venue) -> Iterator[Message]:
    """Alpaca's positions: shorts have a negative quantity and the side short."""
    for symbol, holding in sorted(venue.holdings.items()):
        price = venue.last.get(symbol, holding.price)
        yield {
            "asset_id": venue.assets.get(symbol, {}).get("id", str(uuid4())), "symbol": symbol,
            "exchange": "NASDAQ", "asset_class": "us_equity", "qty": plain(holding.qty),
            "avg_entry_price": text(holding.price), "side": "long" if holding.qty > 0 else "short",
            "market_value": text(holding.qty * price),
            "cost_basis": text(holding.qty * holding.price), "current_price": text(price),
            "qty_available": plain(holding.qty),
        }  # fmt: skip
