"""Sources of market data, their keys, and their live connections."""

from enum import StrEnum

from pydantic import Field

from app.api.schemas.base import Instant, Out


class FeedStatus(StrEnum):
    """closed: the market is; standby: a better one serves; gone: nobody reads it any more."""

    STANDBY = "standby"
    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    REFUSED = "refused"
    CLOSED = "closed"
    GONE = "gone"


class FeedOut(Out):
    """One provider in the chain of one live account; place 0 is the best."""

    account_id: int = Field(examples=[2])
    account: str = Field(examples=["Live data (paper)"])
    place: int = Field(examples=[0])
    state: FeedStatus
    symbols: int = Field(description="Subscribed.", examples=[9])
    serving: int = Field(description="Whose newest bar came from here.", examples=[9])
    silent: int = Field(description="From which nothing comes.", examples=[0])
    reconnects: int = Field(default=0, examples=[1])
    last_item_at: Instant | None = None
    last_bar_end: Instant | None = None
    lag_seconds: float | None = Field(
        default=None, description="From the end of its newest bar to its arrival.", examples=[0.8]
    )
    queue: int = Field(default=0, description="Prints and quotes that wait.", examples=[0])
    problem: str | None = Field(default=None, examples=["The key is not valid."])


class NeedOut(Out):
    """A variable that a source cannot do without."""

    variable: str = Field(examples=["ALPACA_API_KEY"])
    is_set: bool = Field(examples=[True])


class SourceOut(Out):
    """Somebody, or something, that market data can come from."""

    name: str = Field(examples=["alpaca"])
    title: str = Field(examples=["Alpaca"])
    gives: str = Field(examples=["History and live: prints, quotes, bars, option chains"])
    is_local: bool = Field(description="Reads files or makes prices: asks nobody.")
    where: str | None = Field(
        description="Where to get the key.", examples=["https://app.alpaca.markets"]
    )
    needs: list[NeedOut]
    feeds: list[FeedOut] = Field(description="Live accounts that use it.")


class SourcesOut(Out):
    items: list[SourceOut]
