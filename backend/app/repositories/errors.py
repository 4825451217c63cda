"""Errors that were logged, grouped by kind and place."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from app.core.errors import NotFound
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

FIGURE: Final = "errors"
"Name in `metrics` under which each group's errors are counted over time."
_LISTING: Final = Listing(
    select="""e.fingerprint, e.kind, e.message, e.component, e.process, e.traceback,
       e.correlation_id, e.occurrences, e.first_at, e.last_at""",
    source="errors e",
    keys=(("e.last_at", "timestamptz"), ("e.fingerprint", "text")),
)
_ADD: Final = """
  INSERT INTO errors AS e (fingerprint, kind, message, component, process, traceback,
    correlation_id, occurrences, first_at, last_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  ON CONFLICT (fingerprint) DO UPDATE SET occurrences = e.occurrences + excluded.occurrences,
    first_at = least(e.first_at, excluded.first_at),
    last_at = greatest(e.last_at, excluded.last_at),
    message = excluded.message, component = excluded.component, process = excluded.process,
    traceback = excluded.traceback, correlation_id = excluded.correlation_id"""
_FORGET: Final = "DELETE FROM errors WHERE last_at < $1"
_COUNT: Final = """
  SELECT coalesce(sum(value), 0)::float8 FROM metrics WHERE name = 'errors' AND at > $1"""


class Group(msgspec.Struct, kw_only=True):
    """Errors of one kind at one place, since they were last written."""

    fingerprint: str
    kind: str
    message: str
    component: str
    traceback: str
    correlation_id: str | None
    occurrences: int
    first_at: datetime
    last_at: datetime


async def add(db: Db, process: str, groups: Iterable[Group]) -> None:
    """Count them to what is known, with the newest message and trace."""
    for group in groups:
        await db.execute(
            _ADD,
            group.fingerprint,
            group.kind,
            group.message,
            group.component,
            process,
            group.traceback,
            group.correlation_id,
            group.occurrences,
            group.first_at,
            group.last_at,
        )


def listing(
    db: Db,
    component: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Fetch:
    """Groups whose newest error was in [start, end), the newest first."""
    where = Where().add("e.component = {}", component).period("e.last_at", start, end)
    return lister(db, _LISTING, where)


async def get(db: Db, fingerprint: str) -> Row:
    """One group. Raises NotFound."""
    found = await page(db, _LISTING, Where().add("e.fingerprint = {}", fingerprint), 1)
    if not found.items:
        raise NotFound(
            f"There is no error {fingerprint}.", remedy="See GET /api/errors for all of them."
        )
    return found.items[0]


async def count_since(db: Db, since: datetime) -> float:
    """How many errors all processes logged since then: for the rule about the error rate."""
    return float(await db.fetchval(_COUNT, since))


async def forget(db: Db, before: datetime) -> int:
    """Groups whose newest error is older; how many."""
    return int((await db.execute(_FORGET, before)).rpartition(" ")[2])
