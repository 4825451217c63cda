"""Executions: fills as the broker reported them."""

from pydantic import Field

from app.api.schemas.base import Instant, Money, Out, PeriodQuery, Price, Quantity
from app.domain.orders import Side


class ExecutionOut(Out):
    """One fill."""

    id: int = Field(examples=[501])
    execution_id: str = Field(examples=["1-d3-…-1"])
    broker: str = Field(examples=["paper"])
    account_id: int = Field(examples=[1])
    client_order_id: str = Field(examples=["1-d3-…-entry-1"])
    ledger: str = Field(examples=["d3"])
    deployment_id: int | None = Field(default=None, examples=[3])
    symbol: str = Field(examples=["SPY"])
    side: Side
    quantity: Quantity
    price: Price
    commission: Money
    at: Instant


class ExecutionQuery(PeriodQuery):
    """Newest first."""

    account_id: int | None = Field(default=None, examples=[1])
    deployment_id: int | None = Field(default=None, examples=[3])
    symbol: str | None = Field(default=None, max_length=32, examples=["SPY"])
    client_order_id: str | None = Field(default=None, max_length=200)
    side: Side | None = None
