"""Figures of the trading side; what processes note of themselves; and measurements over time."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import orjson

from app.domain.orders import OPEN
from app.repositories.paging import Db, Row

_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN))
_FACTS: Final = f"""
SELECT
  (SELECT count(*) FROM orders WHERE status IN ({_OPEN})) AS orders_open,
  (SELECT count(*) FROM orders WHERE status = 'unknown') AS orders_unknown,
  (SELECT count(*) FROM positions WHERE quantity <> 0) AS positions_open,
  (SELECT count(*) FROM deployments WHERE state = 'running') AS deployments_running,
  (SELECT count(*) FROM deployments WHERE state = 'failed') AS deployments_failed,
  (SELECT coalesce(sum(seq), 0)::bigint FROM journal_streams WHERE stream <> 'audit')
    AS events_total,
  (SELECT count(*) FROM commands WHERE status = 'pending') AS commands_pending,
  (SELECT count(*) FROM handler_deliveries WHERE status = 'dead') AS dead_letters,
  (SELECT count(*) FROM handler_deliveries WHERE status = 'pending') AS deliveries_pending,
  (SELECT coalesce(sum(value), 0) FROM metrics
    WHERE name = 'errors' AND at > now() - interval '5 minutes') AS errors_5m,
  (SELECT count(*) FROM alerts WHERE resolved_at IS NULL) AS alerts_open
"""
_TOTALS: Final = """
SELECT
  (SELECT count(*) FROM executions) AS executions_total,
  (SELECT count(*) FROM trades) AS trades_total,
  (SELECT count(*) FROM signals) AS signals_total,
  (SELECT count(*) FROM commands WHERE status = 'failed') AS commands_failed,
  (SELECT count(*) FROM trading_events WHERE recorded_at > now() - interval '1 minute')
    AS events_last_minute,
  (SELECT coalesce(extract(epoch FROM percentile_cont(0.95) WITHIN GROUP
      (ORDER BY completed_at - created_at)) * 1000, 0)::float8
    FROM commands WHERE completed_at > now() - interval '1 hour') AS command_ms_p95,
  (SELECT pg_database_size(current_database()) / 1048576.0) AS database_mb,
  (SELECT extract(epoch FROM now() - max(finished_at)) / 3600 FROM backups
    WHERE status = 'finished') AS backup_age_hours
"""
_BY_LABEL: Final = """
SELECT 'orders' AS name, 'status' AS label, status AS value, count(*)::float8 AS number
  FROM orders GROUP BY status
UNION ALL
SELECT 'denials_total', 'code', code, count(*) FROM risk_violations GROUP BY code
UNION ALL
SELECT 'event_rate', 'type', event_type, count(*) / 10.0 FROM trading_events
  WHERE recorded_at > now() - interval '10 seconds' GROUP BY event_type"""

Labelled = tuple[str, Mapping[str, str], float]
"""Name, labels, value."""


async def facts(db: Db) -> dict[str, float]:
    """Counts by name that are cheap however much is stored."""
    row = await db.fetchrow(_FACTS)
    return {name: float(value) for name, value in (row or {}).items()}


async def totals(db: Db) -> tuple[dict[str, float], list[Labelled]]:
    """What has to be counted row by row: figures by name, and those with a label."""
    row = await db.fetchrow(_TOTALS)
    found = {name: float(value) for name, value in (row or {}).items() if value is not None}
    labelled: list[Labelled] = [
        (one["name"], {one["label"]: one["value"]}, float(one["number"]))
        for one in await db.fetch(_BY_LABEL)
    ]
    orders = {labels["status"]: count for name, labels, count in labelled if name == "orders"}
    denials = [count for name, _, count in labelled if name == "denials_total"]
    found["orders_total"] = sum(orders.values())
    found["orders_rejected"] = orders.get("rejected", 0.0)
    found["risk_violations_total"] = sum(denials)
    return found, labelled


# ------------------------------------------------------------- what processes say of themselves

_NOTE: Final = """
  WITH noted AS (
    INSERT INTO metrics (name, at, labels, value)
    SELECT n.name, $1, n.labels::jsonb, n.value
    FROM unnest($2::text[], $3::text[], $4::float8[]) AS n (name, labels, value)
    ON CONFLICT DO NOTHING RETURNING 1
  )
  DELETE FROM metrics m WHERE m.name = ANY($2) AND m.at < $1 - interval '1 hour'"""

_NOTED: Final = """
  SELECT name, sum(value) AS value FROM (
    SELECT DISTINCT ON (name, series) name, value FROM metrics
    WHERE at > $1 AND name LIKE $2 AND labels ? 'process' ORDER BY name, series, at DESC
  ) newest GROUP BY name"""

_EACH: Final = """
  SELECT DISTINCT ON (name, series) name, labels::text AS labels, value FROM metrics
  WHERE at > $1 AND name LIKE $2 AND labels ? 'process' ORDER BY name, series, at DESC"""


async def note(db: Db, process: str, values: Mapping[str, float], at: datetime) -> None:
    """Figures of one process, for those that cannot ask it; kept for an hour."""
    await note_each(db, [(name, {"process": process}, one) for name, one in values.items()], at)


async def note_each(db: Db, values: Sequence[Labelled], at: datetime) -> None:
    """The same with labels of one's own."""
    if values:
        await db.execute(_NOTE, at, *_columns(values))


