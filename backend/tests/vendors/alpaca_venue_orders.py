"""Orders as Alpaca keeps them: what it takes, what it refuses, and how it writes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

ZERO: Final = Decimal(0)
OPEN: Final = frozenset(
    {"new", "accepted", "pending_new", "partially_filled", "pending_cancel", "pending_replace",
     "held", "stopped", "suspended", "accepted_for_bidding", "done_for_day", "calculated"}
)  # fmt: skip
_TIMES: Final = {
    "market": {"day", "gtc", "ioc", "fok"},
    "limit": {"day", "gtc", "ioc", "fok"},
    "stop": {"day", "gtc"},
    "stop_limit": {"day", "gtc"},
    "trailing_stop": {"day", "gtc"},
}
_NEEDS: Final = {
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
    "trailing_stop": ("trail_price",),
}
_AT_ANY_PRICE: Final = frozenset({"market", "stop", "trailing_stop"})
Message = dict[str, Any]


class Refusal(Exception):
    """An answer that says no: HTTP status, Alpaca's number, and what it says."""

    def __init__(self, status: int, code: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, **more}


@dataclass(slots=True, kw_only=True)
class VenueOrder:
    """An order as Alpaca keeps it."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    qty: Decimal
    type: str
    time_in_force: str
    created_at: datetime
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    hwm: Decimal | None = None
    extended_hours: bool = False
    status: str = "accepted"
    filled_qty: Decimal = ZERO
    spent: Decimal = ZERO
    replaces: str | None = None
    replaced_by: str | None = None
    times: dict[str, datetime] = field(default_factory=dict)
    "When it was filled, canceled, …: `filled_at` and so on."
    updated_at: datetime | None = None
    is_elected: bool = False
    "A stop whose price was reached."

    @property
    def left(self) -> Decimal:
        return self.qty - self.filled_qty

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1

    def view(self) -> Message:
        """The order as its JSON."""
        average = self.spent / self.filled_qty if self.filled_qty else None
        stamps = ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")
        return {
            "id": self.id, "client_order_id": self.client_order_id,
            "created_at": stamp(self.created_at), "submitted_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at or self.created_at),
            **{name: stamp(self.times[name]) if name in self.times else None for name in stamps},
            "replaced_by": self.replaced_by, "replaces": self.replaces,
            "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415", "symbol": self.symbol,
            "asset_class": "us_equity", "notional": None, "qty": plain(self.qty),
            "filled_qty": plain(self.filled_qty), "filled_avg_price": text(average),
            "order_class": "", "order_type": self.type, "type": self.type, "side": self.side,
            "time_in_force": self.time_in_force, "limit_price": text(self.limit_price),
            "stop_price": text(self.stop_price), "status": self.status,
            "extended_hours": self.extended_hours, "legs": None, "trail_percent": None,
            "trail_price": text(self.trail_price), "hwm": text(self.hwm), "source": None,
        }  # fmt: skip


@dataclass(slots=True, frozen=True)
class Fill:
    """One execution, under the id that the stream gives it."""

    execution_id: str
    order: VenueOrder
    qty: Decimal
    price: Decimal
    at: datetime
    activity: Message


@dataclass(slots=True)
class Holding:
    """Signed quantity, and what was paid on average."""

    qty: Decimal = ZERO
    price: Decimal = ZERO


def read_order(
    body: Message, assets: Mapping[str, Message], is_known: Callable[[str], object], at: datetime
) -> VenueOrder:
    """What was asked for, checked for itself. Raises Refusal."""
    symbol, kind = body.get("symbol", ""), body.get("type", "")
    if symbol not in assets:
        raise Refusal(422, 42210000, f'asset "{symbol}" not found')
    prices = {name: _money(body, name) for name in ("limit_price", "stop_price", "trail_price")}
    _check_kind(body, kind, prices)
    given = body.get("client_order_id") or str(uuid4())
    if is_known(given):
        raise Refusal(422, 40010001, "client_order_id must be unique")
    order = VenueOrder(
        id=str(uuid4()), client_order_id=given, symbol=symbol, side=body["side"],
        qty=_quantity(body), type=kind, time_in_force=body["time_in_force"],
        created_at=at, extended_hours=bool(body.get("extended_hours")), **prices,
    )  # fmt: skip
    if kind == "trailing_stop":
        order.stop_price = None
    return order


def _check_kind(body: Message, kind: str, prices: Mapping[str, Decimal | None]) -> None:
    if body.get("side") not in ("buy", "sell"):
        raise Refusal(422, 40010001, "side must be buy or sell")
    if kind not in _TIMES:
        raise Refusal(422, 40010001, "invalid order type")
    if body.get("order_class") not in (None, "", "simple"):
        raise Refusal(422, 40010001, "this loopback takes simple orders only")
    if body.get("time_in_force") not in _TIMES[kind]:
        raise Refusal(422, 42210000, f"invalid time_in_force for a {kind} order")
    for name in _NEEDS.get(kind, ()):
        if prices[name] is None:
            raise Refusal(422, 40010001, f"{kind} orders require {name}")


def is_marketable(order: VenueOrder, price: Decimal) -> bool:
    if order.type not in ("limit", "stop_limit") or order.limit_price is None:
        return True
    return price <= order.limit_price if order.side == "buy" else price >= order.limit_price


def opposite(order: VenueOrder, others: list[VenueOrder]) -> VenueOrder | None:
    """An order that could trade with this one, by Alpaca's rules against wash trades."""
    for other in others:
        if other.side == order.side:
            continue
        if order.type in _AT_ANY_PRICE or other.type in _AT_ANY_PRICE:
            return other
        buy, sell = (order, other) if order.side == "buy" else (other, order)
        if (buy.limit_price or ZERO) >= (sell.limit_price or ZERO):
            return other
    return None


def _money(body: Message, name: str) -> Decimal | None:
    if body.get(name) is None:
        return None
    value = Decimal(str(body[name]))
    places = 2 if value >= 1 else 4
    if value <= 0 or value != round(value, places):
        raise Refusal(
            422, 42210000,
            f"invalid {name} {value}. sub-penny increment does not fulfill minimum pricing"
            " criteria",
        )  # fmt: skip
    return value


def _quantity(body: Message) -> Decimal:
    value = Decimal(str(body.get("qty") or 0))
    if value <= 0:
        raise Refusal(422, 40010001, "qty must be > 0")
    return value


def stamp(at: datetime) -> str:
    """RFC 3339 with nanoseconds, as most of Alpaca's times are."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}123Z"


def plain(value: Decimal) -> str:
    """A quantity without an exponent or trailing zeros."""
    return f"{value.normalize():f}"


def text(value: Decimal | None) -> str | None:
    """A price; averages have six decimals at most."""
    return None if value is None else plain(round(value, 6))
