"""Backups: which were made, what they hold, and when each was last proved."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from app.core.errors import NotFound
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

_LISTING: Final = Listing(
    select="""b.id, b.path, b.status, b.size_bytes, encode(b.sha256, 'hex') AS sha256,
       b.is_encrypted, b.started_at, b.finished_at, b.error, b.requested_by, b.revision,
       encode(b.state_hash, 'hex') AS state_hash, b.rows, b.details, b.verified_at, b.checked_at,
       b.check_error, b.restore_seconds, b.copied_to, b.copied_at""",
    source="backups b",
    keys=(("b.started_at", "timestamptz"), ("b.id", "bigint")),
    documents=("details",),
)
_FINISH: Final = """
  UPDATE backups SET status = 'finished', path = $2, size_bytes = $3, sha256 = decode($4, 'hex'),
    is_encrypted = $5, revision = $6, state_hash = decode($7, 'hex'), rows = $8,
    details = $9::jsonb, finished_at = $10
  WHERE id = $1"""
_BROKEN_OFF: Final = """
  UPDATE backups SET status = 'failed', finished_at = $2,
    error = 'It was broken off: the process that made it ended.'
  WHERE status = 'running' AND id <> $1"""
_PROVED: Final = """
  UPDATE backups SET verified_at = $2, checked_at = $2, check_error = NULL, restore_seconds = $3,
    status = 'finished', error = NULL
  WHERE id = $1"""
_NOT_PROVED: Final = """
  UPDATE backups SET checked_at = $2, check_error = $3, status = 'failed', error = $3
  WHERE id = $1"""
_LAST_PROOF: Final = """
  SELECT b.id, b.path, b.started_at, b.verified_at, b.restore_seconds, b.size_bytes, b.rows
  FROM backups b WHERE b.verified_at IS NOT NULL ORDER BY b.verified_at DESC LIMIT 1"""
_LAST: Final = """
  SELECT b.id, b.status, b.started_at, b.error FROM backups b
  WHERE b.status IN ('finished', 'failed') ORDER BY b.started_at DESC, b.id DESC LIMIT 1"""


def listing(db: Db, status: str | None = None) -> Fetch:
    """Newest first."""
    return lister(db, _LISTING, Where().add("b.status = {}", status))


async def get(db: Db, backup_id: int) -> Row:
    """One backup. Raises NotFound."""
    rows = (await page(db, _LISTING, Where().add("b.id = {}", backup_id), 1)).items
    if not rows:
        raise NotFound(f"There is no backup {backup_id}.", remedy="See GET /api/backups for all.")
    return rows[0]


async def begin(db: Db, folder: Path, requested_by: str | None, at: datetime) -> int:
    """One is being made; its id."""
    return int(
        await db.fetchval(
            "INSERT INTO backups (path, requested_by, started_at) VALUES ($1, $2, $3) RETURNING id",
            str(folder),
            requested_by,
            at,
        )
    )


async def finish(
    db: Db, backup_id: int, made: Mapping[str, Any], details: Mapping[str, Any], at: datetime
) -> None:
    """It is whole; others that still run were broken off, for one is made at a time."""
    await db.execute(
        _FINISH,
        backup_id,
        made["path"],
        made["size_bytes"],
        made["sha256"],
        made["is_encrypted"],
        made["revision"],
        made["state_hash"],
        made["rows"],
        orjson.dumps(details, default=str).decode(),
        at,
    )
    await db.execute(_BROKEN_OFF, backup_id, at)


async def fail(db: Db, backup_id: int, error: str, at: datetime) -> None:
    """It could not be made."""
    await db.execute(
        "UPDATE backups SET status = 'failed', error = $2, finished_at = $3 WHERE id = $1",
        backup_id,
        error,
        at,
    )


async def interrupted(db: Db, backup_id: int, at: datetime) -> None:
    """Its making was cancelled: there is no file, and nothing went wrong."""
    await db.execute(
        "UPDATE backups SET status = 'deleted', error = 'It was interrupted.', finished_at = $2"
        " WHERE id = $1 AND status = 'running'",
        backup_id,
        at,
    )


async def proved(db: Db, backup_id: int, restore_seconds: float, at: datetime) -> None:
    """A restore of it had the state hash that was saved."""
    await db.execute(_PROVED, backup_id, at, restore_seconds)


async def not_proved(db: Db, backup_id: int, error: str, at: datetime) -> None:
    """A restore of it failed or came out otherwise: it counts as failed."""
    await db.execute(_NOT_PROVED, backup_id, at, error)


async def copied(db: Db, backup_id: int, address: str, at: datetime) -> None:
    """A copy of it is there now."""
    await db.execute(
        "UPDATE backups SET copied_to = $2, copied_at = $3 WHERE id = $1", backup_id, address, at
    )


async def deleted(db: Db, paths: list[str]) -> None:
    """Their files were removed because newer ones are kept."""
    await db.execute(
        "UPDATE backups SET status = 'deleted' WHERE path = ANY($1) AND status = 'finished'", paths
    )


async def restored(db: Db) -> None:
    """This database was a backup until now: the row that waits for its end is of that one."""
    await db.execute(
        "UPDATE backups SET status = 'deleted', error = 'This database was restored from it.'"
        " WHERE status = 'running'"
    )


async def by_path(db: Db, path: str) -> int | None:
    """The id of the backup in this file, if it is known here."""
    found = await db.fetchval(
        "SELECT id FROM backups WHERE path = $1 ORDER BY id DESC LIMIT 1", path
    )
    return None if found is None else int(found)


async def last_proof(db: Db) -> Row | None:
    """The backup that was proved last; None when none ever was."""
    row = await db.fetchrow(_LAST_PROOF)
    return None if row is None else dict(row)


async def last(db: Db) -> Row | None:
    """The newest that ended, well or not."""
    row = await db.fetchrow(_LAST)
    return None if row is None else dict(row)
