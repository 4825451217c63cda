"""Columns of bars and the domain's bars say the same."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, concatenate, to_datetime, to_datetimes, to_ns
from tests.factories import make_bars, make_batch, ns


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_survives_nanoseconds(instant: datetime) -> None:
    assert to_datetime(to_ns(instant)) == instant


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_ns(datetime(2024, 1, 1))  # noqa: DTZ001  naive on purpose


def test_bars_and_columns_are_the_same_bars() -> None:
    bars = make_bars([100, 101, 99.5])
    batch = BarBatch.from_bars(bars)
    assert batch.bars() == bars
    assert [batch.bar(i) for i in range(3)] == bars
    assert batch.columns()["close"].tolist() == [100, 101, 99.5]
    assert to_datetimes(batch.start) == [bar.start for bar in bars]


def test_a_batch_holds_one_series() -> None:
    with pytest.raises(ValueError, match="one series, not 2"):
        BarBatch.from_bars(make_bars([1]) + make_bars([1], symbol="SPY"))
    with pytest.raises(ValueError, match="one series, not 2"):
        concatenate([make_batch([1]), make_batch([1], symbol="SPY")])


def test_sorting_and_cutting() -> None:
    batch = make_batch([1, 2, 3, 4])
    mixed = concatenate([batch[slice(2, 4)], batch[slice(0, 2)]])
    assert mixed.sorted().bars() == batch.bars()
    assert batch.sorted() is batch
    cut = batch.between(ns("2024-03-01 14:31"), ns("2024-03-01 14:33"))
    assert cut.columns()["close"].tolist() == [2, 3]
    assert len(BarBatch.empty("AAPL", Timeframe.M1).sorted()) == 0


def test_the_fingerprint_sees_every_value_but_not_the_end() -> None:
    batch = make_batch([1, 2, 3])
    same = make_batch([1, 2, 3])
    assert batch.fingerprint() == same.fingerprint()
    assert batch.fingerprint() != make_batch([1, 2, 3], symbol="SPY").fingerprint()
    same.rows["volume"][1] += 1
    assert batch.fingerprint() != same.fingerprint()


def test_a_daily_bar_ends_at_the_close() -> None:
    (bar,) = make_bars([5], timeframe=Timeframe.D1)
    assert bar.end - bar.start == timedelta(hours=6.5)
    assert np.isnan(make_batch([5]).rows["vwap"][0])
