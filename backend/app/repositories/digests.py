"""What the daily digest asks: alerts and trading of a day."""

from datetime import datetime
from typing import Final

from app.repositories.paging import Db, Row

_COUNTS: Final = """
  SELECT severity, count(*) AS alerts FROM alerts
  WHERE raised_at > $1 AND raised_at <= $2 AND rule IS DISTINCT FROM 'digest'
  GROUP BY severity
  ORDER BY array_position(ARRAY['critical', 'error', 'warning', 'info'], severity)"""
_OPEN: Final = """
  SELECT severity, title FROM alerts WHERE resolved_at IS NULL
  ORDER BY array_position(ARRAY['critical', 'error', 'warning', 'info'], severity), id DESC"""
_ACCOUNTS: Final = """
  SELECT a.id, a.name, a.cash, coalesce(e.orders, 0) AS orders, coalesce(e.fills, 0) AS fills,
    coalesce(e.denials, 0) AS denials, coalesce(t.trades, 0) AS trades, coalesce(t.pnl, 0) AS pnl
  FROM accounts a
  LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE event_type = 'order_approved') AS orders,
      count(*) FILTER (WHERE event_type = 'order_filled') AS fills,
      count(*) FILTER (WHERE event_type = 'order_denied') AS denials
    FROM trading_events WHERE stream = 'account:' || a.id AND recorded_at > $1
      AND recorded_at <= $2 AND event_type IN ('order_approved', 'order_filled', 'order_denied')
  ) e ON true
  LEFT JOIN LATERAL (
    SELECT count(*) AS trades, sum(pnl) AS pnl FROM trades
    WHERE account_id = a.id AND exit_at > $1 AND exit_at <= $2
  ) t ON true
  WHERE a.active ORDER BY a.id"""


async def alert_counts(db: Db, since: datetime, until: datetime) -> dict[str, int]:
    """How many were raised in (since, until], by severity, the gravest first."""
    rows = await db.fetch(_COUNTS, since, until)
    return {row["severity"]: int(row["alerts"]) for row in rows}


async def open_alerts(db: Db) -> list[Row]:
    """Severity and title of what is open, the gravest first."""
    return [dict(row) for row in await db.fetch(_OPEN)]


async def accounts(db: Db, since: datetime, until: datetime) -> list[Row]:
    """What each active account did in (since, until]; round trips by the market's own time."""
    return [dict(row) for row in await db.fetch(_ACCOUNTS, since, until)]
