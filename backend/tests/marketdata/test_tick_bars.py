"""Prints become the bars that a naive reading makes of them, however the stream is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, TickBatch, TickLabel
from app.marketdata.calendar import trading_calendar
from app.marketdata.tick_bars import TickBars, bars_of
from tests.factories import ns
from tests.ticks import OPEN, SECOND, cut, make_ticks, naive_bars, random_ticks

CALENDAR = trading_calendar("XNYS")
LABELS = (
    TickLabel("N"),
    TickLabel("D", "20", volume_only=True),
    TickLabel("Q", "1000000", counts=False),
)


def as_values(batches: list[BarBatch]) -> dict[tuple[str, int], tuple[float, ...]]:
    return {
        (batch.symbol, int(row["start"])): tuple(row.tolist())[2:]
        for batch in batches
        for row in batch.rows
    }


def same(
    one: dict[tuple[str, int], tuple[float, ...]], other: dict[tuple[str, int], tuple[float, ...]]
) -> bool:
    return one.keys() == other.keys() and all(
        one[key][:5] == other[key][:5] and one[key][5] == pytest.approx(other[key][5])
        for key in one
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 400),
    pieces=st.integers(1, 40),
    timeframe=st.sampled_from([Timeframe.S1, Timeframe.M1]),
    disorder=st.sampled_from([0.0, 1.0, 8.0]),
)
def test_bars_are_those_of_a_naive_reading_however_the_stream_is_cut(
    seed: int, count: int, pieces: int, timeframe: Timeframe, disorder: float
) -> None:
    rng = np.random.default_rng(seed)
    batch = random_ticks(rng, count, disorder=disorder, labels=LABELS)
    bars = TickBars(timeframe, CALENDAR)
    made = [over for piece in cut(count, rng, pieces) for over in bars.add(batch[piece])]
    late = sum(one.prints for one in bars.take_late())
    expected, too_late = naive_bars(batch, timeframe, CALENDAR, 2 * SECOND)
    assert same(as_values([*made, *bars.finish()]), expected)
    assert late == too_late


def test_a_bar_waits_for_late_prints_and_is_then_closed_for_good() -> None:
    bars = TickBars(Timeframe.M1, CALENDAR)
    assert bars.add(make_ticks([(0, 10), (59, 11), (61.9, 12)])) == []
    assert bars.add(make_ticks([(59.5, 9)])) == []  # within the grace
    (over,) = bars.add(make_ticks([(62, 12)]))
    assert over.rows[["open", "low", "close", "volume"]].tolist() == [(10, 9, 9, 300)]
    assert bars.add(make_ticks([(59.7, 1)], size=7)) == []
    (late,) = bars.take_late()
    assert (late.symbol, late.start, late.prints, late.volume) == ("AAPL", OPEN, 1, 7)
    assert bars.take_late() == []


def test_time_alone_closes_a_bar_and_minutes_without_trade_make_none() -> None:
    bars = TickBars(Timeframe.M1, CALENDAR)
    bars.add(make_ticks([(1, 10)]))
    assert bars.advance(OPEN + 61 * SECOND) == []
    (over,) = bars.advance(OPEN + 62 * SECOND)
    assert len(over) == 1
    (later,) = bars.add(make_ticks([(190, 11), (245, 12)]))
    assert later.start.tolist() == [OPEN + 180 * SECOND]


def test_bars_of_many_symbols_come_by_end_and_symbol() -> None:
    bars = TickBars(Timeframe.M1, CALENDAR)
    for symbol in ("MSFT", "AAPL"):
        bars.add(make_ticks([(1, 10), (30, 11)], symbol=symbol))
    made = bars.add(make_ticks([(63, 10)], symbol="MSFT"))
    assert [batch.symbol for batch in made] == ["AAPL", "MSFT"]


def test_no_bar_crosses_the_close_and_longer_ones_are_made_of_minutes() -> None:
    closing = ns("2024-03-01 20:59")
    rows = [(i * 10.0, 100.0 + i) for i in range(12)]
    (minutes,) = bars_of(make_ticks(rows, start=closing), Timeframe.M1, CALENDAR)
    assert minutes.end.tolist()[0] == ns("2024-03-01 21:00")
    assert len(minutes) == 2
    day = aggregate(minutes, Timeframe.D1, CALENDAR)
    assert day.rows["volume"].tolist() == [600]


def test_what_has_no_price_is_no_bar() -> None:
    bars = TickBars(Timeframe.M1, CALENDAR)
    silent = make_ticks([(1, 10), (2, 11)])
    bars.add(TickBatch(silent.symbols, silent.rows, (TickLabel(volume_only=True),)))
    assert bars.finish() == []
    assert bars.volume_without_price == 200


def test_bars_longer_than_a_minute_are_refused() -> None:
    with pytest.raises(ValueError, match="1s or 1m"):
        TickBars(Timeframe.M5, CALENDAR)
    assert bars_of(make_ticks([]), Timeframe.M1, CALENDAR) == []
