"""Sealed secrets: stored, listed without their contents, and sealed anew under another key."""

from collections.abc import Callable, Iterable
from typing import Final

from app.repositories.paging import Db, Row

_STORED: Final = "SELECT provider, name, key_id, updated_at FROM credentials"
SEALED: Final = {
    "credentials": ("key_id", "ciphertext"),
    "users": ("totp_key_id", "totp_secret"),
    "notification_channels": ("key_id", "ciphertext"),
}
"""Every table that holds a sealed value: its columns of key and token; a rotation walks all."""

Renew = Callable[[str, bytes], tuple[str, bytes]]
"""(key id, token) -> the same value sealed under the newest key."""


async def listed(db: Db) -> list[Row]:
    """What there is: provider, name, key_id, updated_at. Never a value."""
    return [
        dict(row) for row in await db.fetch(f"{_STORED} WHERE account_id IS NULL ORDER BY 1, 2")
    ]


async def sealed(db: Db) -> list[Row]:
    """Every stored secret as it is sealed: provider, name, key_id, ciphertext."""
    found = await db.fetch(
        "SELECT provider, name, key_id, ciphertext FROM credentials WHERE account_id IS NULL"
    )
    return [dict(row) for row in found]


async def put(db: Db, provider: str, name: str, key_id: str, token: bytes) -> bool:
    """Store or replace; True when there was one before."""
    return bool(
        await db.fetchval(
            """
            INSERT INTO credentials (provider, name, key_id, ciphertext) VALUES ($1, $2, $3, $4)
            ON CONFLICT (provider, name, account_id) DO UPDATE
              SET key_id = excluded.key_id, ciphertext = excluded.ciphertext
            RETURNING xmax <> 0
            """,
            provider,
            name,
            key_id,
            token,
        )
    )


async def remove(db: Db, provider: str, name: str) -> bool:
    """False when there was none."""
    gone = await db.fetchval(
        "DELETE FROM credentials WHERE provider = $1 AND name = $2 AND account_id IS NULL"
        " RETURNING 1",
        provider,
        name,
    )
    return gone is not None


async def key_ids(db: Db) -> dict[str, int]:
    """How many sealed values each key still holds."""
    counts: dict[str, int] = {}
    for table, (key, _) in SEALED.items():
        for row in await db.fetch(
            f"SELECT {key} AS key_id, count(*) AS n FROM {table} WHERE {key} IS NOT NULL GROUP BY 1"
        ):
            counts[row["key_id"]] = counts.get(row["key_id"], 0) + row["n"]
    return counts


async def renew(db: Db, table: str, newest: str, seal: Renew, limit: int) -> int:
    """Seal up to `limit` values anew that are not under the key `newest`; how many there were.

    Within the caller's transaction: a crash between two calls leaves every value whole.
    """
    key, token = SEALED[table]
    rows = await db.fetch(
        f"SELECT id, {key} AS key_id, {token} AS token FROM {table}"
        f" WHERE {key} <> $1 ORDER BY id LIMIT $2 FOR UPDATE",
        newest,
        limit,
    )
    for row in rows:
        name, sealed_anew = seal(row["key_id"], bytes(row["token"]))
        await db.execute(
            f"UPDATE {table} SET {key} = $2, {token} = $3 WHERE id = $1",
            row["id"],
            name,
            sealed_anew,
        )
    return len(rows)


def tables() -> Iterable[str]:
    """Every table with sealed values."""
    return SEALED
