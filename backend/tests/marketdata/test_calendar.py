"""Sessions, half days, daylight saving, bar grids and column blocks."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.batch import to_datetime
from app.marketdata.calendar import FX, TradingCalendar, step_ns, trading_calendar
from tests.factories import ns, utc

XNYS = trading_calendar("XNYS")
DAY = 86_400 * 10**9
INSTANTS = st.integers(ns("2000-01-01"), ns("2030-12-31"))
TIMEFRAMES = st.sampled_from(list(Timeframe))


def hours(calendar: TradingCalendar, day: date) -> tuple[str, str]:
    session = calendar.session_on(day)
    assert session is not None
    return (
        to_datetime(session.open).strftime("%d %H:%M"),
        to_datetime(session.close).strftime("%d %H:%M"),
    )


def test_hours_follow_daylight_saving() -> None:
    assert hours(XNYS, date(2024, 3, 8)) == ("08 14:30", "08 21:00")
    assert hours(XNYS, date(2024, 3, 11)) == ("11 13:30", "11 20:00")


def test_half_days_close_early() -> None:
    assert hours(XNYS, date(2013, 11, 29)) == ("29 14:30", "29 18:00")


def test_there_is_no_session_on_holidays_and_weekends() -> None:
    assert XNYS.session_on(date(2013, 11, 28)) is None
    assert XNYS.session_at(ns("2024-03-02 16:00")) is None
    assert XNYS.session_on(date(2001, 9, 12)) is None


def test_aliases_share_one_calendar() -> None:
    assert trading_calendar("NASDAQ") is trading_calendar("XNYS")


def test_an_unknown_exchange_is_named() -> None:
    with pytest.raises(InvalidInput, match="'XMARS'"):
        trading_calendar("XMARS")


def test_currencies_open_on_sunday_evening_in_new_york() -> None:
    fx = trading_calendar(FX)
    assert hours(fx, date(2018, 1, 8)) == ("07 22:00", "08 22:00")
    assert hours(fx, date(2017, 7, 10)) == ("09 21:00", "10 21:00")
    assert fx.session_at(ns("2018-01-06 12:00")) is None


def test_pre_market_belongs_to_the_day_but_is_not_regular() -> None:
    at = ns("2013-10-04 08:06")
    session = XNYS.session_at(at)
    assert session is not None
    assert session.day == date(2013, 10, 4)
    assert XNYS.is_regular(np.array([at, session.open, session.close])).tolist() == [0, 1, 0]


def test_sessions_of_a_week_and_the_next_one() -> None:
    days = [s.day.day for s in XNYS.sessions(ns("2013-11-25"), ns("2013-12-02"))]
    assert days == [25, 26, 27, 29]
    assert XNYS.next_session(ns("2013-11-27 15:00")).day == date(2013, 11, 29)


def test_the_calendar_grows_when_asked_about_other_years() -> None:
    calendar = TradingCalendar("XNYS")
    assert calendar.session_on(date(2041, 5, 2)) is not None
    assert calendar.session_on(date(1985, 5, 2)) is not None
    assert calendar.session_at(ns("2200-05-02 15:00")) is None
    assert calendar.session_at(ns("1902-05-02 15:00")) is None


def test_daily_starts_are_opens() -> None:
    days = np.array(["2013-11-27", "2013-11-28"], dtype="datetime64[D]")
    starts = [to_datetime(s) for s in XNYS.daily_starts(days)]
    assert starts == [utc("2013-11-27 14:30"), utc("2013-11-28 12:00")]


def test_ordinals_are_those_of_the_date() -> None:
    ordinals = XNYS.ordinals(np.array([ns("2013-10-04 08:06"), ns("2013-10-05 15:00")]))
    assert ordinals.tolist() == [date(2013, 10, 4).toordinal()] * 2


@pytest.mark.parametrize(
    ("timeframe", "start"),
    [
        (Timeframe.M1, "2013-11-29 05:00"),
        (Timeframe.M5, "2013-11-25 05:00"),
        (Timeframe.M15, "2013-11-25 05:00"),
        (Timeframe.H1, "2013-11-01 04:00"),
        (Timeframe.D1, "2013-01-02 05:00"),
    ],
)
def test_blocks_start_at_the_first_session_of_their_period(
    timeframe: Timeframe, start: str
) -> None:
    assert to_datetime(XNYS.block_start(timeframe, ns("2013-11-29 17:00"))) == utc(start)


@given(INSTANTS, TIMEFRAMES)
def test_a_bar_holds_its_instant_and_never_crosses_the_close(at: int, timeframe: Timeframe) -> None:
    session = XNYS.session_at(at)
    if session is None or (timeframe is Timeframe.D1 and not session.open <= at < session.close):
        return
    (start,), (end,) = XNYS.bounds(timeframe, np.array([at]))
    assert start <= at < end
    assert end - start <= max(step_ns(timeframe), DAY)
    assert not start < session.close < end


@given(INSTANTS, TIMEFRAMES)
def test_the_grid_is_what_bounds_say(at: int, timeframe: Timeframe) -> None:
    session = XNYS.next_session(at)
    starts, ends = XNYS.grid(session, timeframe)
    assert starts[0] == session.open
    assert ends[-1] == session.close
    assert (starts[1:] == ends[:-1]).all()
    for inside in (starts, ends - 1):
        bounds = XNYS.bounds(timeframe, inside)
        assert (bounds[0] == starts).all()
        assert (bounds[1] == ends).all()


@given(INSTANTS, st.integers(0, 400 * DAY), TIMEFRAMES)
def test_blocks_are_intervals(at: int, later: int, timeframe: Timeframe) -> None:
    first, second = XNYS.block_starts(timeframe, np.array([at, at + later]))
    assert first <= second
    assert (first == second) or second > at
    assert XNYS.block_start(timeframe, int(first)) == first


@given(st.dates(date(2000, 1, 1), date(2030, 12, 1)))
def test_sessions_are_in_order_and_apart(day: date) -> None:
    for calendar in (XNYS, trading_calendar(FX), trading_calendar("XLON")):
        sessions = calendar.sessions(ns(day.isoformat()), ns(str(day + timedelta(days=15))))
        assert 5 <= len(sessions) <= 11  # five: September 2001
        for before, after in pairwise(sessions):
            assert before.open < before.close <= after.open
            assert before.day_end <= after.day_start
