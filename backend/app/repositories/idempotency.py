"""Answers to POSTs, kept a day, so that a repeat gets the same one and has no second effect."""

from datetime import datetime

import orjson

from app.repositories.paging import Db, Row


async def find(db: Db, user_id: int, route: str, key: str, now: datetime) -> Row | None:
    """What is known of a key: its request's hash, and the answer unless still in flight."""
    row = await db.fetchrow(
        "SELECT request_hash, status_code, response::text AS response, created_at"
        " FROM idempotency_keys WHERE user_id = $1 AND route = $2 AND key = $3 AND expires_at > $4",
        user_id,
        route,
        key,
        now,
    )
    return dict(row) if row else None


async def claim(
    db: Db,
    user_id: int,
    route: str,
    key: str,
    request_hash: bytes,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """Take a key, in the transaction of the effect; False when another request has it."""
    found = await db.fetchval(
        """
        INSERT INTO idempotency_keys (user_id, route, key, request_hash, expires_at)
        VALUES ($1, $2, $3, $4, $6)
        ON CONFLICT (user_id, route, key) DO UPDATE SET request_hash = excluded.request_hash,
          status_code = NULL, response = NULL, expires_at = excluded.expires_at
          WHERE idempotency_keys.expires_at <= $5
        RETURNING true
        """,
        user_id,
        route,
        key,
        request_hash,
        now,
        expires_at,
    )
    return bool(found)


async def answer(
    db: Db, user_id: int, route: str, key: str, status_code: int, response: object
) -> None:
    """Keep the answer for repeats."""
    await db.execute(
        "UPDATE idempotency_keys SET status_code = $4, response = $5::jsonb"
        " WHERE user_id = $1 AND route = $2 AND key = $3",
        user_id,
        route,
        key,
        status_code,
        orjson.dumps(response).decode(),
    )


async def forget_expired(db: Db, now: datetime) -> None:
    """Drop keys older than a day."""
    await db.execute("DELETE FROM idempotency_keys WHERE expires_at <= $1", now)


async def note(db: Db, user_id: int, route: str, key: str, response: object) -> None:
    """Keep what an interrupted request leaves behind; it is not an answer yet."""
    await db.execute(
        "UPDATE idempotency_keys SET response = $4::jsonb"
        " WHERE user_id = $1 AND route = $2 AND key = $3",
        user_id,
        route,
        key,
        orjson.dumps(response).decode(),
    )
