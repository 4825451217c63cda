"""Positions: what each ledger holds now."""

from pydantic import Field

from app.api.schemas.base import Fraction, Instant, Money, Out, PageQuery, Price, Quantity


class PositionOut(Out):
    """One symbol in one ledger, marked at the newest price we know."""

    account_id: int = Field(examples=[1])
    ledger: str = Field(examples=["d3"])
    deployment_id: int | None = Field(default=None, examples=[3])
    symbol: str = Field(examples=["SPY"])
    quantity: Quantity = Field(description="Signed: negative is short.")
    average_price: Price
    market_price: Price | None = Field(default=None, description="Null: never seen a price.")
    market_value: Money | None = None
    unrealized_pnl: Money | None = None
    realized_pnl: Money = Field(description="Closed so far, costs deducted.")
    commission: Money
    weight: Fraction | None = Field(
        default=None, description="Market value as a fraction of the account's equity."
    )
    stop_loss: Price | None = Field(default=None, description="Working protective stop.")
    stop_trail: Price | None = Field(
        default=None, description="Distance of a stop that trails; `stop_loss` is where it began."
    )
    take_profit: Price | None = None
    is_protected_here: bool = Field(
        default=False,
        description="Protected only while running: a leg is held here, since the broker cannot"
        " have it.",
    )
    opened_at: Instant | None = None
    updated_at: Instant | None = None


class PositionQuery(PageQuery):
    """By symbol; only what is held unless `held` is false."""

    account_id: int | None = Field(default=None, examples=[1])
    deployment_id: int | None = Field(default=None, examples=[3])
    symbol: str | None = Field(default=None, max_length=32, examples=["SPY"])
    held: bool = Field(default=True, description="False: also positions that are flat now.")
