"""Longer bars: the values, the anchors, and that the stream agrees with the columns."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.market import Bar, Timeframe
from app.marketdata.aggregation import Aggregator, aggregate
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from tests.factories import make_batch, ns, utc

XNYS = trading_calendar("XNYS")
LONGER = [Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1]
HALF_DAY = date(2013, 11, 29)


def streamed(batch: BarBatch, timeframe: Timeframe) -> list[Bar]:
    maker = Aggregator(batch.symbol, timeframe, XNYS)
    made = []
    for row in batch.rows.tolist():
        made.append(maker.take(row[0]))
        maker.add(row)
    made.append(maker.take(int(batch.end[-1])))
    return [bar for bar in made if bar is not None]


def test_five_minutes_make_one_bar() -> None:
    batch = make_batch([10, 12, 9, 11, 10.5, 10.6])
    (bar,) = aggregate(batch, Timeframe.M5, XNYS).bars()
    assert (bar.start, bar.end) == (utc("2024-03-01 14:30"), utc("2024-03-01 14:35"))
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10, 12, 9, 10.5, 500)


def test_the_last_hour_of_a_half_day_is_shorter() -> None:
    batch = make_batch([10] * 210, day=HALF_DAY)
    hours = aggregate(batch, Timeframe.H1, XNYS).bars()
    assert [(b.end - b.start).total_seconds() / 60 for b in hours] == [60, 60, 60, 30]


def test_a_bar_that_is_not_over_is_not_made() -> None:
    assert len(aggregate(make_batch([10] * 4), Timeframe.M5, XNYS)) == 0
    until = ns("2024-03-01 14:35")
    assert len(aggregate(make_batch([10] * 4), Timeframe.M5, XNYS, until)) == 1


def test_bars_outside_regular_hours_are_left_out() -> None:
    batch = make_batch([10] * 6)
    batch.rows["start"] -= 3600 * 10**9
    batch.rows["end"] -= 3600 * 10**9
    assert len(aggregate(batch, Timeframe.M5, XNYS)) == 0
    assert streamed(batch, Timeframe.M5) == []


def test_the_average_price_is_weighted_by_volume() -> None:
    batch = make_batch([10] * 5)
    batch.rows["volume"] = [100, 0, 300, 0, 0]
    batch.rows["vwap"] = [10, np.nan, 20, np.nan, np.nan]
    assert aggregate(batch, Timeframe.M5, XNYS).rows["vwap"][0] == pytest.approx(17.5)


@given(
    st.lists(st.floats(1, 1000), min_size=1, max_size=900),
    st.sets(st.integers(0, 900)),
    st.floats(0.001, 1e6),
    st.sampled_from(LONGER),
)
def test_stream_and_columns_agree_to_the_bit(
    closes: list[float], missing: set[int], volume: float, timeframe: Timeframe
) -> None:
    batch = make_batch(closes, skip=sorted(missing), volume=volume, day=HALF_DAY)
    batch.rows["volume"] *= batch.rows["close"]
    if len(batch):
        assert aggregate(batch, timeframe, XNYS).bars() == streamed(batch, timeframe)


@settings(max_examples=25)  # each draws hundreds of prices
@given(st.lists(st.floats(1, 1000), min_size=400, max_size=800))
def test_hours_of_quarters_are_hours_of_minutes(closes: list[float]) -> None:
    batch = make_batch(closes)
    quarters = aggregate(batch, Timeframe.M15, XNYS)
    hours = aggregate(batch, Timeframe.H1, XNYS)
    assert aggregate(quarters, Timeframe.H1, XNYS).bars() == hours.bars()
