"""Trades: round trips, flat to flat."""

from datetime import date
from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import Fraction, Instant, Money, Out, PeriodQuery, Price, Quantity


class TradeOut(Out):
    """A round trip of one ledger."""

    id: int = Field(examples=[19])
    trade_id: str = Field(examples=["d3:SPY:4"])
    account_id: int = Field(examples=[1])
    ledger: str = Field(examples=["d3"])
    deployment_id: int | None = Field(default=None, examples=[3])
    strategy: str | None = Field(default=None, examples=["sma_cross"])
    symbol: str = Field(examples=["SPY"])
    direction: Literal["long", "short"]
    quantity: Quantity = Field(description="Largest held; always positive.")
    entry_price: Price
    exit_price: Price
    entry_at: Instant
    exit_at: Instant
    trade_date: date = Field(examples=["2026-11-20"])
    duration_seconds: float = Field(examples=[5400])
    pnl: Money = Field(description="Net of commission.")
    pnl_pct: Fraction | None = Field(
        default=None, description="P&L ÷ entry value; 0.05 means 5 %.", examples=["0.0123"]
    )
    commission: Money
    exit_reason: str | None = Field(
        default=None, description="What closed it: exit, stop_loss, take_profit or flatten."
    )
    entry_signal_id: str | None = None
    exit_signal_id: str | None = None
    market_context: dict[str, Any] | None = None


class TradeQuery(PeriodQuery):
    """Newest exit first; the period is that of the exit."""

    account_id: int | None = Field(default=None, examples=[1])
    deployment_id: int | None = Field(default=None, examples=[3])
    symbol: str | None = Field(default=None, max_length=32, examples=["SPY"])
    direction: Literal["long", "short"] | None = None
    result: Literal["win", "loss"] | None = None