async def noted(db: Db, prefix: str, since: datetime) -> dict[str, float]:
    """The newest figures whose names begin so, summed over the processes that noted them since."""
    rows = await db.fetch(_NOTED, since, _like(prefix))
    return {row["name"]: float(row["value"]) for row in rows}


async def each_noted(db: Db, prefix: str, since: datetime) -> dict[str, list[float]]:
    """The newest figures whose names begin so, one a process that noted them since."""
    found: dict[str, list[float]] = {}
    for name, _, value in await labelled_noted(db, prefix, since):
        found.setdefault(name, []).append(value)
    return found


async def labelled_noted(db: Db, prefix: str, since: datetime) -> list[Labelled]:
    """The newest figures whose names begin so, with their labels."""
    rows = await db.fetch(_EACH, since, _like(prefix))
    return [(row["name"], orjson.loads(row["labels"]), float(row["value"])) for row in rows]


def _like(prefix: str) -> str:
    return prefix.replace("_", r"\_") + "%"


def _columns(values: Sequence[Labelled]) -> tuple[list[str], list[str], list[float]]:
    names, labels, numbers = zip(*values, strict=True)
    return list(names), [orjson.dumps(one).decode() for one in labels], [float(n) for n in numbers]


# ---------------------------------------------------------------------------- over time

_RECORD: Final = """
  INSERT INTO metrics (name, at, labels, value)
  SELECT n.name, $1, n.labels::jsonb, n.value
  FROM unnest($2::text[], $3::text[], $4::float8[]) AS n (name, labels, value)
  ON CONFLICT DO NOTHING"""

FIVE_MINUTES: Final = 300
HOUR: Final = 3_600
_ROLL_RAW: Final = """
  INSERT INTO metric_rollups (name, span, at, labels, samples, total, minimum, maximum, last)
  SELECT name, 300, date_bin('5 minutes', at, 'epoch'), labels, count(*), sum(value),
    min(value), max(value), (array_agg(value ORDER BY at DESC))[1]
  FROM metrics WHERE at >= $1 AND at < $2 GROUP BY name, labels, date_bin('5 minutes', at, 'epoch')
  ON CONFLICT (name, series, span, at) DO UPDATE SET samples = excluded.samples,
    total = excluded.total, minimum = excluded.minimum, maximum = excluded.maximum,
    last = excluded.last
  WHERE excluded.samples >= metric_rollups.samples"""
