"""Bars on a real PostgreSQL: stored once, corrected with a trace, read as columns."""

import asyncpg
import numpy as np
import pytest

from app.core.errors import NotFound
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.calendar import trading_calendar
from app.repositories.stock_data import Policy, StockData, Stored
from tests.factories import FRIDAY, make_batch, utc


@pytest.fixture
def bars(pool: asyncpg.Pool) -> StockData:
    return StockData(pool, "import:test")


async def test_what_is_stored_is_what_is_read(bars: StockData) -> None:
    batch = make_batch([100, 101, 102.5])
    assert await bars.store([batch], "file") == Stored(inserted=3)
    assert (await bars.bars("AAPL", Timeframe.M1)).bars() == batch.bars()


async def test_storing_twice_changes_nothing(pool: asyncpg.Pool, bars: StockData) -> None:
    batch = make_batch([100, 101, 102.5])
    await bars.store([batch], "file")
    assert await bars.store([batch], "file") == Stored(unchanged=3)
    again = StockData(pool, "import:test")
    assert await again.store([batch], "file", Policy.CORRECT) == Stored(unchanged=3)


async def test_old_and_new_bars_may_come_together(bars: StockData) -> None:
    whole = make_batch([1, 2, 3, 4, 5])
    await bars.store([whole[slice(2, 4)]], "file")
    assert await bars.store([whole], "file") == Stored(inserted=3, unchanged=2)
    assert (await bars.bars("AAPL", Timeframe.M1)).bars() == whole.bars()


async def test_a_writer_that_was_overtaken_merges(pool: asyncpg.Pool, bars: StockData) -> None:
    whole = make_batch([1, 2, 3, 4])
    await bars.store([whole[slice(0, 1)]], "file")
    await StockData(pool, "import:test").store([whole[slice(1, 3)]], "other")
    assert await bars.store([whole[slice(1, 4)]], "file") == Stored(inserted=1, unchanged=2)


async def test_a_correction_replaces_and_keeps_the_old_row(
    pool: asyncpg.Pool, bars: StockData
) -> None:
    await bars.store([make_batch([10, 11, 12])], "first")
    for close in (13, 14):
        stored = await bars.store([make_batch([10, 11, close])], "second", Policy.CORRECT)
        assert stored == Stored(corrected=1, unchanged=2)
    assert (await bars.bars("AAPL", Timeframe.M1)).rows["close"].tolist() == [10, 11, 14]
    kept = await pool.fetch(
        "SELECT revision, close, source, reason FROM stock_data_revisions ORDER BY revision"
    )
    assert [tuple(row) for row in kept] == [
        (1, 12, "first", "replaced by second"),
        (2, 13, "second", "replaced by second"),
    ]


async def test_kept_bars_are_not_corrected(bars: StockData) -> None:
    await bars.store([make_batch([10, 11])], "first")
    assert await bars.store([make_batch([10, 12])], "second") == Stored(unchanged=2)


async def test_average_prices_may_be_known_for_some_bars(
    pool: asyncpg.Pool, bars: StockData
) -> None:
    batch = make_batch([10, 11, 12])
    batch.rows["vwap"][1] = 10.5
    await bars.store([batch], "file")
    read = await bars.bars("AAPL", Timeframe.M1)
    assert np.isnan(read.rows["vwap"]).tolist() == [True, False, True]
    assert await pool.fetchval("SELECT count(*) FROM stock_data WHERE vwap IS NULL") == 2
    forgotten = make_batch([10, 11, 12])
    assert await bars.store([forgotten], "file", Policy.CORRECT) == Stored(unchanged=3)


async def test_several_series_are_stored_at_once(bars: StockData) -> None:
    batches = [make_batch([1, 2], symbol=s) for s in ("AAPL", "SPY")]
    batches.append(make_batch([5], symbol="SPY", timeframe=Timeframe.D1))
    assert await bars.store(batches, "feed") == Stored(inserted=5)
    found = await bars.series()
    assert [(s.symbol, s.timeframe, s.bars) for s in found] == [
        ("AAPL", "1m", 2),
        ("SPY", "1d", 1),
        ("SPY", "1m", 2),
    ]
    assert found[0].last_start == utc("2024-03-01 14:31")


async def test_a_failed_batch_stores_nothing(bars: StockData) -> None:
    bad = make_batch([1, 2], symbol="SPY")
    bad.rows["high"][1] = 0
    with pytest.raises(asyncpg.CheckViolationError):
        await bars.store([make_batch([1, 2]), bad], "feed")
    assert await bars.series() == []


async def test_datasets_never_mix(pool: asyncpg.Pool, bars: StockData) -> None:
    await bars.store([make_batch([1])], "file")
    assert len(await StockData(pool, "live").bars("AAPL", Timeframe.M1)) == 0


async def test_an_unknown_symbol_is_answered_with_the_nearest(bars: StockData) -> None:
    with pytest.raises(NotFound, match="Did you mean AAPL"):
        await bars.store([make_batch([1], symbol="AAPPL")], "file")


async def test_ranges_and_limits(bars: StockData) -> None:
    await bars.store([make_batch(range(1, 11))], "file")
    start, end = utc("2024-03-01 14:32"), utc("2024-03-01 14:36")
    ranged = await bars.bars("AAPL", Timeframe.M1, start, end)
    assert ranged.rows["close"].tolist() == [3, 4, 5, 6]
    newest = await bars.bars("AAPL", Timeframe.M1, end=end, limit=2)
    assert newest.rows["close"].tolist() == [5, 6]


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.H1, Timeframe.D1])
async def test_longer_bars_are_made_from_minutes(bars: StockData, timeframe: Timeframe) -> None:
    minutes = make_batch([1 + i % 7 for i in range(1200)])
    await bars.store([minutes], "feed")
    made = aggregate(minutes, timeframe, trading_calendar())
    assert (await bars.bars("AAPL", timeframe)).bars() == made.bars()
    assert (await bars.bars("AAPL", timeframe, limit=2)).bars() == made.bars()[-2:]
    end = made.bar(len(made) - 1).start
    before = await bars.bars("AAPL", timeframe, start=made.bar(1).start, end=end)
    assert before.bars() == made.bars()[1:-1]


async def test_stored_longer_bars_are_used_where_there_are_no_minutes(bars: StockData) -> None:
    hours = make_batch([1, 2, 3], timeframe=Timeframe.H1)
    await bars.store([hours], "file")
    assert (await bars.bars("AAPL", Timeframe.H1)).bars() == hours.bars()


async def test_stored_days_come_before_made_ones(bars: StockData) -> None:
    days = make_batch([7], timeframe=Timeframe.D1, day=FRIDAY)
    await bars.store([make_batch([1] * 390), days], "file")
    assert (await bars.bars("AAPL", Timeframe.D1)).bars() == days.bars()
