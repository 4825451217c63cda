"""Holes in a series, found against the exchange's own hours."""

from itertools import pairwise

import numpy as np
import pytest

from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.quality import Hole, SeriesCheck, behind_ns, completeness
from tests.factories import make_batch, ns

XNYS = trading_calendar("XNYS")


def test_a_whole_series_has_no_gap_over_a_weekend() -> None:
    found = completeness(make_batch([1] * 800), XNYS)
    assert (found.expected, found.found, found.holes, found.share) == (800, 800, (), 1)


def test_missing_minutes_are_joined_within_a_session() -> None:
    found = completeness(make_batch([1] * 500, skip=[3, 4, 7, *range(380, 395)]), XNYS)
    assert (found.expected, found.found) == (500, 482)
    assert found.holes == (
        Hole(ns("2024-03-01 14:33"), ns("2024-03-01 14:35"), 2),
        Hole(ns("2024-03-01 14:37"), ns("2024-03-01 14:38"), 1),
        Hole(ns("2024-03-01 20:50"), ns("2024-03-01 21:00"), 10),
        Hole(ns("2024-03-04 14:30"), ns("2024-03-04 14:35"), 5),
    )


def test_missing_days_are_gaps_of_daily_bars() -> None:
    found = completeness(make_batch([1] * 5, timeframe=Timeframe.D1, skip=[2]), XNYS)
    assert found.holes == (Hole(ns("2024-03-05 14:30"), ns("2024-03-05 21:00"), 1),)


def test_an_empty_series_lacks_nothing() -> None:
    assert completeness(BarBatch.empty("AAPL", Timeframe.M1), XNYS).share == 1


def test_single_seconds_without_a_trade_are_no_gap() -> None:
    seconds = make_batch(
        [1] * 400, timeframe=Timeframe.S1, skip=[5, *range(100, 159), *range(200, 260)]
    )
    found = completeness(seconds, XNYS)
    assert [hole.bars for hole in found.holes] == [60]


# ------------------------------------------------------------------------------ window by window


def walk(bars: int, *, seed: int = 1, timeframe: Timeframe = Timeframe.M1) -> BarBatch:
    random = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.0005, bars)))
    batch = make_batch(closes.tolist(), timeframe=timeframe)
    batch.rows["volume"] = random.integers(100, 10_000, bars)
    return batch


def checked(batch: BarBatch, cuts: list[int] | None = None) -> SeriesCheck:
    """The check of a batch that comes in windows which begin at the bars `cuts`."""
    check = SeriesCheck(batch.symbol, batch.timeframe, XNYS)
    edges = [
        int(batch.start[0]),
        *(int(batch.start[i]) for i in cuts or []),
        int(batch.start[-1]) + 1,
    ]
    for first, end in pairwise(edges):
        check.take(batch.between(first, end), first, end)
    check.finish()
    return check


def test_a_usual_series_has_nothing_to_be_said_of() -> None:
    check = checked(walk(2_000))
    assert (check.missing, check.findings.bad, check.findings.suspicious) == (0, 0, 0)
    assert not check.is_bad


@pytest.mark.parametrize("cuts", [[1], [389, 390, 391], [700], [100, 101, 102, 1_500]])
def test_where_the_windows_are_cut_does_not_matter(cuts: list[int]) -> None:
    batch = walk(2_000)
    for name in ("open", "high", "low", "close", "volume"):
        batch.rows[name][699:710] = batch.rows[name][698]
    batch = batch[~np.isin(np.arange(2_000), [100, 101, 102, 103, 900])]
    whole, parts = checked(batch), checked(batch, cuts)
    assert parts.fingerprint == whole.fingerprint == batch.fingerprint()
    assert parts.holes == whole.holes == list(completeness(batch, XNYS).holes)
    assert (parts.expected, parts.bars) == (whole.expected, whole.bars)
    assert whole.findings.repeated_bars == parts.findings.repeated_bars == 11


def test_bars_that_cannot_be_believed_make_a_series_bad() -> None:
    batch = walk(500)
    batch.rows["close"][100] *= 10
    batch.rows["high"][100] = batch.rows["close"][100]
    check = checked(batch)
    assert check.findings.refused == 1
    assert check.is_bad


def test_a_spike_that_goes_back_is_suspicious_and_a_lasting_move_is_not() -> None:
    spiked, moved = walk(1_000), walk(1_000)
    for name in ("open", "high", "low", "close"):
        spiked.rows[name][500] *= 1.05
        moved.rows[name][500:] *= 1.05
    assert checked(spiked).findings.spikes == 1
    assert checked(moved).findings.spikes == 0
    wick = walk(1_000)
    wick.rows["low"][500] *= 0.9
    assert checked(wick).findings.spikes == 1


def test_bars_of_a_feed_that_stood_still_and_empty_bars_are_counted() -> None:
    batch = walk(1_000)
    for name in ("open", "high", "low", "close"):
        batch.rows[name][200:240] = batch.rows["close"][199]
    batch.rows["volume"][300:330] = 0
    found = checked(batch).findings
    assert (found.zero_range_bars, found.zero_volume_bars, found.repeated_bars) == (40, 30, 0)


def test_bars_that_overlap_are_bad() -> None:
    batch = walk(100)
    batch.rows["end"][50] += 30 * 10**9
    assert checked(batch, [51]).findings.overlapping == 1


@pytest.mark.parametrize(
    ("last", "now", "minutes"),
    [
        ("2024-03-01 15:00", "2024-03-01 15:01", 0),
        ("2024-03-01 15:00", "2024-03-01 15:02", 1),
        ("2024-03-01 15:00", "2024-03-01 15:07", 6),
        ("2024-03-01 20:59", "2024-03-04 14:30", 0),
        ("2024-03-01 20:58", "2024-03-04 14:30", 1),
        ("2024-03-01 20:59", "2024-03-04 14:32", 2),
    ],
)
def test_a_live_series_is_behind_by_trading_time(last: str, now: str, minutes: int) -> None:
    assert behind_ns(XNYS, Timeframe.M1, ns(last), ns(now)) == minutes * 60 * 10**9


def test_a_daily_bar_is_due_when_the_session_is_over() -> None:
    day = ("2024-03-01 14:30", Timeframe.D1)
    assert behind_ns(XNYS, day[1], ns(day[0]), ns("2024-03-04 20:00")) == 0
    assert behind_ns(XNYS, day[1], ns(day[0]), ns("2024-03-04 21:00")) == 6.5 * 3_600 * 10**9
