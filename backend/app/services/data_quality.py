"""The verdict on every stored series, and its gaps entered in the ledger."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from app.domain.market import Timeframe
from app.marketdata.batch import to_datetime
from app.marketdata.calendar import trading_calendar
from app.marketdata.quality import completeness
from app.marketdata.validation import validate
from app.repositories import data_gaps, quarantine
from app.repositories.bar_series import Series
from app.repositories.stock_data import StockData, datasets

COMPLETE: Final = 0.999
"Share of expected bars from which a series counts as complete."


class SeriesVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One series: how many bars, how whole, how believable, and a fingerprint of all its bars."""

    dataset: str
    symbol: str
    timeframe: Timeframe
    bars: int
    first_start: datetime
    last_start: datetime
    expected: int
    missing: int
    completeness: float
    gaps: int
    bad: int
    "Stored bars that the rules would refuse today."
    quarantined: int
    verdict: str
    "good, gaps (bars are missing) or bad (some stored bar is not believable)."
    fingerprint: str


async def check(
    pool: asyncpg.Pool, dataset: str | None = None, symbol: str | None = None
) -> AsyncIterator[SeriesVerdict]:
    """Judge every stored series, or those of a data set or symbol; gaps go into the ledger."""
    for name in await datasets(pool) if dataset is None else [dataset]:
        bars = StockData(pool, name)
        for series in await bars.series(symbol):
            yield await _judge(pool, bars, series)


async def _judge(pool: asyncpg.Pool, bars: StockData, series: Series) -> SeriesVerdict:
    stock = await bars.stock(series.symbol)
    calendar = trading_calendar(stock.exchange)
    batch = await bars.stored(series.symbol, series.timeframe)
    whole = completeness(batch, calendar)
    verdict = validate(batch, calendar)
    refused = await quarantine.counts(pool, bars.dataset, series.symbol)
    gaps = [(to_datetime(start), to_datetime(end)) for start, end in whole.gaps]
    await data_gaps.replace(pool, bars.dataset, stock.id, series.timeframe, gaps)
    return SeriesVerdict(
        dataset=bars.dataset,
        symbol=series.symbol,
        timeframe=series.timeframe,
        bars=series.bars,
        first_start=series.first_start,
        last_start=series.last_start,
        expected=whole.expected,
        missing=whole.expected - whole.found,
        completeness=round(whole.share, 6),
        gaps=len(gaps),
        bad=len(verdict.bad),
        quarantined=sum(refused.values()),
        verdict=_word(whole.share, len(verdict.bad)),
        fingerprint=batch.fingerprint(),
    )


def _word(share: float, bad: int) -> str:
    if bad:
        return "bad"
    return "good" if share >= COMPLETE else "gaps"
