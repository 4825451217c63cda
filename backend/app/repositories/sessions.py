"""Browser sessions: only hashes of their ids are stored."""

from datetime import datetime, timedelta
from typing import Final

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister

_LISTING: Final = Listing(
    select="""s.id, s.created_at, s.last_seen_at, s.expires_at, host(s.address) AS address,
       nullif(s.user_agent, '') AS user_agent""",
    source="sessions s",
    keys=(("s.id", "bigint"),),
)
_GONE: Final = """WITH gone AS (UPDATE {table} SET revoked_at = $1 WHERE revoked_at IS NULL
    AND {condition} RETURNING user_id)
  SELECT count(pg_notify('access', user_id::text)) FROM (SELECT DISTINCT user_id FROM gone) p"""
"Open WebSockets of the person are looked at as soon as the transaction commits."
GRACE: Final = timedelta(seconds=10)
_LIVE: Final = "s.revoked_at IS NULL AND s.expires_at > {now} AND s.last_seen_at > {idle}"


def listing(db: Db, user_id: int, now: datetime, idle_since: datetime) -> Fetch:
    """One person's live sessions, newest first."""
    where = Where().add("s.user_id = {}", user_id).say("s.revoked_at IS NULL")
    where.add("s.expires_at > {}", now).add("s.last_seen_at > {}", idle_since)
    return lister(db, _LISTING, where)


async def find(db: Db, hashed: bytes, now: datetime, idle_since: datetime) -> Row | None:
    """The live session behind a cookie, with its person.

    The id before a fresh check is good for `GRACE` longer, for requests that were on their way,
    but not for what the check opened.
    """
    row = await db.fetchrow(
        f"""
        SELECT s.id, s.user_id, s.last_seen_at, s.expires_at, u.email, u.name, u.role,
          CASE WHEN s.token_hash = $1 THEN s.verified_at END AS verified_at
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE (s.token_hash = $1 OR (s.previous_hash = $1 AND s.rotated_at > $4))
          AND {_LIVE.format(now="$2", idle="$3")} AND u.active
        """,
        hashed,
        now,
        idle_since,
        now - GRACE,
    )
    return dict(row) if row else None


async def rotate(db: Db, session_id: int, hashed: bytes, now: datetime) -> datetime | None:
    """Another id after a fresh check; the session's end, or None when it is over."""
    found: datetime | None = await db.fetchval(
        "UPDATE sessions SET previous_hash = token_hash, token_hash = $2, rotated_at = $3,"
        " verified_at = $3, last_seen_at = $3"
        " WHERE id = $1 AND revoked_at IS NULL AND expires_at > $3 RETURNING expires_at",
        session_id,
        hashed,
        now,
    )
    return found


async def live_hashes(db: Db, user_id: int, now: datetime) -> list[bytes]:
    """Hashes of the ids of a person's sessions that have not outlived, revoked ones included."""
    rows = await db.fetch(
        "SELECT token_hash, previous_hash FROM sessions WHERE user_id = $1 AND expires_at > $2",
        user_id,
        now,
    )
    return [bytes(one) for row in rows for one in row.values() if one is not None]


async def knows_address(db: Db, email: str, address: str) -> bool:
    """Whether this person's sign-in has succeeded from an address, in the last month or so."""
    return bool(
        await db.fetchval(
            "SELECT EXISTS (SELECT FROM users u JOIN sessions s ON s.user_id = u.id"
            " WHERE u.email = lower($1) AND s.address = $2::text::inet)",
            email,
            address,
        )
    )


async def add(
    db: Db,
    user_id: int,
    hashed: bytes,
    now: datetime,
    expires_at: datetime,
    address: str | None,
    user_agent: str,
) -> int:
    """A new session's id."""
    return int(
        await db.fetchval(
            "INSERT INTO sessions (user_id, token_hash, last_seen_at, verified_at, expires_at,"
            " address, user_agent) VALUES ($1, $2, $3, $3, $4, $5, $6) RETURNING id",
            user_id,
            hashed,
            now,
            expires_at,
            address,
            user_agent[:300],
        )
    )


async def touch(db: Db, session_id: int, now: datetime) -> None:
    """It was used: the idle time starts anew."""
    await db.execute("UPDATE sessions SET last_seen_at = $2 WHERE id = $1", session_id, now)


async def revoke(db: Db, user_id: int, session_id: int, now: datetime) -> bool:
    """End one session of a person; False when there is no such live one."""
    gone = _GONE.format(table="sessions", condition="id = $2 AND user_id = $3")
    return bool(await db.fetchval(gone, now, session_id, user_id))


async def revoke_all(db: Db, user_id: int, now: datetime, but: int | None = None) -> None:
    """End every session of a person, except `but`."""
    gone = _GONE.format(table="sessions", condition="user_id = $2 AND id IS DISTINCT FROM $3")
    await db.fetchval(gone, now, user_id, but)


async def by_id(db: Db, session_id: int, now: datetime) -> Row | None:
    """A session that was neither revoked nor outlived, with its person, who is still active.

    How long ago it was used does not matter: an open WebSocket is a use.
    """
    row = await db.fetchrow(
        "SELECT s.id, s.user_id, u.email, u.name, u.role, s.verified_at"
        " FROM sessions s JOIN users u ON u.id = s.user_id"
        " WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.active",
        session_id,
        now,
    )
    return dict(row) if row else None


async def forget(db: Db, before: datetime) -> None:
    """Drop sessions that ended before an instant."""
    await db.execute("DELETE FROM sessions WHERE expires_at < $1", before)
