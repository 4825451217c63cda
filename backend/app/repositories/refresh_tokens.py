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
    db: Db,
    user_id: int,
    family: UUID,
    hashed: bytes,
    expires_at: datetime,
    address: str | None,
    verified_at: datetime | None = None,
) -> None:
    """The next link of a family; `verified_at` where the person has just proved who they are."""
    await db.execute(
        "INSERT INTO refresh_tokens (user_id, family, token_hash, expires_at, address, verified_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        user_id,
        family,
        hashed,
        expires_at,
        address,
        verified_at,
    )


async def verify_family(db: Db, family: UUID, now: datetime) -> None:
    """The person has proved again who they are, with a token of this family."""
    await db.execute(
        "UPDATE refresh_tokens SET verified_at = $2 WHERE family = $1 AND revoked_at IS NULL",
        family,
        now,
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


async def revoke_all(db: Db, user_id: int, now: datetime, but: UUID | None = None) -> None:
    """End every token sign-in of a person, except the family `but`."""
    condition = "user_id = $2 AND family IS DISTINCT FROM $3"
    gone = _GONE.format(table="refresh_tokens", condition=condition)
    await db.fetchval(gone, now, user_id, but)


async def person(db: Db, user_id: int, family: UUID) -> Row | None:
    """Who an access token speaks for, unless the person or the family was shut out since."""
    row = await db.fetchrow(
        """
        SELECT u.id AS user_id, u.email, u.name, u.role, max(t.verified_at) AS verified_at
        FROM users u JOIN refresh_tokens t ON t.user_id = u.id
        WHERE u.id = $1 AND u.active AND t.family = $2 AND t.revoked_at IS NULL
        GROUP BY u.id
        """,
        user_id,
        family,
    )
    return dict(row) if row else None


async def forget(db: Db, before: datetime) -> None:
    """Drop tokens that ended before an instant."""
    await db.execute("DELETE FROM refresh_tokens WHERE expires_at < $1", before)
