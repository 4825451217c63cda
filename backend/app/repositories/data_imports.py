"""Uploaded files of market data: queued, running, done or failed, with their reports."""

from typing import Any, Final

import msgspec
import orjson

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

_GONE_SECONDS: Final = 30
"A process that works on an import says so more often than this."

_LISTING: Final = Listing(
    select=f"""i.id, i.file, i.bytes, i.dataset, i.hints, i.actor, i.rows_done, i.rows_total,
       i.report, i.detail, i.created_at, i.finished_at,
       CASE WHEN i.state IN ('queued', 'running')
                 AND i.seen_at < clock_timestamp() - interval '{_GONE_SECONDS} seconds'
            THEN 'interrupted' ELSE i.state END AS state""",
    source="data_imports i",
    keys=(("i.created_at", "timestamptz"), ("i.id", "bigint")),
    documents=("hints", "report"),
)
_ADD: Final = """
  INSERT INTO data_imports
    (file, bytes, dataset, hints, actor, state, rows_done, rows_total, seen_at)
  VALUES ($1, $2, $3, $4::jsonb, $5, 'queued', 0, 0, clock_timestamp()) RETURNING id"""
_HOLD: Final = """
  UPDATE data_imports SET seen_at = clock_timestamp()
  WHERE id = ANY($1::bigint[]) AND state IN ('queued', 'running')"""
_ADVANCE: Final = """
  UPDATE data_imports SET state = 'running', rows_done = $2, rows_total = $3,
    seen_at = clock_timestamp()
  WHERE id = $1 AND state IN ('queued', 'running')"""
_FINISH: Final = """
  UPDATE data_imports SET state = $2, report = $3::jsonb, detail = $4, rows_done = $5,
    finished_at = clock_timestamp(), seen_at = clock_timestamp()
  WHERE id = $1"""


class NewImport(msgspec.Struct, frozen=True, kw_only=True):
    """A file that lies ready; `hints` is what a person said of it."""

    file: str
    bytes: int
    dataset: str
    hints: dict[str, str]
    actor: str


def listing(db: Db) -> Fetch:
    """Newest first. `interrupted`: nobody works on it any more."""
    return lister(db, _LISTING, Where())


async def find(db: Db, import_id: int) -> Row | None:
    """One import, or None."""
    rows = await page(db, _LISTING, Where().add("i.id = {}", import_id), 1)
    return rows.items[0] if rows.items else None


async def add(db: Db, new: NewImport) -> int:
    """Enter a file in the list; returns its id."""
    hints = orjson.dumps(new.hints).decode()
    found: int = await db.fetchval(_ADD, new.file, new.bytes, new.dataset, hints, new.actor)
    return found


async def hold(db: Db, ids: list[int]) -> None:
    """Say that imports are still being worked on, or wait for it."""
    await db.execute(_HOLD, ids)


async def advance(db: Db, import_id: int, done: int, total: int) -> None:
    """How many rows are read, and about how many there are."""
    await db.execute(_ADVANCE, import_id, done, total)


async def finish(
    db: Db, import_id: int, *, report: dict[str, Any] | None = None, error: str | None = None
) -> None:
    """What became of it: a report, or why it failed; both when some rows were stored before."""
    read = int((report or {}).get("rows_read", 0))
    state = "done" if error is None else "failed"
    text = orjson.dumps(report or {}).decode()
    await db.execute(_FINISH, import_id, state, text, error, read)
