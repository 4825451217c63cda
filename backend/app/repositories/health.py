"""What health asks the database: is it there, who holds the accounts, do bars come in."""

from app.repositories.paging import Db, Row


async def server_version(db: Db) -> str:
    """PostgreSQL's version, e.g. 18.4; proves that it answers."""
    return str(await db.fetchval("SELECT split_part(current_setting('server_version'), ' ', 1)"))


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
