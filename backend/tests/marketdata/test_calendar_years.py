"""New York from 2000 to 2030, held against the library and plain wall-clock arithmetic."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.market import Timeframe
from app.marketdata.batch import to_datetime
from app.marketdata.calendar import FX, Session, TradingCalendar, step_ns, trading_calendar
from app.marketdata.quality import expected_bars
from tests.factories import ns

XNYS: Final = trading_calendar("XNYS")
NEW_YORK: Final = ZoneInfo("America/New_York")
FIRST, END = ns("2000-01-01"), ns("2031-01-01")
SESSIONS: Final = XNYS.sessions(FIRST, END)
DAYS: Final = {one.day: one for one in SESSIONS}
MINUTE: Final = 60 * 10**9
INSTANTS: Final = st.integers(ns("2000-01-02"), END - 1)
SOME_DAY: Final = st.dates(date(2000, 1, 1), date(2030, 12, 31))
SOME_SESSION: Final = st.sampled_from(SESSIONS)
TIMEFRAMES: Final = st.sampled_from(list(Timeframe))
LONGER: Final = st.sampled_from([one for one in Timeframe if one is not Timeframe.S1])

CLOSED: Final = {
    "terror of 2001": ["2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14"],
    "hurricane Sandy": ["2012-10-29", "2012-10-30"],
    "mourning": ["2004-06-11", "2007-01-02", "2018-12-05", "2025-01-09"],
    "Juneteenth": ["2022-06-20", "2023-06-19", "2024-06-19", "2025-06-19", "2026-06-19"],
    "Good Friday": ["2000-04-21", "2012-04-06", "2024-03-29", "2026-04-03"],
    "Thanksgiving": ["2000-11-23", "2013-11-28", "2026-11-26"],
    "Independence Day on a Sunday, and on a Saturday": ["2010-07-05", "2015-07-03", "2020-07-03"],
}
OPEN: Final = {
    "Juneteenth was no holiday yet": ["2019-06-19", "2020-06-19", "2021-06-18"],
    "New Year on a Saturday is not moved": ["2010-12-31", "2021-12-31"],
    "leap days": ["2000-02-29", "2008-02-29", "2012-02-29", "2016-02-29", "2024-02-29"],
    "after the closures": ["2001-09-10", "2001-09-17", "2012-10-26", "2012-10-31"],
}
HALF: Final = {
    "after Thanksgiving": ["2000-11-24", "2013-11-29", "2024-11-29", "2026-11-27"],
    "Christmas Eve": ["2001-12-24", "2013-12-24", "2018-12-24", "2024-12-24"],
    "before Independence Day": ["2003-07-03", "2013-07-03", "2018-07-03", "2025-07-03"],
}


def local(session: Session) -> tuple[datetime, datetime]:
    """Open and close on the clocks of New York."""
    return tuple(to_datetime(at).astimezone(NEW_YORK) for at in (session.open, session.close))  # type: ignore[return-value]  # two of them


def named(groups: dict[str, list[str]]) -> list[Any]:
    return [pytest.param(day, id=f"{why}: {day}") for why, days in groups.items() for day in days]


# ------------------------------------------------------------------------- days that are known


@pytest.mark.parametrize("day", named(CLOSED))
def test_the_exchange_was_closed(day: str) -> None:
    assert XNYS.session_on(date.fromisoformat(day)) is None
    assert XNYS.session_at(ns(f"{day} 16:00")) is None


@pytest.mark.parametrize("day", named(OPEN))
def test_the_exchange_was_open_all_day(day: str) -> None:
    opened, closed = local(DAYS[date.fromisoformat(day)])
    assert (opened.time(), closed.time()) == (time(9, 30), time(16))


@pytest.mark.parametrize("day", named(HALF))
def test_the_exchange_closed_at_one(day: str) -> None:
    opened, closed = local(DAYS[date.fromisoformat(day)])
    assert (opened.time(), closed.time()) == (time(9, 30), time(13))
    starts, ends = XNYS.grid(DAYS[date.fromisoformat(day)], Timeframe.M1)
    assert (len(starts), int(ends[-1])) == (210, DAYS[date.fromisoformat(day)].close)


# --------------------------------------------------------------------------- all thirty-one years


def test_every_session_is_what_the_library_says() -> None:
    library = exchange_calendars.get_calendar("XNYS", start="1999-12-01", end="2031-01-31")
    theirs = library.schedule.loc["2000-01-01":"2030-12-31"]
    assert [one.day for one in SESSIONS] == [day.date() for day in theirs.index]
    for column, ours in (
        ("open", [s.open for s in SESSIONS]),
        ("close", [s.close for s in SESSIONS]),
    ):
        assert np.array_equal(theirs[column].astype("datetime64[ns, UTC]").astype("int64"), ours)


def test_sessions_are_ordered_and_their_days_disjoint() -> None:
    assert len(SESSIONS) > 31 * 245
    for before, after in pairwise(SESSIONS):
        assert before.day < after.day
        assert before.day_start <= before.open < before.close <= before.day_end
        assert before.day_end <= after.day_start


def test_every_session_opens_at_half_past_nine_and_closes_at_four_or_one() -> None:
    closes = {time(16): 0, time(13): 0}
    for session in SESSIONS:
        opened, closed = local(session)
        assert opened.date() == closed.date() == session.day
        assert opened.time() == time(9, 30)
        closes[closed.time()] += 1
    assert 31 < closes[time(13)] < 31 * 4


def test_the_hour_of_the_open_follows_daylight_saving_to_the_day() -> None:
    for year in range(2007, 2031):
        spring = _nth_sunday(year, 3, 2)
        autumn = _nth_sunday(year, 11, 1)
        for session in (one for one in SESSIONS if one.day.year == year):
            is_summer = spring <= session.day < autumn
            assert to_datetime(session.open).hour == (13 if is_summer else 14)


def _nth_sunday(year: int, month: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (count - 1))


# ------------------------------------------------------------------------------------------ laws


@given(SOME_DAY)
def test_a_session_is_the_wall_clock_of_its_day(day: date) -> None:
    session = XNYS.session_on(day)
    assert session == DAYS.get(day)
    if session is None:
        return
    opened = datetime.combine(day, time(9, 30), NEW_YORK)
    assert session.open == int(opened.timestamp()) * 10**9
    midnight = datetime.combine(day, time(), NEW_YORK)
    assert session.day_start == int(midnight.timestamp()) * 10**9
    assert (
        session.day_end
        == int(datetime.combine(day + timedelta(1), time(), NEW_YORK).timestamp()) * 10**9
    )


@given(INSTANTS)
def test_an_instant_belongs_to_the_session_of_its_local_day(ts: int) -> None:
    day = datetime.fromtimestamp(ts // 10**9, UTC).astimezone(NEW_YORK).date()
    session = XNYS.session_at(ts)
    assert session == DAYS.get(day)
    at = np.array([ts])
    regular = session is not None and session.open <= ts < session.close
    assert bool(XNYS.is_regular(at)[0]) == regular
    assert (int(XNYS.day_index(at)[0]) >= 0) == (session is not None)
    following = XNYS.next_session(ts)
    assert following.open > ts
    assert not [one for one in XNYS.sessions(ts + 1, following.open) if one != following]


@given(SOME_SESSION, TIMEFRAMES)
def test_a_grid_covers_the_session_without_gap_or_overlap(
    session: Session, timeframe: Timeframe
) -> None:
    starts, ends = XNYS.grid(session, timeframe)
    assert (int(starts[0]), int(ends[-1])) == (session.open, session.close)
    assert np.array_equal(starts[1:], ends[:-1])
    if timeframe is not Timeframe.D1:
        lengths = ends - starts
        assert (lengths[:-1] == step_ns(timeframe)).all()
        assert 0 < lengths[-1] <= step_ns(timeframe)


@given(INSTANTS, LONGER)
def test_bounds_hold_their_instant_and_repeat_themselves(ts: int, timeframe: Timeframe) -> None:
    at = np.array([ts])
    start, end = XNYS.bounds(timeframe, at)
    if bool(XNYS.is_regular(at)[0]):
        assert start[0] <= ts < end[0]
        session = XNYS.session_at(ts)
        assert session is not None
        grid = XNYS.grid(session, timeframe)
        index = int(np.searchsorted(grid[0], ts, side="right")) - 1
        assert (int(start[0]), int(end[0])) == (int(grid[0][index]), int(grid[1][index]))
        again = XNYS.bounds(timeframe, start)
        assert (int(again[0][0]), int(again[1][0])) == (int(start[0]), int(end[0]))


@given(SOME_SESSION, TIMEFRAMES)
def test_every_bar_of_a_block_starts_in_it_and_blocks_follow_the_calendar(
    session: Session, timeframe: Timeframe
) -> None:
    starts, _ = XNYS.grid(session, timeframe)
    anchors = XNYS.block_starts(timeframe, starts)
    assert len(set(anchors.tolist())) == 1, "a session lies in one block"
    assert (starts >= anchors).all()
    first = XNYS.session_at(int(anchors[0]))
    assert first is not None
    assert first.day_start == int(anchors[0])
    key = {
        Timeframe.S1: lambda day: day,
        Timeframe.M1: lambda day: day,
        Timeframe.M5: lambda day: day.isocalendar()[:2],
        Timeframe.M15: lambda day: day.isocalendar()[:2],
        Timeframe.H1: lambda day: (day.year, day.month),
        Timeframe.D1: lambda day: day.year,
    }[timeframe]
    assert key(first.day) == key(session.day)


@given(INSTANTS, st.integers(1, 30), LONGER)
def test_expected_bars_are_the_grids_of_the_sessions_in_between(
    ts: int, days: int, timeframe: Timeframe
) -> None:
    end = ts + days * 86_400 * 10**9
    starts, ends = expected_bars(XNYS, timeframe, ts, end)
    assert (np.diff(starts) > 0).all()
    assert ((starts >= ts) & (starts < end)).all()
    assert (starts < ends).all()
    sessions = [one for one in SESSIONS if one.close > ts and one.open < end]
    wanted = [
        start for one in sessions for start in XNYS.grid(one, timeframe)[0].tolist()
        if ts <= start < end
    ]  # fmt: skip
    if end < END:
        assert starts.tolist() == wanted


@given(SOME_DAY)
def test_currencies_trade_from_five_to_five_in_new_york(day: date) -> None:
    fx: TradingCalendar = trading_calendar(FX)
    session = fx.session_on(day)
    assert (session is None) == (day.weekday() >= 5)
    if session is not None:
        opened, closed = local(session)
        assert (opened.time(), closed.time()) == (time(17), time(17))
        assert (opened.date(), closed.date()) == (day - timedelta(1), day)
