"""Orders: what we asked a broker for, and how each came to be."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from app.api.schemas.base import (
    In,
    Instant,
    Out,
    PeriodQuery,
    Price,
    PriceIn,
    Quantity,
    QuantityIn,
    SymbolIn,
)
from app.api.schemas.executions import ExecutionOut
from app.api.schemas.risk_violations import RiskCheckOut
from app.api.schemas.signals import SignalOut
from app.api.schemas.stocks import BarOut
from app.domain.market import Timeframe
from app.domain.orders import Leg, OrderStatus, OrderType, PendingChange, Side, TimeInForce


class OrderChangeOut(Out):
    """Quantity (fills before count) and prices, whole."""

    quantity: Quantity
    limit_price: Price | None = None
    stop_price: Price | None = None
    trail: Price | None = None


class OrderOut(Out):
    """A request to a broker."""

    client_order_id: str = Field(examples=["1-d3-…-entry-1"])
    broker_order_id: str | None = Field(default=None, examples=["paper-17"])
    account_id: int = Field(examples=[1])
    ledger: str = Field(examples=["d3"])
    deployment_id: int | None = Field(default=None, examples=[3])
    strategy: str | None = Field(default=None, examples=["sma_cross"])
    signal_id: str | None = None
    symbol: str = Field(examples=["SPY"])
    side: Side
    type: OrderType
    leg: Leg
    quantity: Quantity
    filled_quantity: Quantity
    remaining_quantity: Quantity
    limit_price: Price | None = None
    stop_price: Price | None = Field(
        default=None, description="Of a trailing stop: where it stood at first."
    )
    trail: Price | None = Field(
        default=None, description="How far behind the best price a trailing stop stays, in money."
    )
    is_held: bool = Field(
        default=False,
        description="Not at the broker, who cannot have it: we watch the price, and only while"
        " Tradewright runs.",
    )
    average_price: Price | None = None
    time_in_force: TimeInForce
    status: OrderStatus
    pending: PendingChange = PendingChange.NONE
    wanted: OrderChangeOut | None = Field(
        default=None, description="What a change under way would make of it (`pending` replace)."
    )
    is_open: bool
    attempt: int = Field(default=1, examples=[1])
    group_id: str | None = Field(
        default=None, description="Orders of one group: of two kinds of them one may fill."
    )
    reason: str | None = Field(
        default=None, description="Why it was rejected, canceled or expired."
    )
    at: Instant = Field(description="When it was approved.")
    expires_at: Instant | None = None
    updated_at: Instant | None = None


class _Wish(In):
    account_id: int | None = Field(
        default=None, description="Null: the only account, where there is one.", examples=[1]
    )
    symbol: SymbolIn
    stop_loss: PriceIn | None = Field(default=None, description="Protective stop, absolute price.")
    stop_trail: PriceIn | None = Field(
        default=None,
        description="The protective stop follows the best price at this distance in money, from"
        " `stop_loss` on where that is given.",
        examples=["2.50"],
    )
    take_profit: PriceIn | None = Field(default=None, description="Absolute price.")
    reason: str | None = Field(default=None, max_length=500, examples=["earnings tonight"])


class TermsIn(In):
    """How an order meets the market; each type has just its own prices."""

    type: OrderType = OrderType.MARKET
    limit_price: PriceIn | None = Field(
        default=None, description="Needed for limit and stop_limit, refused otherwise."
    )
    stop_price: PriceIn | None = Field(
        default=None, description="Needed for stop and stop_limit, refused otherwise."
    )
    trail: PriceIn | None = Field(
        default=None,
        description="Needed for trailing_stop, refused otherwise: the distance in money at which"
        " the stop follows the best price since the order.",
        examples=["2.50"],
    )


class OrderIn(_Wish, TermsIn):
    """An explicit order, checked by the same limits as every other."""

    kind: Literal["order"] = "order"
    side: Side
    quantity: QuantityIn
    time_in_force: TimeInForce = Field(
        default=TimeInForce.DAY,
        description="ioc and fok are for market and limit orders alone.",
    )
    oco: TermsIn | None = Field(
        default=None,
        description="A second order for the same shares, of which one cancels the other: a stop"
        " beside a limit, or a limit beside a stop.",
    )


class OrderChangeIn(In):
    """What is to be changed of an open order; what is left out stays."""

    quantity: QuantityIn | None = Field(
        default=None, description="The whole order's, with what is filled of it."
    )
    limit_price: PriceIn | None = None
    stop_price: PriceIn | None = None
    trail: PriceIn | None = None
    reason: str | None = Field(default=None, max_length=500, examples=["earnings tonight"])


class SignalIn(_Wish):
    """A person's opinion: a target exposure, sized by the risk engine."""

    kind: Literal["signal"] = "signal"
    exposure: float = Field(ge=-1, le=1, description="-1 short … +1 long; 0 is flat.", examples=[0])


def _kind(wish: object) -> str:
    """An order, unless it says otherwise."""
    if isinstance(wish, dict):
        return str(wish.get("kind", "order"))
    return str(getattr(wish, "kind", "order"))


OrderWish = Annotated[
    Annotated[OrderIn, Tag("order")] | Annotated[SignalIn, Tag("signal")], Discriminator(_kind)
]
"""What a person may ask for; without `kind` it is an order."""


class TimelineStepOut(Out):
    """One committed fact in an order's life."""

    stream: str = Field(examples=["account:1"])
    seq: int = Field(examples=[120])
    type: str = Field(examples=["order_filled"])
    at: Instant
    title: str = Field(examples=["Filled"])
    detail: str = Field(examples=["Bought 20 SPY at 601.2 (20 of 20)"])
    actor: str | None = Field(default=None, examples=["engine"])
    data: dict[str, Any]


class TimelineOut(Out):
    """Why an order was made, or was not: bar, columns, signal, checks, wire, executions."""

    order: OrderOut | None = Field(
        default=None, description="Null when the signal was denied or needed no order."
    )
    signal: SignalOut | None = None
    timeframe: Timeframe | None = None
    dataset: str | None = Field(default=None, examples=["simulated"])
    bars: list[BarOut] = Field(
        default=[], description="Up to 60 bars that end with the one that gave the opinion."
    )
    indicator_values: dict[str, float] = Field(default_factory=dict)
    checks: list[RiskCheckOut] = Field(default_factory=list)
    limited_by: list[str] = Field(
        default=[], description="Limits that cut the quantity.", examples=[["position_limit"]]
    )
    denial: RiskCheckOut | None = Field(
        default=None, description="The check that said no, where one did."
    )
    denial_detail: str | None = None
    steps: list[TimelineStepOut] = Field(default_factory=list)
    executions: list[ExecutionOut] = Field(default_factory=list)


class OrderQuery(PeriodQuery):
    """Newest first. `status` may be given several times; open and closed are named sets."""

    account_id: int | None = Field(default=None, examples=[1])
    deployment_id: int | None = Field(default=None, examples=[3])
    symbol: str | None = Field(default=None, max_length=32, examples=["SPY"])
    ledger: str | None = Field(default=None, max_length=64, examples=["manual"])
    side: Side | None = None
    status: list[OrderStatus | Literal["open", "closed"]] = Field(default=[], examples=[["open"]])
