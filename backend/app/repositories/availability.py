"""When the platform was there: periods without a gap, of which the newest grows."""

from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from app.repositories.paging import Db, Row

UP: Final = "up"
DEGRADED: Final = "degraded"
DOWN: Final = "down"
STOPPED: Final = "stopped"
THERE: Final = frozenset({UP, DEGRADED})
GAP: Final = timedelta(seconds=60)
"Nobody wrote for so long: whoever should have written was not there either."
SILENCE: Final = "Nobody looked: the machine, the database or the worker was away."
_LOCK: Final = 7_236_511
_LAST: Final = "SELECT id, state, until FROM availability ORDER BY until DESC, id DESC LIMIT 1"
_GROW: Final = "UPDATE availability SET until = greatest(until, $2) WHERE id = $1"
_ADD: Final = "INSERT INTO availability (state, reason, since, until) VALUES ($1, $2, $3, $4)"
_SECONDS: Final = """
  SELECT state, sum(extract(epoch FROM least(until, $2) - greatest(since, $1)))::float8 AS seconds
  FROM availability WHERE until > $1 AND since < $2 GROUP BY state"""
_DAYS: Final = """
  SELECT (day AT TIME ZONE 'UTC')::date AS day, a.state, sum(extract(epoch FROM
      least(a.until, day + interval '24 hours', $2) - greatest(a.since, day, $1)))::float8
    AS seconds
  FROM generate_series(date_trunc('day', $1::timestamptz, 'UTC'), $2, interval '24 hours') AS day
  JOIN availability a ON a.until > greatest(day, $1)
    AND a.since < least(day + interval '24 hours', $2)
  GROUP BY day, a.state ORDER BY day"""
_OUTAGES: Final = """
  SELECT state, reason, since, until FROM availability
  WHERE until > $1 AND since < $2 AND state IN ('down', 'stopped') AND until > since
  ORDER BY since DESC LIMIT $3"""


class Summary(msgspec.Struct, frozen=True):
    """How long it was what; `share` is None where nothing but planned stops is known."""

    share: float | None
    seconds: dict[str, float]


async def note(db: asyncpg.Connection, state: str, reason: str, at: datetime) -> None:
    """What was seen at `at`, in the caller's transaction. Several who look do not harm each other.

    The time since the last look counts as the worse of both, and as down when that is long ago:
    unless it was stopped on purpose, then it was stopped until now.
    """
    await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    last = await db.fetchrow(_LAST)
    if last is None:
        await db.execute(_ADD, state, reason, at, at)
        return
    since = max(last["until"], at)
    if at <= last["until"]:
        since = last["until"]
    elif last["state"] == STOPPED:
        await db.execute(_GROW, last["id"], at)
    elif at - last["until"] > GAP:
        await db.execute(_ADD, DOWN, SILENCE, last["until"], at)
    elif last["state"] == state or state in THERE:
        await db.execute(_GROW, last["id"], at)
    else:
        since = last["until"]  # it went down some time since: all of that counts as down
    if last["state"] != state or at - last["until"] > GAP:
        await db.execute(_ADD, state, reason, since, max(since, at))


async def current(db: Db, now: datetime) -> bool | None:
    """Whether it is there now; None where nobody looks (any more)."""
    last = await db.fetchrow(_LAST)
    if last is None or now - last["until"] > GAP:
        return None
    return last["state"] in THERE


async def newest(db: Db) -> Row | None:
    """State, reason and bounds of the newest period."""
    row = await db.fetchrow(
        "SELECT state, reason, since, until FROM availability ORDER BY until DESC, id DESC LIMIT 1"
    )
    return dict(row) if row else None


async def summary(db: Db, start: datetime, end: datetime) -> Summary:
    """Of [start, end)."""
    rows = await db.fetch(_SECONDS, start, end)
    return summed({row["state"]: float(row["seconds"]) for row in rows})


def summed(seconds: dict[str, float]) -> Summary:
    """The share of the time, without planned stops, in which it was there."""
    there = sum(length for state, length in seconds.items() if state in THERE)
    counted = there + seconds.get(DOWN, 0.0)
    return Summary(there / counted if counted else None, seconds)


async def days(db: Db, start: datetime, end: datetime) -> list[Row]:
    """The same by days of UTC, those of which something is known, in order."""
    by_day: dict[object, dict[str, float]] = {}
    for row in await db.fetch(_DAYS, start, end):
        by_day.setdefault(row["day"], {})[row["state"]] = float(row["seconds"])
    return [
        {"day": day, "share": summed(seconds).share, "seconds": seconds}
        for day, seconds in by_day.items()
    ]


async def outages(db: Db, start: datetime, end: datetime, limit: int) -> list[Row]:
    """Times in which it was not there, the newest first."""
    return [dict(row) for row in await db.fetch(_OUTAGES, start, end, limit)]
