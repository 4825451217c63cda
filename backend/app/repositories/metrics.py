"""Figures of the trading side, in one statement; and what processes note of themselves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from app.domain.orders import OPEN
from app.repositories.paging import Db

_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN))
_FACTS: Final = f"""
SELECT
  (SELECT count(*) FROM orders WHERE status IN ({_OPEN})) AS orders_open,
  (SELECT count(*) FROM orders) AS orders_total,
  (SELECT count(*) FROM orders WHERE status = 'rejected') AS orders_rejected,
  (SELECT count(*) FROM orders WHERE status = 'unknown') AS orders_unknown,
  (SELECT count(*) FROM executions) AS executions_total,
  (SELECT count(*) FROM positions WHERE quantity <> 0) AS positions_open,
  (SELECT count(*) FROM trades) AS trades_total,
  (SELECT count(*) FROM signals) AS signals_total,
  (SELECT count(*) FROM risk_violations) AS risk_violations_total,
  (SELECT count(*) FROM deployments WHERE state = 'running') AS deployments_running,
  (SELECT count(*) FROM deployments WHERE state = 'failed') AS deployments_failed,
  (SELECT coalesce(sum(seq), 0)::bigint FROM journal_streams WHERE stream <> 'audit')
    AS events_total,
  (SELECT count(*) FROM trading_events WHERE recorded_at > now() - interval '1 minute')
    AS events_last_minute,
  (SELECT count(*) FROM commands WHERE status = 'pending') AS commands_pending,
  (SELECT count(*) FROM commands WHERE status = 'failed') AS commands_failed,
  (SELECT coalesce(extract(epoch FROM percentile_cont(0.95) WITHIN GROUP
      (ORDER BY completed_at - created_at)) * 1000, 0)::float8
    FROM commands WHERE completed_at > now() - interval '1 hour') AS command_ms_p95,
  (SELECT count(*) FROM alerts WHERE resolved_at IS NULL) AS alerts_open
"""


async def facts(db: Db) -> dict[str, float]:
    """Counts by name; times in milliseconds."""
    row = await db.fetchrow(_FACTS)
    return {name: float(value) for name, value in (row or {}).items()}


_NOTE: Final = """
  WITH noted AS (
    INSERT INTO metrics (name, at, labels, value)
    SELECT n.name, $1, jsonb_build_object('process', $2::text), n.value
    FROM unnest($3::text[], $4::float8[]) AS n (name, value)
    ON CONFLICT DO NOTHING RETURNING 1
  )
  DELETE FROM metrics m WHERE m.name = ANY($3) AND m.at < $1 - interval '1 hour'"""

_NOTED: Final = """
  SELECT name, sum(value) AS value FROM (
    SELECT DISTINCT ON (name, series) name, value FROM metrics
    WHERE at > $1 AND name LIKE $2 ORDER BY name, series, at DESC
  ) newest GROUP BY name"""

_EACH: Final = """
  SELECT DISTINCT ON (name, series) name, value FROM metrics
  WHERE at > $1 AND name LIKE $2 ORDER BY name, series, at DESC"""


async def note(db: Db, process: str, values: Mapping[str, float], at: datetime) -> None:
    """Figures of one process, for those that cannot ask it; kept for an hour."""
    if values:
        await db.execute(_NOTE, at, process, list(values), list(map(float, values.values())))


async def noted(db: Db, prefix: str, since: datetime) -> dict[str, float]:
    """The newest figures whose names begin so, summed over the processes that noted them since."""
    rows = await db.fetch(_NOTED, since, prefix.replace("_", r"\_") + "%")
    return {row["name"]: float(row["value"]) for row in rows}


async def each_noted(db: Db, prefix: str, since: datetime) -> dict[str, list[float]]:
    """The newest figures whose names begin so, one a process that noted them since."""
    rows = await db.fetch(_EACH, since, prefix.replace("_", r"\_") + "%")
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(float(row["value"]))
    return found
