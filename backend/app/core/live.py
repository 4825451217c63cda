"""Settings of live feeds: when one counts as silent, and how long to wait for what."""

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.core.config import split_list
from app.core.options import Options

FEED_ORDER: Final = ("databento", "alpaca", "twelve_data")
"Providers that need a key, the best first: what a first run makes its chain of."
Name = Literal["trades", "quotes", "bars"]


class LiveOptions(Options):
    """Live market data: silence, waits, and what is asked for."""

    model_config = SettingsConfigDict(env_prefix="LIVE_")

    feeds: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated providers of the first live account, the best first;"
        " empty: every provider whose key is set",
    )
    symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated symbols of the first live account; empty: DATABENTO_SYMBOLS",
    )
    channels: Annotated[tuple[Name, ...], NoDecode] = Field(
        default=("trades", "quotes", "bars"),
        description="What is asked of a provider, where it has it",
    )
    grace_seconds: float = Field(
        default=2.0, gt=0, description="A slice closes this long after its end, complete or not"
    )
    fresh_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Bars that come later than this after their end only warm up strategies",
    )
    silent_seconds: float = Field(
        default=45.0,
        gt=0,
        description="A connection without a word for so long, market open, is lost",
    )
    symbol_silent_seconds: float = Field(
        default=300.0,
        gt=0,
        description="A symbol without a bar for so long goes to the next provider too",
    )
    failover_seconds: float = Field(
        default=10.0, ge=0, description="How long a lost provider may take before the next one acts"
    )
    settle_seconds: float = Field(
        default=150.0,
        ge=0,
        description="How long a provider must be back, without a bar yet, to count as recovered",
    )
    lead_seconds: float = Field(
        default=300.0, ge=0, description="Connect this long before the market opens"
    )
    first_wait_seconds: float = Field(
        default=0.5, gt=0, description="Wait before the first reconnection; doubled each time"
    )
    longest_wait_seconds: float = Field(
        default=60.0, gt=0, description="Longest wait between two reconnections"
    )
    hold_seconds: float = Field(
        default=60.0, ge=0, description="New bars wait so long for missed ones that are fetched"
    )
    poll_seconds: float = Field(
        default=60.0, gt=0, description="How often a provider without a live connection is asked"
    )

    _split = field_validator("feeds", "symbols", "channels", mode="before")(split_list)
