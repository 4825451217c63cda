"""Signals: what strategies and people want to hold."""

from typing import Literal

from pydantic import Field

from app.api.schemas.base import Instant, Out, PeriodQuery, Price, Quantity
from app.domain.signals import SignalType


class SignalWantedOut(Out):
    """A target: hold `exposure` of a symbol in a ledger."""

    signal_id: str = Field(examples=["d3:SPY:2026-11-20T14:30:00Z"])
    account_id: int = Field(examples=[1])
    ledger: str = Field(examples=["d3"])
    deployment_id: int | None = Field(default=None, examples=[3])
    strategy: str | None = Field(default=None, examples=["sma_cross"])
    symbol: str = Field(examples=["SPY"])
    signal_type: SignalType
    exposure: float = Field(description="-1 short … +1 long.", examples=[1.0])
    price: float | None = Field(default=None, examples=[601.2])
    quantity: Quantity | None = Field(
        default=None, description="Signed; only where a person asked for a quantity."
    )
    stop_loss: Price | None = None
    take_profit: Price | None = None
    reasons: list[str] = Field(default=[], examples=[["fast mean crossed above the slow one"]])
    indicator_values: dict[str, float] = Field(
        default={}, examples=[{"sma_fast": 601.3, "sma_slow": 600.9}]
    )
    at: Instant
    valid_until: Instant | None = None


class SignalOut(SignalWantedOut):
    """A signal with what came of it."""

    executed: bool = Field(description="An order was filled for it.")
    outcome: str | None = Field(
        default=None,
        description="First outcome: order, satisfied, denied or expired; null while open.",
        examples=["order"],
    )


class SignalQuery(PeriodQuery):
    """Newest first."""

    account_id: int | None = Field(default=None, examples=[1])
    deployment_id: int | None = Field(default=None, examples=[3])
    symbol: str | None = Field(default=None, max_length=32, examples=["SPY"])
    signal_type: SignalType | None = None
    outcome: Literal["order", "satisfied", "denied", "expired", "open"] | None = None
