"""Holes in a series, found against the exchange's own hours."""

from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.quality import completeness
from tests.factories import make_batch, ns

XNYS = trading_calendar("XNYS")


def test_a_whole_series_has_no_gap_over_a_weekend() -> None:
    found = completeness(make_batch([1] * 800), XNYS)
    assert (found.expected, found.found, found.gaps, found.share) == (800, 800, (), 1)


def test_missing_minutes_are_joined_within_a_session() -> None:
    found = completeness(make_batch([1] * 500, skip=[3, 4, 7, *range(380, 395)]), XNYS)
    assert (found.expected, found.found) == (500, 482)
    assert found.gaps == (
        (ns("2024-03-01 14:33"), ns("2024-03-01 14:35")),
        (ns("2024-03-01 14:37"), ns("2024-03-01 14:38")),
        (ns("2024-03-01 20:50"), ns("2024-03-01 21:00")),
        (ns("2024-03-04 14:30"), ns("2024-03-04 14:35")),
    )


def test_missing_days_are_gaps_of_daily_bars() -> None:
    found = completeness(make_batch([1] * 5, timeframe=Timeframe.D1, skip=[2]), XNYS)
    assert found.gaps == ((ns("2024-03-05 14:30"), ns("2024-03-05 21:00")),)


def test_an_empty_series_lacks_nothing() -> None:
    assert completeness(BarBatch.empty("AAPL", Timeframe.M1), XNYS).share == 1
