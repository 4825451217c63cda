"""What health asks the database: is it there, who holds the accounts, do bars come in."""

from datetime import datetime
from typing import Final

from app.repositories.paging import Db, Row

_BACKUP: Final = """
  SELECT max(finished_at) FILTER (WHERE status = 'finished') AS finished_at,
    max(verified_at) AS verified_at, min(started_at) AS first_at,
    coalesce((array_agg(status ORDER BY id DESC)
      FILTER (WHERE status IN ('finished', 'failed')))[1] = 'failed', false) AS has_failed,
    (SELECT min(created_at) FROM users) AS signed_up_at
  FROM backups"""


async def server_version(db: Db) -> str:
    """PostgreSQL's version, e.g. 18.4; proves that it answers."""
    return str(await db.fetchval("SELECT split_part(current_setting('server_version'), ' ', 1)"))


async def clock(db: Db) -> datetime:
    """What time it is for the database."""
    found: datetime = await db.fetchval("SELECT clock_timestamp()")
    return found


async def backup(db: Db) -> Row | None:
    """The newest good backup, when one was last proved, and whether a later one failed."""
    row = await db.fetchrow(_BACKUP)
    return dict(row) if row else None


async def dead_letters(db: Db) -> int:
    """Events that a handler gave up on, until somebody hands them over again."""
    found = await db.fetchval("SELECT count(*) FROM handler_deliveries WHERE status = 'dead'")
    return int(found)


async def engines(db: Db) -> list[Row]:
    """Each active account, and whether an engine holds it."""
    found = await db.fetch(
        "SELECT a.id, a.name, coalesce(l.holder IS NOT NULL AND l.expires_at > clock_timestamp(),"
        " false) AS is_held FROM accounts a LEFT JOIN leases l ON l.resource = 'account:' || a.id"
        " WHERE a.active ORDER BY a.id"
    )
    return [dict(row) for row in found]


async def freshness(db: Db) -> list[Row]:
    """Seconds since each running account's newest slice was journaled (None: never).

    A new slice is expected of the simulator only: its market never ends. A replay may be over, and
    a live market closed.
    """
    found = await db.fetch(
        """
        SELECT a.id, a.name, a.dataset = 'simulated' AS is_expected,
          extract(epoch FROM clock_timestamp() - newest.recorded_at)::float8 AS age_seconds
        FROM accounts a LEFT JOIN LATERAL (
          SELECT e.recorded_at FROM trading_events e
          WHERE e.stream = 'account:' || a.id AND e.event_type IN ('slice_closed', 'clock_ticked')
          ORDER BY e.seq DESC LIMIT 1
        ) newest ON true
        WHERE a.active AND EXISTS (
          SELECT FROM deployments d WHERE d.account_id = a.id AND d.state = 'running')
        ORDER BY a.id
        """
    )
    return [dict(row) for row in found]
