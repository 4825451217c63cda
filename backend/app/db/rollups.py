"""Bars of longer timeframes for people who query with SQL: `bars_5m` to `bars_1d`.

Continuous aggregates where TimescaleDB is, ordinary views elsewhere; names and rows are the same.
The program itself makes longer bars from minutes by `marketdata.aggregation`.
"""

from collections import defaultdict
from datetime import UTC, datetime
from datetime import time as clock_time
from time import sleep
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from app.db import timescale
from app.db.timescale import attempt
from app.marketdata.batch import to_datetime, to_ns
from app.marketdata.calendar import FIRST_YEAR, LAST_YEAR, trading_calendar

NEW_YORK: Final = ZoneInfo("America/New_York")
USUAL_CLOSE: Final = clock_time(16)
FUNCTION: Final = "in_regular_hours"

ROLLUPS: Final = {"bars_5m": "5 minutes", "bars_15m": "15 minutes", "bars_1h": "1 hour"}
"""Width of each. New York opens half past an hour of UTC, in summer and in winter: buckets that are
anchored at 13:30 UTC are anchored at the open."""
DAILY: Final = "bars_1d"
NAMES: Final = (*ROLLUPS, DAILY)
ANCHOR: Final = "2000-01-03 14:30:00+00"

_PAUSE_SECONDS: Final = 0.2
_ATTEMPTS: Final = 10
_KINDS: Final = """
SELECT c.relname, EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    JOIN pg_class t ON t.oid = d.refobjid
    WHERE r.ev_class = c.oid AND t.relname LIKE '\\_materialized\\_hypertable%')
FROM pg_class c WHERE c.relname = ANY(:names) AND c.relkind = 'v'
    AND c.relnamespace = current_schema()::regnamespace"""
_DAY: Final = {
    True: "time_bucket(INTERVAL '1 day', start, 'America/New_York')",
    False: "date_trunc('day', start, 'America/New_York')",
}
_FIRST_LAST: Final = {
    True: ("first(open, start)", "last(close, start)"),
    False: ("(array_agg(open ORDER BY start))[1]", "(array_agg(close ORDER BY start DESC))[1]"),
}


def create(connection: Connection) -> None:
    """Make what is missing, in the caller's transaction."""
    connection.execute(text(_regular_hours()))
    has_timescale = timescale.is_installed(connection)
    for name in NAMES:
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is None:
            made = has_timescale and attempt(connection, "continuous_aggregate", *_aggregate(name))
            if not made:
                connection.execute(text(f"CREATE VIEW {name} AS {_query(name, False)}"))


def drop(connection: Connection) -> None:
    """Remove them, so that tables can change beneath them; they are made anew from the bars.

    Raises what the database says when they cannot be removed: somebody's own view may build on one.
    """
    for name, is_aggregate in connection.execute(text(_KINDS), {"names": list(NAMES)}).all():
        statement = f"DROP {'MATERIALIZED ' if is_aggregate else ''}VIEW {name}"
        if not is_aggregate or not _dropped_in_time(connection, statement):
            connection.execute(text(statement))
    connection.execute(text(f"DROP FUNCTION IF EXISTS {FUNCTION}(timestamptz)"))


def _dropped_in_time(connection: Connection, statement: str) -> bool:
    """A job that brings an aggregate on may be at work: the first attempt ends it."""
    for _ in range(_ATTEMPTS):
        if attempt(connection, "drop_aggregate", statement):
            return True
        sleep(_PAUSE_SECONDS)
    return False


def _aggregate(name: str) -> list[str]:
    """A continuous aggregate that shows the newest minutes too, and how often it is brought on.

    Its window has no start: bars of any age may be imported or corrected.
    """
    return [
        f"CREATE MATERIALIZED VIEW {name} WITH (timescaledb.continuous,"
        f" timescaledb.materialized_only = false) AS {_query(name, True)} WITH NO DATA",
        f"SELECT add_continuous_aggregate_policy('{name}', start_offset => NULL,"
        " end_offset => INTERVAL '2 days', schedule_interval => INTERVAL '15 minutes')",
    ]


def _query(name: str, has_timescale: bool) -> str:
    first, last = _FIRST_LAST[has_timescale]
    if name == DAILY:
        bucket = _DAY[has_timescale]
    elif has_timescale:
        bucket = f"time_bucket(INTERVAL '{ROLLUPS[name]}', start, TIMESTAMPTZ '{ANCHOR}')"
    else:
        bucket = f"date_bin(INTERVAL '{ROLLUPS[name]}', start, TIMESTAMPTZ '{ANCHOR}')"
    return f"""
        SELECT dataset, stock_id, {bucket} AS start, {first} AS open, max(high) AS high,
            min(low) AS low, {last} AS close, sum(volume) AS volume,
            sum(vwap * volume) / nullif(sum(volume), 0) AS vwap, count(*) AS minutes
        FROM stock_data WHERE timeframe = '1m' AND {FUNCTION}(start)
        GROUP BY dataset, stock_id, {bucket}"""


def _regular_hours() -> str:
    """The function that tells regular hours of New York, early closes included.

    It is immutable, as continuous aggregates want it: past early closes do not change, and those of
    coming years are the calendar's at the time of the migration.
    """
    cases = " ".join(
        f"WHEN (at AT TIME ZONE 'America/New_York')::date = ANY ('{{{','.join(days)}}}'::date[])"
        f" THEN TIME '{close}'"
        for close, days in sorted(_early_closes().items())
    )
    return f"""
        CREATE OR REPLACE FUNCTION {FUNCTION}(at timestamptz) RETURNS boolean
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN (at AT TIME ZONE 'America/New_York')::time >= TIME '09:30'
            AND (at AT TIME ZONE 'America/New_York')::time < CASE {cases} ELSE TIME '16:00' END"""


def _early_closes() -> dict[str, list[str]]:
    """Days on which New York closed before four, by the time at which it did."""
    calendar = trading_calendar("XNYS")
    first, last = (datetime(year, 1, 1, tzinfo=UTC) for year in (FIRST_YEAR, LAST_YEAR + 1))
    found: dict[str, list[str]] = defaultdict(list)
    for session in calendar.sessions(to_ns(first), to_ns(last)):
        close = to_datetime(session.close).astimezone(NEW_YORK).time()
        if close < USUAL_CLOSE:
            found[close.isoformat("minutes")].append(session.day.isoformat())
    return found
