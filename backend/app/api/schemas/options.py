"""Option chains with their greeks."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import AwareInstant, In, Instant, Out, Price
from app.domain.options import OptionType

_STRIKE = Annotated[Decimal, Field(gt=0, le=Decimal("1e6"), max_digits=12, decimal_places=4)]


class OptionOut(Out):
    """One contract with its newest quote, and what the price implies; null where unknown.

    Volatility and greeks are ours, from the middle of a two-sided quote, else the last trade.
    """

    symbol: str = Field(description="OCC symbol without blanks.", examples=["GOOG160115C00750000"])
    expiry: date = Field(examples=["2016-01-15"])
    strike: Price = Field(examples=["750"])
    type: OptionType = Field(examples=["call"])
    at: Instant
    bid: float | None = Field(default=None, examples=[13.9])
    ask: float | None = Field(default=None, examples=[14.3])
    last: float | None = Field(default=None, examples=[14.1])
    volume: float | None = Field(default=None, examples=[120])
    open_interest: float | None = Field(default=None, examples=[3316])
    implied_volatility: float | None = Field(
        default=None, description="A year's, 0.2 is 20 %.", examples=[0.2021]
    )
    delta: float | None = Field(default=None, examples=[0.4967])
    gamma: float | None = Field(
        default=None, description="Change of delta a dollar.", examples=[0.0107]
    )
    theta: float | None = Field(default=None, description="A day's.", examples=[-0.3377])
    vega: float | None = Field(
        default=None, description="A percentage point of volatility.", examples=[0.7249]
    )
    rho: float | None = Field(
        default=None, description="A percentage point of interest.", examples=[0.2149]
    )
    underlying_price: float | None = Field(
        default=None, description="The stock's, when the quote was made.", examples=[748.4]
    )


class OptionChainOut(Out):
    """Contracts by expiry and strike, calls before puts, with what is true of the whole chain."""

    symbol: str = Field(description="The underlying.", examples=["GOOG"])
    dataset: str = Field(examples=["import:goog"])
    at: Instant | None = Field(description="Newest quote of the chain; null when it is empty.")
    underlying_price: float | None = Field(examples=[748.4])
    expiries: list[date] = Field(
        description="Every expiry of the chain, whatever was asked for.",
        examples=[["2016-01-15", "2016-02-19"]],
    )
    datasets: list[str] = Field(
        description="Every data set that has a chain on this stock.", examples=[["import:goog"]]
    )
    items: list[OptionOut]
    next_cursor: str | None = None


class OptionQuery(In):
    """Which contracts. Without `expiry` all of them, a page at a time."""

    expiry: date | None = Field(default=None, examples=["2016-01-15"])
    type: OptionType | None = Field(default=None, description="Calls or puts only.")
    min_strike: _STRIKE | None = Field(default=None, examples=["700"])
    max_strike: _STRIKE | None = Field(default=None, examples=["800"])
    at: AwareInstant | None = Field(
        default=None, description="The chain as it stood then; without: the newest."
    )
    account_id: int | None = Field(default=None, description="The data set of this account.")
    dataset: str | None = Field(
        default=None,
        max_length=100,
        description="live, simulated, replay:NAME, import:NAME; neither: the only account's.",
        examples=["import:goog"],
    )
    limit: int = Field(default=500, ge=1, le=5_000, description="Contracts on a page.")
    cursor: str | None = Field(
        default=None, max_length=500, description="`next_cursor` of the page before."
    )
    format: Literal["json", "csv"] | None = Field(
        default=None, description="`csv`: this page as a file (also by `Accept: text/csv`)."
    )
