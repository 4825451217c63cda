"""Leases: which process owns an account, until when, and with which fencing epoch."""

from typing import Final

import asyncpg

from app.repositories.paging import Db

SECONDS: Final = 8.0
"A holder that is silent for longer has lost its lease: another has it within 10 seconds."

_TAKE: Final = """
WITH taken AS (
  INSERT INTO leases (resource, holder, epoch, acquired_at, expires_at)
  VALUES ($1, $2, $5, clock_timestamp(), clock_timestamp() + make_interval(secs => $3))
  ON CONFLICT (resource) DO UPDATE
  SET holder = excluded.holder, epoch = excluded.epoch, acquired_at = excluded.acquired_at,
      expires_at = excluded.expires_at
  WHERE leases.epoch = $5 - 1
    AND ($4 OR leases.holder IS NULL OR leases.expires_at <= clock_timestamp())
  RETURNING epoch
), fenced AS (
  INSERT INTO journal_streams (stream, epoch) SELECT $1, epoch FROM taken
  ON CONFLICT (stream) DO UPDATE SET epoch = excluded.epoch
  RETURNING epoch
)
SELECT epoch FROM fenced
"""


async def take(
    db: asyncpg.Connection, account_id: int, holder: str, seconds: float = SECONDS
) -> int | None:
    """Own the account from now on: the new epoch, or None while another's lease is good.

    `db` is a connection that the holder keeps: its advisory lock, one of each epoch, says the
    moment it is gone that the holder is gone too, so that nobody has to wait for the lease to run
    out. One that lost its lease to another holds only the lock of an epoch that is over.
    """
    resource = f"account:{account_id}"
    known = await db.fetchval("SELECT epoch FROM leases WHERE resource = $1", resource) or 0
    if not await lock(db, account_id, known + 1):
        return None  # somebody else is about to take it
    is_gone = await lock(db, account_id, known)
    epoch = await db.fetchval(_TAKE, resource, holder, seconds, is_gone, known + 1)
    if is_gone:
        await _unlock(db, account_id, known)
    if epoch is None:
        await _unlock(db, account_id, known + 1)
    return None if epoch is None else int(epoch)


async def renew(
    db: asyncpg.Connection, account_id: int, epoch: int, seconds: float = SECONDS
) -> bool:
    """The heartbeat; False when another holder came after `epoch`."""
    resource = f"account:{account_id}"
    renewed = await db.fetchval(
        "UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => $3)"
        " WHERE resource = $1 AND epoch = $2 AND holder IS NOT NULL RETURNING true",
        resource,
        epoch,
        seconds,
    )
    return bool(renewed)


async def lock(db: asyncpg.Connection, account_id: int, epoch: int) -> bool:
    """Take the advisory lock of an epoch; also on a new connection, after the old one was lost."""
    sql = "SELECT pg_try_advisory_lock(hashtextextended($1, $2))"
    return bool(await db.fetchval(sql, f"account:{account_id}", epoch))


async def _unlock(db: asyncpg.Connection, account_id: int, epoch: int) -> None:
    sql = "SELECT pg_advisory_unlock(hashtextextended($1, $2))"
    await db.execute(sql, f"account:{account_id}", epoch)


async def release(db: Db, account_id: int, epoch: int) -> None:
    """Give the account up at once; nothing when it is another's already."""
    await db.execute(
        "UPDATE leases SET holder = NULL, expires_at = NULL WHERE resource = $1 AND epoch = $2",
        f"account:{account_id}",
        epoch,
    )


async def is_held(db: Db, account_id: int) -> bool:
    """Whether an engine holds the account now: its heartbeat is not overdue."""
    return bool(
        await db.fetchval(
            "SELECT EXISTS (SELECT FROM leases WHERE resource = 'account:' || $1"
            " AND holder IS NOT NULL AND expires_at > clock_timestamp())",
            str(account_id),
        )
    )


async def held(db: Db) -> list[int]:
    """Accounts that an engine holds now."""
    found = await db.fetch(
        "SELECT split_part(resource, ':', 2)::bigint AS id FROM leases"
        " WHERE resource LIKE 'account:%' AND holder IS NOT NULL"
        " AND expires_at > clock_timestamp() ORDER BY 1"
    )
    return [row["id"] for row in found]
