"""Slices: what belongs together, when it closes, and that a restart changes nothing."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import BarLate, SessionClosed, SessionOpened, SliceClosed
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, concatenate, to_datetime, to_ns
from app.marketdata.calendar import trading_calendar
from app.marketdata.slices import Moment, Slicer, in_time_order
from tests.factories import FRIDAY, make_batch, utc

XNYS = trading_calendar("XNYS")
MONDAY = date(2024, 3, 4)


def run(slicer: Slicer, batches: Sequence[BarBatch]) -> list[Moment]:
    return [moment for item in in_time_order(batches, XNYS) for moment in slicer.push(item)]


def names(moments: Iterable[Moment]) -> list[str]:
    return [type(moment).__name__ for moment in moments]


def ends(moments: Iterable[Moment]) -> list[datetime]:
    return [moment.end for moment in moments if isinstance(moment, SliceClosed)]


def test_a_slice_closes_when_every_symbol_has_reported() -> None:
    slicer = Slicer(["SPY", "IBM"], Timeframe.M1, XNYS, in_order=False)
    assert slicer.push(make_batch([10], symbol="SPY")) == []
    moments = slicer.push(make_batch([20], symbol="IBM"))
    assert names(moments) == ["SessionOpened", "SliceOpened", "SliceClosed"]
    closed = moments[-1]
    assert isinstance(closed, SliceClosed)
    assert [bar.symbol for bar in closed.bars] == ["IBM", "SPY"]
    assert (closed.end, closed.session) == (utc("2024-03-01 14:31"), FRIDAY)


def test_first_prints_come_before_the_bars_that_they_open() -> None:
    slicer = Slicer(["SPY"], Timeframe.M1, XNYS)
    opened = SliceOpened(utc("2024-03-01 14:30"), FRIDAY, {"SPY": 9.5, "MSFT": 1.0})
    moments = slicer.push(opened)
    assert names(moments) == ["SessionOpened", "SliceOpened"]
    assert moments[-1] == SliceOpened(opened.at, FRIDAY, {"SPY": 9.5})
    assert names(slicer.push(make_batch([10], symbol="SPY"))) == ["SliceClosed"]


def test_a_missing_bar_does_not_hold_the_others() -> None:
    slicer = Slicer(["SPY", "IBM"], Timeframe.M1, XNYS)
    spy, ibm = make_batch([1, 2, 3], symbol="SPY"), make_batch([1, 2, 3], symbol="IBM", skip=[1])
    slices = [m for m in run(slicer, [spy, ibm]) if isinstance(m, SliceClosed)]
    assert [[bar.symbol for bar in s.bars] for s in slices] == [
        ["IBM", "SPY"],
        ["SPY"],
        ["IBM", "SPY"],
    ]


def test_flush_closes_what_is_over_and_later_bars_are_late() -> None:
    slicer = Slicer(["SPY", "IBM"], Timeframe.M1, XNYS, in_order=False)
    slicer.push(make_batch([10], symbol="SPY"))
    assert slicer.flush(utc("2024-03-01 14:30:59")) == []
    assert names(slicer.flush(utc("2024-03-01 14:31")))[-1] == "SliceClosed"
    (late,) = slicer.push(make_batch([20], symbol="IBM"))
    assert isinstance(late, BarLate)
    assert (late.bar.symbol, late.at) == ("IBM", utc("2024-03-01 14:31"))


def test_longer_bars_join_the_slice_in_which_they_end() -> None:
    slicer = Slicer(["SPY"], Timeframe.M1, XNYS, timeframes=[Timeframe.M5])
    moments = run(slicer, [make_batch([1, 2, 3, 4, 5, 6], symbol="SPY")])
    slices = [m for m in moments if isinstance(m, SliceClosed)]
    assert [len(s.bars) for s in slices] == [1, 1, 1, 1, 2, 1]
    assert slices[4].bars[1].timeframe is Timeframe.M5


def test_a_longer_bar_ends_even_when_its_last_minute_is_missing() -> None:
    slicer = Slicer(["SPY"], Timeframe.M1, XNYS, timeframes=[Timeframe.M5])
    moments = run(slicer, [make_batch([1, 2, 3, 4, 5, 6], symbol="SPY", skip=[4])])
    slices = [m for m in moments if isinstance(m, SliceClosed)]
    assert [s.end.minute for s in slices] == [31, 32, 33, 34, 35, 36]
    assert [bar.timeframe for bar in slices[4].bars] == [Timeframe.M5]


def test_sessions_open_and_close_around_their_slices() -> None:
    slicer = Slicer(["SPY"], Timeframe.M1, XNYS, timeframes=[Timeframe.D1])
    batch = make_batch([1] * 392, symbol="SPY")
    moments = run(slicer, [batch])
    sessions = [m for m in moments if isinstance(m, SessionOpened | SessionClosed)]
    assert names(sessions) == ["SessionOpened", "SessionClosed", "SessionOpened"]
    assert [s.session for s in sessions] == [FRIDAY, FRIDAY, MONDAY]
    assert sessions[1].at == utc("2024-03-01 21:00")


def test_a_session_whose_last_minutes_are_missing_still_closes_first() -> None:
    slicer = Slicer(["SPY"], Timeframe.M1, XNYS, timeframes=[Timeframe.D1])
    moments = run(slicer, [make_batch([1] * 391, symbol="SPY", skip=range(300, 390))])
    assert names(moments)[-5:] == [
        "SliceClosed",  # the daily bar, alone
        "SessionClosed",
        "SessionOpened",
        "SliceOpened",
        "SliceClosed",
    ]


def test_daily_bars_make_one_slice_a_session() -> None:
    slicer = Slicer(["SPY"], Timeframe.D1, XNYS)
    moments = run(slicer, [make_batch([1, 2], symbol="SPY", timeframe=Timeframe.D1)])
    assert names(moments) == ["SessionOpened", "SliceOpened", "SliceClosed", "SessionClosed"] * 2


def test_bars_outside_regular_hours_form_slices_only_when_asked() -> None:
    early = make_batch([1, 2], symbol="SPY")
    for name in ("start", "end"):
        early.rows[name] -= 3600 * 10**9
    assert run(Slicer(["SPY"], Timeframe.M1, XNYS), [early]) == []
    asked = run(Slicer(["SPY"], Timeframe.M1, XNYS, extended_hours=True), [early])
    assert names(asked) == ["SliceOpened", "SliceClosed"] * 2


def test_after_hours_slices_follow_the_close_of_the_session() -> None:
    slicer = Slicer(["SPY"], Timeframe.M1, XNYS, extended_hours=True)
    batch = make_batch([1] * 389, symbol="SPY")
    late = make_batch([1], symbol="SPY")
    for name in ("start", "end"):
        late.rows[name] += 7 * 3600 * 10**9
    moments = run(slicer, [concatenate([batch, late])])
    assert names(moments)[-3:] == ["SessionClosed", "SliceOpened", "SliceClosed"]


def test_bars_of_other_series_are_refused_or_ignored() -> None:
    slicer = Slicer(["SPY"], Timeframe.M1, XNYS)
    assert slicer.push(make_batch([1], symbol="MSFT")) == []
    with pytest.raises(ValueError, match="5m"):
        slicer.push(make_batch([1], symbol="SPY", timeframe=Timeframe.M5))


def test_slices_of_an_outage_only_warm_up() -> None:
    slicer = Slicer(
        ["AAPL"], Timeframe.M1, XNYS, warm_up_until=utc("2024-03-01 14:32"), open_session=FRIDAY
    )
    slices = [m for m in run(slicer, [make_batch([1, 2, 3])]) if isinstance(m, SliceClosed)]
    assert [s.warm_up for s in slices] == [True, True, False]


GAPS = st.sets(st.integers(0, 449), max_size=200)


@given(GAPS, GAPS)
def test_streamed_longer_bars_are_those_of_the_columns(spy: set[int], ibm: set[int]) -> None:
    batches = [
        make_batch(range(1, 451), symbol="SPY", skip=sorted(spy)),
        make_batch(range(1, 451), symbol="IBM", skip=sorted(ibm)),
    ]
    slicer = Slicer(["SPY", "IBM"], Timeframe.M1, XNYS, timeframes=[Timeframe.M15, Timeframe.D1])
    moments = run(slicer, batches)
    last = max(int(batch.end[-1]) for batch in batches)
    moments += slicer.flush(to_datetime(last))
    seen = [bar for m in moments if isinstance(m, SliceClosed) for bar in m.bars]
    for batch in batches:
        for timeframe in (Timeframe.M15, Timeframe.D1):
            made = [b for b in seen if b.symbol == batch.symbol and b.timeframe is timeframe]
            assert made == aggregate(batch, timeframe, XNYS, last).bars()
        assert [b for b in seen if (b.symbol, b.timeframe) == (batch.symbol, "1m")] == batch.bars()
    assert ends(moments) == sorted(set(ends(moments)))


@given(GAPS, st.integers(0, 449))
def test_a_restart_after_any_slice_goes_on_as_if_nothing_had_happened(
    missing: set[int], stop: int
) -> None:
    batch = make_batch(range(1, 451), skip=sorted(missing))
    options = {"timeframes": [Timeframe.M5, Timeframe.H1, Timeframe.D1]}
    whole = run(Slicer(["AAPL"], Timeframe.M1, XNYS, **options), [batch])
    cut = [i for i, m in enumerate(whole) if isinstance(m, SliceClosed)][: stop + 1][-1]
    before, expected = whole[: cut + 1], whole[cut + 1 :]
    after = ends(before)[-1]
    opened = [m.session for m in before if isinstance(m, SessionOpened)]
    closed = [m.session for m in before if isinstance(m, SessionClosed)]
    resumed = Slicer(
        ["AAPL"],
        Timeframe.M1,
        XNYS,
        after=after,
        open_session=opened[-1] if opened[-1:] != closed[-1:] else None,
        **options,
    )
    resumed.prime([batch[batch.end <= to_ns(after)]])
    moments = resumed.flush(after) + run(resumed, [batch[batch.end > to_ns(after)]])
    assert moments == expected
