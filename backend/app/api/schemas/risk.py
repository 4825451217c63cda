"""Why something was, or was not, traded; and what other limits would have done."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.base import AwareInstant, In, Instant, Out, Quantity
from app.api.schemas.executions import ExecutionOut
from app.api.schemas.orders import OrderOut
from app.api.schemas.risk_violations import RiskCheckOut
from app.api.schemas.signals import SignalOut
from app.domain.deployments import TradingState
from app.domain.market import Timeframe
from app.domain.orders import Side


class SizingOut(Out):
    """From a wanted exposure to shares."""

    exposure: float = Field(examples=[1.0])
    price: str = Field(examples=["187.2"])
    target_quantity: str | None = Field(default=None, examples=["26"])


class DeciderOut(Out):
    """A deployment, or a person, and what it did about the symbol in that slice."""

    deployment_id: int | None = Field(default=None, examples=[3])
    ledger: str = Field(examples=["d3"])
    strategy: str | None = Field(default=None, examples=["sma_cross"])
    timeframe: Timeframe | None = None
    state: str = Field(examples=["running"])
    held: Quantity
    indicator_values: dict[str, float] = Field(default_factory=dict)
    signal: SignalOut | None = None
    is_earlier: bool = Field(
        default=False, description="The signal is of an earlier slice: there was none in this one."
    )
    sizing: SizingOut | None = None
    checks: list[RiskCheckOut] = Field(default_factory=list)
    denial: dict[str, Any] | None = None
    limited_by: list[str] = Field(default_factory=list)
    order: OrderOut | None = None
    executions: list[ExecutionOut] = Field(default_factory=list)
    why: str = Field(examples=["Deployment 3 (sma_cross) had no new opinion: …"])


class ExplanationOut(Out):
    """Everything that is stored about a symbol at an instant of an account."""

    account_id: int = Field(examples=[1])
    symbol: str = Field(examples=["AAPL"])
    at: Instant
    slice_end: Instant = Field(description="End of the last slice that the engine had seen then.")
    seq: int = Field(description="Journaled slice, in the account's stream.", examples=[120])
    warm_up: bool
    bar: dict[str, Any] | None = None
    missing: str | None = Field(default=None, description="Why there is no bar.")
    trading_state: TradingState
    trading_state_reason: str | None = None
    deployments: list[DeciderOut]
    answer: list[str] = Field(description="Sentences.")


class ExplainQuery(In):
    """Of which symbol, and when."""

    symbol: str = Field(min_length=1, max_length=32, examples=["AAPL"])
    at: AwareInstant | None = Field(default=None, description="Null: now.")
    account_id: int | None = Field(default=None, examples=[1])


class WhatIfIn(In):
    """Limits to suppose, over a period of an account."""

    account_id: int = Field(examples=[1])
    start: AwareInstant
    end: AwareInstant
    limits: Annotated[dict[str, Any], Field(min_length=1)] = Field(
        examples=[{"max_position_size": "0.02"}]
    )
    scope: str = Field(default="account", max_length=64, examples=["deployment:3"])


class SupposedOrderOut(Out):
    """An order that would have become another, or none."""

    at: Instant
    ledger: str = Field(examples=["d3"])
    symbol: str = Field(examples=["AAPL"])
    side: Side
    signal_id: str
    client_order_id: str | None = None
    wanted: Quantity
    made: Quantity = Field(description="Shares ordered; zero: denied.")
    would_be: Quantity
    code: str | None = Field(default=None, examples=["position_limit"])
    detail: str | None = None
    value: Quantity | None = None
    limit: Quantity | None = None
    was_code: str | None = None


class DivergenceOut(Out):
    """Where the supposed limits first led to another decision."""

    seq: int = Field(examples=[120])
    at: Instant
    was: str = Field(examples=["order approved buy 26 AAPL"])
    would_be: str = Field(examples=["order denied buy 26 AAPL position_limit"])


class WhatIfOut(Out):
    """Which orders of the period the supposed limits would have denied, cut or let through."""

    account_id: int = Field(examples=[1])
    start: Instant
    end: Instant
    supposed: dict[str, Any]
    scope: str = Field(examples=["account"])
    inputs: int = Field(description="Journaled inputs that were read.", examples=[390])
    asked: int = Field(examples=[12])
    denied: int = Field(examples=[2])
    cut: int = Field(examples=[3])
    allowed: int = Field(examples=[0])
    orders: list[SupposedOrderOut]
    divergence: DivergenceOut | None = None
    notes: list[str] = Field(description="What cannot be known from this.")
