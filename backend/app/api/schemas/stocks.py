"""Stocks, their bars, quotes and indicator columns."""

from datetime import date
from typing import Any, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.base import AwareInstant, In, Instant, Out, PageQuery, Price, Quantity
from app.domain.instruments import InstrumentKind
from app.domain.market import Timeframe


class PriceNowOut(Out):
    """The newest price of a stock in one data set, against the session before."""

    dataset: str = Field(examples=["simulated"])
    last: float = Field(examples=[187.32])
    at: Instant
    previous_close: float | None = Field(default=None, examples=[185.9])
    change: float | None = Field(default=None, examples=[1.42])
    change_fraction: float | None = Field(default=None, examples=[0.0076])


class StockOut(Out):
    """One stock or fund that can be charted and traded."""

    id: int = Field(examples=[1])
    symbol: str = Field(examples=["AAPL"])
    name: str | None = Field(default=None, examples=["Apple Inc."])
    exchange: str = Field(description="Market identifier code.", examples=["XNAS"])
    sector: str | None = Field(default=None, examples=["Information Technology"])
    kind: InstrumentKind = InstrumentKind.STOCK
    tick: Price = Field(description="Grid of prices.", examples=["0.01"])
    lot: Quantity = Field(description="Grid of quantities.", examples=["1"])
    currency: str = Field(examples=["USD"])
    now: PriceNowOut | None = Field(
        default=None, description="Set when a data set or account was named and a price is known."
    )


class SeriesOut(Out):
    """What is stored of one stock in one data set at one timeframe."""

    dataset: str = Field(examples=["simulated"])
    timeframe: Timeframe
    first_start: Instant
    last_start: Instant
    bars: int = Field(examples=[390])


class StockDetailOut(StockOut):
    """A stock with what is stored of it."""

    series: list[SeriesOut] = Field(default_factory=list)


class BarOut(Out):
    """OHLCV over [start, end); a session's last bar may be shorter than the timeframe."""

    start: Instant
    end: Instant
    open: float = Field(examples=[187.1])
    high: float = Field(examples=[187.6])
    low: float = Field(examples=[186.9])
    close: float = Field(examples=[187.32])
    volume: float = Field(examples=[120400])
    vwap: float | None = Field(default=None, examples=[187.25])


class BarsOut(Out):
    """Bars in time order. Without `start` these are the newest `limit` before `end`."""

    symbol: str = Field(examples=["AAPL"])
    dataset: str = Field(examples=["simulated"])
    timeframe: Timeframe
    adjusted: bool
    items: list[BarOut]
    next_cursor: str | None = None


class QuoteOut(Out):
    """The newest known price of a stock in one data set."""

    symbol: str = Field(examples=["AAPL"])
    dataset: str = Field(examples=["simulated"])
    at: Instant
    bid: float | None = Field(default=None, examples=[187.31])
    bid_size: float | None = Field(default=None, examples=[300])
    ask: float | None = Field(default=None, examples=[187.33])
    ask_size: float | None = Field(default=None, examples=[200])
    last: float = Field(
        description="Middle of the quote, else the last print or close.", examples=[187.32]
    )
    source: str = Field(
        description="quote, trade or bar: where `last` comes from.", examples=["quote"]
    )
    age_seconds: float | None = Field(
        description="Null where the data set has a time of its own: simulated, replayed, imported.",
        examples=[0.4],
    )


class IndicatorColumnsOut(Out):
    """One indicator over stored bars: `columns` run parallel to `start`, null before lookback."""

    symbol: str = Field(examples=["AAPL"])
    dataset: str = Field(examples=["simulated"])
    timeframe: Timeframe
    name: str = Field(examples=["sma"])
    parameters: dict[str, Any] = Field(examples=[{"length": 20}])
    start: list[Instant]
    columns: dict[str, list[float | None]] = Field(examples=[{"sma": [None, 187.2]}])


class StockQuery(PageQuery):
    """By symbol. With an account or a data set, each stock carries its newest price."""

    q: str | None = Field(default=None, max_length=64, description="Part of symbol or name.")
    symbol: list[str] = Field(default=[], max_length=200, description="Only these.")
    account_id: int | None = Field(default=None, description="Prices of this account's data set.")
    dataset: str | None = Field(default=None, max_length=100, examples=["simulated"])


class _SeriesQuery(In):
    timeframe: Timeframe = Timeframe.M1
    start: AwareInstant | None = Field(default=None, description="First bar, inclusive.")
    end: AwareInstant | None = Field(default=None, description="Bars that start before this.")
    account_id: int | None = Field(default=None, description="The data set of this account.")
    dataset: str | None = Field(
        default=None,
        max_length=100,
        description="live, simulated, replay:NAME, import:NAME; neither: the only account's.",
        examples=["simulated"],
    )


class BarQuery(_SeriesQuery):
    """Without `start`: the newest `limit` bars before `end` (for scrolling back)."""

    limit: int = Field(default=500, ge=1, le=50_000)
    adjusted: bool = Field(
        default=False,
        description="In the shares of `as_of`: by the splits and dividends in effect by then.",
    )
    as_of: AwareInstant | None = Field(
        default=None, description="With `adjusted`: as it was known at this instant; else now."
    )
    format: Literal["json", "csv"] | None = None


class IndicatorQuery(_SeriesQuery):
    """Parameters go beside these: `?name=sma&length=20` or `?name=sma&parameters[length]=20`."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=64, examples=["sma"])
    limit: int = Field(default=500, ge=1, le=20_000)
    parameters: dict[str, str] = Field(default_factory=dict)


class MarketSessionOut(Out):
    """One trading session of the stock's exchange."""

    session: date = Field(examples=["2026-11-20"])
    open: Instant
    close: Instant


class MarketSessionsOut(Out):
    """Sessions between two instants."""

    symbol: str = Field(examples=["AAPL"])
    exchange: str = Field(examples=["XNAS"])
    items: list[MarketSessionOut]
    next_cursor: None = None
