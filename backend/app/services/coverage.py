"""How whole a series is, session by session: what a calendar of coverage shows."""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import asyncpg

from app.core.clock import from_ns, to_ns
from app.core.errors import InvalidInput, NotFound
from app.domain.market import Timeframe
from app.marketdata.calendar import Session, TradingCalendar, trading_calendar
from app.repositories import bar_series, data_gaps, stocks
from app.repositories.paging import Row

LONGEST: Final = timedelta(days=3 * 366)
LONGEST_SECONDS: Final = timedelta(days=35)
"Of a calendar of seconds."
_HALF_DAY: Final = 3_600 * 10**9
"A session that is shorter than the usual one by so much is half a day."


async def coverage(
    pool: asyncpg.Pool,
    dataset: str,
    symbol: str,
    timeframe: Timeframe,
    period: tuple[datetime | None, datetime | None],
) -> Row:
    """One value a session for a calendar: expected bars, found ones, and gaps by state.

    Bars are counted only where the series has others than the last check has seen.

    Raises NotFound for a series that is not stored, InvalidInput for too long a period.
    """
    stock = await stocks.get(pool, symbol)
    found = (await bar_series.listing(pool, dataset, [stock.symbol], timeframe)(1, None)).items
    if not found:
        raise NotFound(
            f"No {timeframe} bars of {stock.symbol} are stored in {dataset}.",
            remedy="GET /api/data-quality lists what is stored.",
        )
    row = found[0]
    calendar = await asyncio.to_thread(trading_calendar, stock.exchange)
    first, end = _period(row, timeframe, period)
    sessions = _sessions(calendar, first, end)
    series = dataset, stock.id, timeframe
    gaps = await _gaps_by_session(pool, series, sessions)
    counts: Sequence[int | None] = [None] * len(sessions)
    if row["checked_bars"] != row["bars"]:
        opened = [from_ns(one.open) for one in sessions]
        closed = [from_ns(one.close) for one in sessions]
        counts = await bar_series.bars_within(pool, series, opened, closed)
    usual = max((one.close - one.open for one in sessions), default=0)
    return {
        "symbol": stock.symbol,
        "dataset": dataset,
        "timeframe": timeframe,
        "exchange": stock.exchange,
        "items": [
            _covered(calendar, timeframe, one, row, count, gaps.get(one.day, {}), usual)
            for one, count in zip(sessions, counts, strict=True)
        ],
    }


def _period(
    row: Row, timeframe: Timeframe, period: tuple[datetime | None, datetime | None]
) -> tuple[datetime, datetime]:
    last = row["last_start"] + timedelta(microseconds=1)
    end = min(period[1] or last, last)
    longest = LONGEST_SECONDS if timeframe is Timeframe.S1 else LONGEST
    usual = longest if timeframe is Timeframe.S1 else timedelta(days=366)
    first = max(period[0] or end - usual, row["first_start"])
    if end - first > longest:
        raise InvalidInput(
            f"A calendar of {timeframe} bars shows at most {longest.days} days.",
            field="start",
            remedy="Ask for one part after the other.",
        )
    return first, end


def _sessions(calendar: TradingCalendar, first: datetime, end: datetime) -> list[Session]:
    """Those that hold a part of [first, end)."""
    session = calendar.session_at(to_ns(first))
    return calendar.sessions(
        min(session.open, to_ns(first)) if session else to_ns(first), to_ns(end)
    )


async def _gaps_by_session(
    pool: asyncpg.Pool, series: data_gaps.SeriesKey, sessions: Sequence[Session]
) -> dict[date, dict[str, int]]:
    if not sessions:
        return {}
    first, end = from_ns(sessions[0].open), from_ns(sessions[-1].close)
    opens = [one.open for one in sessions]
    found: dict[date, dict[str, int]] = {}
    for gap in await data_gaps.of_series(pool, series, first, end):
        day = sessions[bisect_right(opens, to_ns(gap["start"])) - 1].day
        states = found.setdefault(day, {})
        states[gap["state"]] = states.get(gap["state"], 0) + gap["bars"]
    return found


def _covered(
    calendar: TradingCalendar,
    timeframe: Timeframe,
    session: Session,
    row: Row,
    counted: int | None,
    gaps: dict[str, int],
    usual: int,
) -> Row:
    """A session that the series begins or ends in promises the bars in between only.

    `counted` None: a check has seen every bar, so that what is not in the ledger is there.
    """
    starts, _ = calendar.grid(session, timeframe)
    inside = (starts >= to_ns(row["first_start"])) & (starts <= to_ns(row["last_start"]))
    expected = int(inside.sum())
    found = expected - sum(gaps.values()) if counted is None else counted
    return {
        "session": session.day,
        "open": from_ns(session.open),
        "close": from_ns(session.close),
        "expected": expected,
        "found": found,
        "share": round(min(found / expected, 1.0), 6) if expected else 1.0,
        "is_half_day": session.close - session.open < usual - _HALF_DAY,
        "gaps": gaps,
    }
