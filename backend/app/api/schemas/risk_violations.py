"""Denials by our risk engine, as stored."""

from pydantic import Field

from app.api.schemas.base import Instant, Out, PeriodQuery, Quantity
from app.domain.orders import Side


class RiskCheckOut(Out):
    """One rule's answer: `value` measured against `limit`, in the rule's own unit."""

    rule: str = Field(examples=["position_limit"])
    passed: bool
    value: Quantity | None = Field(default=None, examples=["0.031"])
    limit: Quantity | None = Field(default=None, examples=["0.05"])
    scope: str | None = Field(
        default=None, description="Null: the account's own limit.", examples=["deployment:3"]
    )


class RiskViolationOut(Out):
    """An order that was never sent: which limit, and by how much."""

    id: int = Field(examples=[8])
    account_id: int = Field(examples=[1])
    ledger: str | None = Field(default=None, examples=["d3"])
    deployment_id: int | None = Field(default=None, examples=[3])
    signal_id: str | None = None
    symbol: str | None = Field(default=None, examples=["SPY"])
    side: Side | None = None
    quantity: Quantity | None = None
    code: str = Field(examples=["position_limit"])
    detail: str = Field(examples=["SPY would be 7.2 % of equity; the limit is 5 %."])
    limit: Quantity | None = Field(default=None, examples=["0.05"])
    value: Quantity | None = Field(default=None, examples=["0.072"])
    scope: str | None = Field(
        default=None, description="Null: the account's own limit.", examples=["symbol:SPY"]
    )
    at: Instant


class RiskViolationQuery(PeriodQuery):
    """Newest first."""

    account_id: int | None = Field(default=None, examples=[1])
    deployment_id: int | None = Field(default=None, examples=[3])
    symbol: str | None = Field(default=None, max_length=32, examples=["SPY"])
    code: str | None = Field(default=None, max_length=64, examples=["position_limit"])
