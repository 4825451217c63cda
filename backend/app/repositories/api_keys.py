"""API keys: `tw_<key_id>_<secret>`, of which only a hash of the secret is stored."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister

_LISTING: Final = Listing(
    select="""k.key_id AS id, k.name, k.scopes, k.created_at, k.expires_at, k.last_used_at,
       k.revoked_at, k.notional_cap,
       ARRAY(SELECT text(a) FROM unnest(k.addresses) a) AS addresses""",
    source="api_keys k",
    keys=(("k.created_at", "timestamptz"), ("k.key_id", "text")),
)

_GONE: Final = """WITH gone AS (UPDATE {table} SET revoked_at = $1 WHERE revoked_at IS NULL
    AND {condition} RETURNING user_id)
  SELECT count(pg_notify('access', user_id::text)) FROM (SELECT DISTINCT user_id FROM gone) p"""
"Open WebSockets of the person are looked at as soon as the transaction commits."


def listing(db: Db, user_id: int | None) -> Fetch:
    """One person's keys, newest first; None means everybody's."""
    return lister(db, _LISTING, Where().add("k.user_id = {}", user_id))


async def find(db: Db, key_id: str, now: datetime) -> Row | None:
    """A key that still works, with its person; the caller compares the secret's hash."""
    row = await db.fetchrow(
        """
        SELECT k.key_id, k.secret_hash, k.scopes, k.last_used_at, k.notional_cap,
          ARRAY(SELECT text(a) FROM unnest(k.addresses) a) AS addresses,
          u.id AS user_id, u.email, u.name, u.role
        FROM api_keys k JOIN users u ON u.id = k.user_id
        WHERE k.key_id = $1 AND k.revoked_at IS NULL AND u.active
          AND (k.expires_at IS NULL OR k.expires_at > $2)
        """,
        key_id,
        now,
    )
    return dict(row) if row else None


async def add(
    db: Db,
    user_id: int,
    key_id: str,
    hashed: bytes,
    *,
    name: str,
    scopes: list[str],
    expires_at: datetime | None,
    addresses: list[str],
    notional_cap: Decimal | None,
) -> Row:
    """The stored key, as it is listed."""
    row = await db.fetchrow(
        f"""
        WITH k AS (
          INSERT INTO api_keys
            (user_id, key_id, secret_hash, name, scopes, expires_at, addresses, notional_cap)
          VALUES ($1, $2, $3, $4, $5, $6, $7::text[]::cidr[], $8) RETURNING *)
        SELECT {_LISTING.select} FROM k
        """,
        user_id,
        key_id,
        hashed,
        name,
        scopes,
        expires_at,
        addresses,
        notional_cap,
    )
    return dict(row or {})


async def used(db: Db, key_id: str, now: datetime) -> None:
    await db.execute("UPDATE api_keys SET last_used_at = $2 WHERE key_id = $1", key_id, now)


async def revoke(db: Db, key_id: str, now: datetime, user_id: int | None = None) -> bool:
    """End a key (of this person, where one is given); False when there is no such live one."""
    condition = "key_id = $2 AND ($3::bigint IS NULL OR user_id = $3)"
    gone = _GONE.format(table="api_keys", condition=condition)
    return bool(await db.fetchval(gone, now, key_id, user_id))


async def revoke_all(db: Db, user_id: int, now: datetime) -> None:
    """End every key of a person."""
    await db.fetchval(_GONE.format(table="api_keys", condition="user_id = $2"), now, user_id)


async def ended(db: Db, key_id: str) -> Row | None:
    """A key that does not work any more: whoever still knows its secret is worth a note."""
    row = await db.fetchrow("SELECT secret_hash, user_id FROM api_keys WHERE key_id = $1", key_id)
    return dict(row) if row else None
