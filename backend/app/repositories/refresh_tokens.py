"""Refresh tokens: chains in which each link works once."""

from datetime import datetime
from typing import Final
from uuid import UUID

from app.repositories.paging import Db, Row

_GONE: Final = """WITH gone AS (UPDATE {table} SET revoked_at = $1 WHERE revoked_at IS NULL
    AND {condition} RETURNING user_id)
  SELECT count(pg_notify('access', user_id::text)) FROM (SELECT DISTINCT user_id FROM gone) p"""
"Open WebSockets of the person are looked at as soon as the transaction commits."


async def add(
    db: Db, user_id: int, family: UUID, hashed: bytes, expires_at: datetime, address: str | None
) -> None:
    """The next link of a family."""
    await db.execute(
        "INSERT INTO refresh_tokens (user_id, family, token_hash, expires_at, address)"
        " VALUES ($1, $2, $3, $4, $5)",
        user_id,
        family,
        hashed,
        expires_at,
        address,
    )


async def find(db: Db, hashed: bytes) -> Row | None:
    """A link with its person, locked: two uses at once are one use and one theft."""
    row = await db.fetchrow(
        """
        SELECT t.id, t.user_id, t.family, t.expires_at, t.used_at, t.revoked_at, u.active
        FROM refresh_tokens t JOIN users u ON u.id = t.user_id
        WHERE t.token_hash = $1 FOR UPDATE OF t
        """,
        hashed,
    )
    return dict(row) if row else None


async def spend(db: Db, token_id: int, now: datetime) -> None:
    await db.execute("UPDATE refresh_tokens SET used_at = $2 WHERE id = $1", token_id, now)


async def revoke_family(db: Db, family: UUID, now: datetime) -> None:
    """End a whole sign-in, its access tokens included."""
    gone = _GONE.format(table="refresh_tokens", condition="family = $2")
    await db.fetchval(gone, now, family)


async def revoke_all(db: Db, user_id: int, now: datetime) -> None:
    """End every token sign-in of a person."""
    gone = _GONE.format(table="refresh_tokens", condition="user_id = $2")
    await db.fetchval(gone, now, user_id)


async def person(db: Db, user_id: int, family: UUID) -> Row | None:
    """Who an access token speaks for, unless the person or the family was shut out since."""
    row = await db.fetchrow(
        """
        SELECT u.id AS user_id, u.email, u.name, u.role FROM users u
        WHERE u.id = $1 AND u.active AND EXISTS (
          SELECT FROM refresh_tokens t
          WHERE t.family = $2 AND t.user_id = u.id AND t.revoked_at IS NULL)
        """,
        user_id,
        family,
    )
    return dict(row) if row else None


async def forget(db: Db, before: datetime) -> None:
    """Drop tokens that ended before an instant."""
    await db.execute("DELETE FROM refresh_tokens WHERE expires_at < $1", before)
