"""The verdict on stored series, and the ledger of their gaps."""

import asyncpg
import numpy as np
import pytest

from app.core.clock import ManualClock
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from app.repositories import bar_series, data_gaps
from app.repositories.paging import Row
from app.repositories.stock_data import StockData
from app.services.data_quality import SeriesVerdict, check
from tests.factories import make_batch, utc


async def verdicts(pool: asyncpg.Pool, *which: str, **how: object) -> dict[str, SeriesVerdict]:
    return {one.symbol: one async for one in check(pool, *which, **how)}  # type: ignore[arg-type]


async def ledger(pool: asyncpg.Pool) -> list[Row]:
    rows = (await data_gaps.listing(pool)(100, None)).items
    return sorted(rows, key=lambda row: row["start"])


async def test_the_verdict_of_every_series(pool: asyncpg.Pool) -> None:
    bars = StockData(pool, "import:files")
    whole = make_batch([100.0] * 100)
    spike = make_batch([100.0] * 100, symbol="QQQ")
    spike.rows["high"][50] = 9000
    holes = make_batch([100.0] * 100, symbol="SPY", skip=range(20, 30))
    await bars.store([whole, holes, spike], "test")
    seen: list[tuple[int, int]] = []
    found = await verdicts(pool, progress=lambda *at: seen.append(at))
    assert {s: v.verdict for s, v in found.items()} == {"AAPL": "good", "SPY": "gaps", "QQQ": "bad"}
    spy = found["SPY"]
    assert (spy.missing, spy.gaps, spy.completeness, spy.behind_seconds) == (10, 1, 0.9, None)
    assert found["AAPL"].fingerprint == whole.fingerprint()
    assert found["QQQ"].findings["refused"] == 1
    assert seen[-1] == (290, 290)


async def test_gaps_are_remembered_repaired_and_found_again(pool: asyncpg.Pool) -> None:
    bars = StockData(pool, "import:files")
    await bars.store([make_batch([100.0] * 100, skip=[*range(20, 30), 40])], "test")
    found = (await verdicts(pool))["AAPL"]
    assert [bars for _, _, bars in found.new_gaps] == [10, 1]
    assert (await verdicts(pool))["AAPL"].new_gaps == []
    await bars.store([make_batch([100.0] * 100, skip=range(25, 30))], "repair")
    found = (await verdicts(pool, "import:files", "AAPL"))["AAPL"]
    assert (found.missing, found.gaps, found.gaps_explained) == (5, 1, 2)
    assert [(row["bars"], row["state"]) for row in await ledger(pool)] == [
        (10, "repaired"),
        (5, "unexplained"),
        (1, "repaired"),
    ]
    await pool.execute("DELETE FROM stock_data WHERE start = $1", utc("2024-03-01 15:10"))
    await verdicts(pool)
    assert [(row["state"], row["repaired_at"] is None) for row in await ledger(pool)] == [
        ("repaired", False),
        ("unexplained", True),
        ("unexplained", True),
    ]


async def test_bars_that_could_not_be_are_no_longer_missing(pool: asyncpg.Pool) -> None:
    bars = StockData(pool, "import:files")
    await bars.store([make_batch([100.0] * 100, skip=[20, 40])], "test")
    await verdicts(pool)
    await pool.execute("UPDATE data_gaps SET state = 'no_trade' WHERE start < '2024-03-01 15:00Z'")
    found = (await verdicts(pool))["AAPL"]
    assert (found.missing, found.gaps, found.gaps_explained) == (1, 1, 1)
    await pool.execute("UPDATE data_gaps SET state = 'closed'")
    assert (await verdicts(pool))["AAPL"].verdict == "good"


async def test_windows_join_into_one_series(pool: asyncpg.Pool) -> None:
    random = np.random.default_rng(3)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.0003, 40_000)))
    years = make_batch(closes.tolist(), skip=range(20_000, 31_000))
    await StockData(pool, "import:files").store([years], "test")
    found = (await verdicts(pool))["AAPL"]
    assert (found.bars, found.expected, found.missing) == (29_000, 40_000, 11_000)
    assert found.fingerprint == years.fingerprint()
    assert found.gaps == len(await ledger(pool)) > 20, "a gap ends with its session"


async def test_only_series_that_changed_are_judged_anew(pool: asyncpg.Pool) -> None:
    bars = StockData(pool, "import:files")
    await bars.store([make_batch([100.0] * 9), make_batch([10.0] * 9, symbol="SPY")], "test")
    assert set(await verdicts(pool, changed=True)) == {"AAPL", "SPY"}
    await bars.store([make_batch([11.0], first=9)], "test")
    assert set(await verdicts(pool, changed=True)) == {"AAPL"}


@pytest.mark.parametrize(
    ("now", "verdict", "behind"),
    [("2024-03-01 16:12", "good", 120), ("2024-03-01 16:20", "stale", 600)],
)
async def test_a_live_series_goes_stale(
    pool: asyncpg.Pool, now: str, verdict: str, behind: int
) -> None:
    batch: BarBatch = make_batch([100.0] * 100)
    await StockData(pool, "live").store([batch], "test")
    found = (await verdicts(pool, clock=ManualClock(utc(now))))["AAPL"]
    assert (found.verdict, found.behind_seconds) == (verdict, behind)


async def test_a_missing_day_is_a_gap_of_daily_bars(pool: asyncpg.Pool) -> None:
    days = make_batch([100.0] * 30, timeframe=Timeframe.D1, skip=[7])
    await StockData(pool, "import:files").store([days], "test")
    found = (await verdicts(pool))["AAPL"]
    assert (found.expected, found.missing) == (30, 1)
    rows = (await bar_series.listing(pool)(10, None)).items
    assert [row["gaps"] for row in rows] == [1]
