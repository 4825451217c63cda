"""Bars that the database folds are those that are folded here, to the last bit."""

import random
from datetime import datetime, timedelta

import asyncpg
import numpy as np
import pytest

from app.core.clock import from_ns
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BAR, BarBatch
from app.marketdata.calendar import trading_calendar
from app.repositories import bar_folds
from app.repositories.stock_data import StockData
from tests.factories import make_batch, ns, utc

XNYS = trading_calendar("XNYS")
MINUTE = 60 * 10**9
BEFORE, AFTER = utc("2000-01-01"), utc("2030-01-01")


def scattered(seed: int) -> BarBatch:
    """Minutes over a half day and a change of clocks, many missing, before and after hours too."""
    chance = random.Random(seed)
    begins = [ns("2023-11-02 08:00"), ns("2023-11-06 09:00"), ns("2023-11-24 12:00")]
    at = sorted({b + chance.randrange(0, 1_000) * MINUTE for b in begins for _ in range(300)})
    rows = np.zeros(len(at), dtype=BAR)
    rows["start"] = at
    rows["end"] = rows["start"] + MINUTE
    for row in rows:
        price = chance.uniform(90, 110)
        row["open"], row["close"] = price, price + chance.uniform(-1, 1)
        row["high"] = max(row["open"], row["close"]) + chance.random()
        row["low"] = min(row["open"], row["close"]) - chance.random()
        row["volume"] = chance.choice([0.0, chance.random() * 1_000, 700.1])
        row["vwap"] = chance.choice([price, price + 0.1])
    return BarBatch("AAPL", Timeframe.M1, rows)


def folded_here(
    minutes: BarBatch, timeframe: Timeframe, limit: int, start: datetime, end: datetime
) -> BarBatch:
    through = minutes.between(ns_of(start), ns_of(end + timedelta(days=1)))
    made = aggregate(through, timeframe, XNYS).between(ns_of(start), ns_of(end))
    return made[max(len(made) - limit, 0) :]


def ns_of(at: datetime) -> int:
    return ns(at.isoformat()[:19])


@pytest.mark.parametrize("seed", range(3))
async def test_the_newest_longer_bars_are_the_same_as_when_folded_here(
    pool: asyncpg.Pool, seed: int
) -> None:
    minutes, chance = scattered(seed), random.Random(seed)
    bars = StockData(pool, "import:test")
    await bars.store([minutes], "feed")
    for timeframe in (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1):
        for limit in (1, 3, 1_000):
            first, last = sorted(
                from_ns(int(chance.choice(minutes.start)) + chance.randrange(-90, 90) * MINUTE)
                for _ in range(2)
            )
            for start, end in ((BEFORE, AFTER), (first, last), (BEFORE, last), (first, AFTER)):
                wanted = folded_here(minutes, timeframe, limit, start, end)
                found = await bars.bars("AAPL", timeframe, start, end, limit)
                assert found.rows.tobytes() == wanted.rows.tobytes(), (timeframe, limit, start, end)


async def test_minutes_without_an_average_price_make_bars_without_one(pool: asyncpg.Pool) -> None:
    minutes = make_batch([1.0, 2.0, 3.0, 4.0, 5.0], volume=10)
    minutes.rows["vwap"][1] = np.nan
    bars = StockData(pool, "import:test")
    await bars.store([minutes], "feed")
    (bar,) = (await bars.bars("AAPL", Timeframe.M5, limit=1)).rows
    assert np.isnan(bar["vwap"])
    assert bar["volume"] == 50


async def test_where_a_database_mixes_up_the_order_minutes_are_folded_here(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = scattered(9)
    bars = StockData(pool, "import:test")
    await bars.store([minutes], "feed")
    mixed = bar_folds._FOLD.replace("ORDER BY start\n", "ORDER BY random()\n")
    assert mixed != bar_folds._FOLD
    monkeypatch.setattr(bar_folds, "_FOLD", mixed)
    stock = await bars.stock("AAPL")
    async with pool.acquire() as db:
        folding = bar_folds.newest(
            db, "import:test", stock.id, Timeframe.H1, XNYS, 50, (BEFORE, AFTER)
        )
        with pytest.raises(bar_folds.OutOfOrder):
            await folding
    wanted = folded_here(minutes, Timeframe.H1, 5, BEFORE, AFTER)
    found = await bars.bars("AAPL", Timeframe.H1, limit=5)
    assert found.rows.tobytes() == wanted.rows.tobytes()
