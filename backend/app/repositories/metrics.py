"""Figures of the trading side, in one statement."""

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
