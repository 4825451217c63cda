"""Longer bars made of stored minutes where they lie: the newest of them, oldest first.

The same rule as `marketdata.aggregation`, to the last bit: the database walks one range of the
index and sends a row a bar, a sixtieth of what would have to be read for bars of an hour.
"""

from datetime import datetime
from typing import Final

import asyncpg
import numpy as np

from app.core.clock import from_ns, to_ns
from app.domain.market import Timeframe
from app.marketdata.batch import BAR, Nanos, Rows
from app.marketdata.calendar import TradingCalendar, step_ns

_DAY_NS: Final = step_ns(Timeframe.D1)
_MINUTES: Final = "dataset = $1 AND stock_id = $2 AND timeframe = '1m'"
_NEWEST: Final = f"""
  SELECT start FROM stock_data WHERE {_MINUTES} AND start >= $3 AND start < $4
  ORDER BY start DESC LIMIT 1"""

# Aggregates take rows in the order in which the index gives them, unless the planner sorts or
# shares them out: then first and last would not be the ends, and `in_order` says so.
_FOLD: Final = f"""
  SELECT bar, (array_agg(open))[1] AS open, max(high) AS high, min(low) AS low,
    (array_agg(close))[count(*)] AS close, sum(volume) AS volume,
    sum(CASE WHEN volume > 0 THEN coalesce(vwap, 'NaN') * volume ELSE 0 END) AS traded,
    max("end") AS until,
    (array_agg(start))[1] = min(start) AND (array_agg(start))[count(*)] = max(start) AS in_order
  FROM (
    SELECT width_bucket(start, $3::timestamptz[]) AS bar, start, "end", open, high, low, close,
      volume, vwap
    FROM stock_data WHERE {_MINUTES} AND start >= $5 AND start < $6
    ORDER BY start
  ) minutes
  WHERE start < ($4::timestamptz[])[bar]
  GROUP BY bar"""


class OutOfOrder(Exception):
    """The database did not fold minutes in their order; they have to be folded here."""


async def newest(
    db: asyncpg.Connection,
    dataset: str,
    stock_id: int,
    timeframe: Timeframe,
    calendar: TradingCalendar,
    limit: int,
    within: tuple[datetime, datetime],
) -> Rows:
    """The newest `limit` bars with within[0] <= start < within[1], of minutes that are stored.

    The last bar is left out while it is not over. Raises OutOfOrder.
    """
    first, end = to_ns(within[0]), to_ns(within[1])
    parts: list[Rows] = []
    until = end + _DAY_NS  # far enough to see that the bar before `end` is over
    is_last = True
    while limit > 0:
        minute = await _minute(db, dataset, stock_id, first, until)
        if minute is None:
            break
        starts, ends = _grid(calendar, timeframe, minute, limit, first, end)
        if not len(starts):
            break
        rows, is_over = await _fold(db, dataset, stock_id, starts, ends)
        if is_last and len(rows):
            rows, is_last = rows if is_over else rows[:-1], False
        rows = rows[rows["start"] < end][-limit:]
        parts.append(rows)
        limit, until = limit - len(rows), int(starts[0])
    return np.concatenate(parts[::-1]) if parts else np.empty(0, dtype=BAR)


async def _minute(
    db: asyncpg.Connection, dataset: str, stock_id: int, first: int, until: int
) -> int | None:
    """Start of the newest minute in [first, until)."""
    arguments = (dataset, stock_id, from_ns(first), from_ns(until))
    found: datetime | None = await db.fetchval(_NEWEST, *arguments)
    return to_ns(found) if found else None


def _grid(
    calendar: TradingCalendar, timeframe: Timeframe, newest: int, limit: int, first: int, end: int
) -> tuple[Nanos, Nanos]:
    """Starts and ends of bars up to the minute `newest`: at least `limit` of those before `end`."""
    sessions, days = calendar.sessions(newest - 5 * _DAY_NS, newest + 1), 5
    count = sum(len(calendar.grid(s, timeframe)[0]) for s in sessions if s.open < end)
    while count <= limit and newest - days * _DAY_NS > first:
        days *= 2
        sessions = calendar.sessions(max(newest - days * _DAY_NS, first - _DAY_NS), newest + 1)
        count = sum(len(calendar.grid(s, timeframe)[0]) for s in sessions if s.open < end)
    if not sessions:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    grids = [calendar.grid(session, timeframe) for session in sessions]
    starts, ends = (np.concatenate(column) for column in zip(*grids, strict=True))
    meant = (starts <= newest) & (starts >= first)
    starts, ends = starts[meant], ends[meant]
    # one more than wanted: the last may not be over yet
    begin = max(int((starts < end).sum()) - limit - 1, 0)
    return starts[begin:], ends[begin:]


async def _fold(
    db: asyncpg.Connection, dataset: str, stock_id: int, starts: Nanos, ends: Nanos
) -> tuple[Rows, bool]:
    """Bars of those of the grid that have minutes, and whether the last of them is over."""
    edges = [from_ns(at) for at in starts.tolist()], [from_ns(at) for at in ends.tolist()]
    found = await db.fetch(_FOLD, dataset, stock_id, *edges, edges[0][0], edges[1][-1])
    if not all(row["in_order"] for row in found):
        raise OutOfOrder
    found.sort(key=lambda row: row["bar"])
    rows = np.empty(len(found), dtype=BAR)
    places = np.array([row["bar"] for row in found], dtype=np.int64) - 1
    rows["start"], rows["end"] = starts[places], ends[places]
    for name in ("open", "high", "low", "close", "volume"):
        rows[name] = [row[name] for row in found]
    with np.errstate(invalid="ignore"):  # nothing traded: no average price
        rows["vwap"] = np.array([row["traded"] for row in found]) / rows["volume"]
    return rows, bool(found) and to_ns(found[-1]["until"]) >= int(ends[places[-1]])