_ROLL_HOURS: Final = """
  INSERT INTO metric_rollups (name, span, at, labels, samples, total, minimum, maximum, last)
  SELECT name, 3600, date_bin('1 hour', at, 'epoch'), labels, sum(samples), sum(total),
    min(minimum), max(maximum), (array_agg(last ORDER BY at DESC))[1]
  FROM metric_rollups WHERE span = 300 AND at >= $1 AND at < $2
  GROUP BY name, labels, date_bin('1 hour', at, 'epoch')
  ON CONFLICT (name, series, span, at) DO UPDATE SET samples = excluded.samples,
    total = excluded.total, minimum = excluded.minimum, maximum = excluded.maximum,
    last = excluded.last
  WHERE excluded.samples >= metric_rollups.samples"""
_NEWEST_ROLLUP: Final = "SELECT max(at) FROM metric_rollups WHERE span = $1"
_OLDEST: Final = "SELECT min(at) FROM metrics"
_FORGET: Final = "DELETE FROM metric_rollups WHERE span = $1 AND at < $2"
_HISTORY: Final = {
    0: """SELECT at, labels::text AS labels, value AS mean, value AS minimum, value AS maximum,
         1::bigint AS samples FROM metrics WHERE name = $1 AND at >= $2 AND at < $3
         ORDER BY at, series LIMIT $4""",
    **dict.fromkeys(
        (FIVE_MINUTES, HOUR),
        """SELECT at, labels::text AS labels, total / samples AS mean, minimum, maximum, samples
         FROM metric_rollups WHERE name = $1 AND at >= $2 AND at < $3 AND span = $5
         ORDER BY at, series LIMIT $4""",
    ),
}
_NAMES: Final = """
  WITH RECURSIVE names AS (
    (SELECT name FROM metrics ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT m.name FROM metrics m WHERE m.name > n.name ORDER BY m.name LIMIT 1)
    FROM names n WHERE n.name IS NOT NULL
  ) SELECT name FROM names WHERE name IS NOT NULL"""


class Rolled(msgspec.Struct, frozen=True):
    """How many rows of five minutes and of an hour were written or brought up to date."""

    five_minutes: int
    hours: int
    forgotten: int


async def record(db: Db, values: Sequence[Labelled], at: datetime) -> None:
    """Measurements that are kept as long as the settings say."""
    if values:
        await db.execute(_RECORD, at, *_columns(values))


async def roll_up(
    db: Db, until: datetime, kept_5m: timedelta | None, kept_1h: timedelta | None
) -> Rolled:
    """Sum up what is whole by `until`, from where the last time ended; forget what is too old.

    Doing it again changes nothing: the newest row of each span is made anew.
    """
    fives = await _roll(db, _ROLL_RAW, FIVE_MINUTES, until)
    hours = await _roll(db, _ROLL_HOURS, HOUR, until)
    forgotten = 0
    for span, kept in ((FIVE_MINUTES, kept_5m), (HOUR, kept_1h)):
        if kept is not None:
            forgotten += _count(await db.execute(_FORGET, span, until - kept))
    return Rolled(fives, hours, forgotten)


async def _roll(db: Db, statement: str, span: int, until: datetime) -> int:
    start = await db.fetchval(_NEWEST_ROLLUP, span) or await db.fetchval(_OLDEST)
    end = datetime.fromtimestamp(until.timestamp() // span * span, until.tzinfo)
    if start is None or start >= end:
        return 0
    begin = datetime.fromtimestamp(start.timestamp() // span * span, until.tzinfo)
    return _count(await db.execute(statement, begin, end))


async def history(
    db: Db, name: str, start: datetime, end: datetime, span: int, limit: int
) -> list[Row]:
    """Points of [start, end) in order; `span` 0 gives measurements as they were taken."""
    arguments = (name, start, end, limit, *((span,) if span else ()))
    rows = await db.fetch(_HISTORY[span], *arguments)
    return [{**dict(row), "labels": orjson.loads(row["labels"])} for row in rows]


async def names(db: Db) -> list[str]:
    """Every name that was measured lately, in order; steps from name to name in the key."""
    return [row["name"] for row in await db.fetch(_NAMES)]


def _count(said: str) -> int:
    """Rows, from a command tag such as `INSERT 0 7`."""
    return int(said.rpartition(" ")[2])
