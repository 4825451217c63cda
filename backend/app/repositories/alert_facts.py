"""What conditions ask the database: is something stuck, silent, missing, or strange."""

from datetime import datetime
from typing import Final

from app.repositories.paging import Db, Row

_AUDIT_TAIL: Final = 5_000
"Acts that are looked at: their time has no index, and minutes never hold more."
_UNKNOWN: Final = """
  SELECT account_id, client_order_id, at FROM orders
  WHERE status = 'unknown' ORDER BY account_id, id LIMIT 200"""
_COMMANDS: Final = """
  SELECT count(*) AS commands, coalesce(extract(epoch FROM percentile_cont(0.95) WITHIN GROUP
    (ORDER BY completed_at - created_at)) * 1000, 0)::float8 AS ms
  FROM commands WHERE completed_at > $1"""
_SILENCE: Final = """
  SELECT a.id, a.name, a.dataset, coalesce(a.settings ->> 'exchange', 'XNYS') AS exchange,
    newest.recorded_at AS last_at, started.at AS running_since
  FROM accounts a
  JOIN LATERAL (SELECT min(d.started_at) AS at FROM deployments d
    WHERE d.account_id = a.id AND d.state = 'running') started ON started.at IS NOT NULL
  LEFT JOIN LATERAL (
    SELECT e.recorded_at FROM trading_events e
    WHERE e.stream = 'account:' || a.id AND e.event_type = 'slice_closed'
    ORDER BY e.seq DESC LIMIT 1
  ) newest ON true
  WHERE a.active AND a.dataset IN ('live', 'simulated') ORDER BY a.id"""
_BACKUPS: Final = """
  SELECT (SELECT max(finished_at) FROM backups WHERE status = 'finished') AS finished_at,
    (SELECT min(created_at) FROM accounts) AS born_at, last.status, last.error, last.started_at
  FROM (SELECT 1) one LEFT JOIN LATERAL (
    SELECT status, error, started_at FROM backups
    WHERE status IN ('finished', 'failed') ORDER BY started_at DESC, id DESC LIMIT 1
  ) last ON true"""
_ACTS: Final = """
  SELECT seq, at, actor, user_id, action, host(address) AS address FROM audit_trail
  WHERE seq > (SELECT seq FROM journal_streams WHERE stream = 'audit') - $3
    AND at > $1 AND action = ANY($2) ORDER BY seq"""
_NEW_ADDRESSES: Final = """
  SELECT s.seq, s.at, s.actor, host(s.address) AS address FROM audit_trail s
  WHERE s.seq > (SELECT seq FROM journal_streams WHERE stream = 'audit') - $2
    AND s.at > $1 AND s.action = 'signed_in' AND s.address IS NOT NULL
    AND EXISTS (SELECT FROM audit_trail p WHERE p.actor = s.actor AND p.seq < s.seq
      AND p.action IN ('signed_in', 'signed_up'))
    AND NOT EXISTS (SELECT FROM audit_trail p WHERE p.actor = s.actor AND p.seq < s.seq
      AND p.action IN ('signed_in', 'signed_up') AND p.address = s.address)
  ORDER BY s.seq"""
_ORDERS: Final = """
  SELECT a.id, a.name, count(*) AS orders FROM trading_events e
  JOIN accounts a ON e.stream = 'account:' || a.id
  WHERE e.event_type = 'order_approved' AND e.recorded_at > $1 AND a.dataset = 'live'
  GROUP BY a.id HAVING count(*) >= $2 ORDER BY a.id"""
_ORDERS_BEFORE: Final = """
  SELECT count(*) FROM trading_events e
  WHERE e.event_type = 'order_approved' AND e.stream = 'account:' || $1::bigint
    AND e.recorded_at > $2 AND e.recorded_at <= $3"""


async def unknown_orders(db: Db) -> list[Row]:
    """Orders whose state nobody knows now."""
    return [dict(row) for row in await db.fetch(_UNKNOWN)]


async def command_times(db: Db, since: datetime) -> tuple[int, float]:
    """How many commands were answered since, and the 95th percentile of their milliseconds."""
    row = await db.fetchrow(_COMMANDS, since)
    return (int(row["commands"]), float(row["ms"])) if row else (0, 0.0)


async def silence(db: Db) -> list[Row]:
    """Accounts that something runs on: since when, and when their newest slice was journaled."""
    return [dict(row) for row in await db.fetch(_SILENCE)]


async def backups(db: Db) -> Row:
    """When the newest finished, how the last one ended, and how old the installation is."""
    row = await db.fetchrow(_BACKUPS)
    assert row is not None  # a row of subqueries
    return dict(row)


async def acts(db: Db, since: datetime, actions: list[str]) -> list[Row]:
    """What the audit trail says of these actions since then, the oldest first."""
    return [dict(row) for row in await db.fetch(_ACTS, since, actions, _AUDIT_TAIL)]


async def new_addresses(db: Db, since: datetime) -> list[Row]:
    """Sign-ins since then from addresses that the person never signed in from before."""
    return [dict(row) for row in await db.fetch(_NEW_ADDRESSES, since, _AUDIT_TAIL)]


async def many_orders(db: Db, since: datetime, least: int) -> list[Row]:
    """Accounts on live data with at least so many orders since then."""
    return [dict(row) for row in await db.fetch(_ORDERS, since, least)]


async def orders_between(db: Db, account_id: int, start: datetime, end: datetime) -> int:
    """Orders of an account in (start, end]."""
    return int(await db.fetchval(_ORDERS_BEFORE, account_id, start, end))
