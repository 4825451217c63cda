"""Market data that was refused, with the reason and the record as it came."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
import orjson

from app.domain.market import Timeframe
from app.repositories.paging import Db, Fetch, Listing, Where, lister


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One refused record. `reason` names every rule that it broke, joined by commas."""

    symbol: str
    reason: str
    record: dict[str, Any]
    kind: str = "bar"
    timeframe: Timeframe | None = None
    at: datetime | None = None


# The same record from the same source is refused once, however often it is imported.
_ADD: Final = """
  INSERT INTO quarantine (dataset, symbol, kind, timeframe, at, reason, record, source)
  SELECT $1, n.symbol, n.kind, n.timeframe, n.at, n.reason, n.record::jsonb, $2
  FROM unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[])
    AS n (symbol, kind, timeframe, at, reason, record)
  WHERE NOT EXISTS (
    SELECT FROM quarantine q
    WHERE q.dataset = $1 AND q.symbol = n.symbol AND q.source = $2 AND q.reason = n.reason
      AND q.record = n.record::jsonb
  )"""


NOT_KEPT: Final = "rows_not_kept"
"Field of a record that stands for so many others: in a flood rows are counted, not kept."

_COUNTS: Final = """
  SELECT reason, sum(coalesce((record ->> $3)::bigint, 1))::bigint AS n
  FROM quarantine WHERE dataset = $1 AND ($2::text IS NULL OR symbol = $2)
  GROUP BY reason ORDER BY n DESC, reason"""

_LISTING: Final = Listing(
    select="q.id, q.dataset, q.symbol, q.kind, q.timeframe, q.at, q.reason, q.record, q.source,"
    " q.recorded_at",
    source="quarantine q",
    keys=(("q.recorded_at", "timestamptz"), ("q.id", "bigint")),
    documents=("record",),
)


async def add(db: Db, dataset: str, source: str, refused: Sequence[Refused]) -> int:
    """Keep refused records; returns how many are new."""
    if not refused:
        return 0
    status = await db.execute(
        _ADD,
        dataset,
        source,
        [r.symbol for r in refused],
        [r.kind for r in refused],
        [r.timeframe for r in refused],
        [r.at for r in refused],
        [r.reason for r in refused],
        [_text(r.record) for r in refused],
    )
    return int(status.rsplit(" ", 1)[-1])


async def append(pool: asyncpg.Pool, dataset: str, source: str, refused: Sequence[Refused]) -> None:
    """Keep refused records of a stream by COPY, without asking whether they were kept before."""
    names = ("dataset", "symbol", "kind", "timeframe", "at", "reason", "record", "source")
    await pool.copy_records_to_table(
        "quarantine",
        columns=names,
        records=[
            (dataset, r.symbol, r.kind, r.timeframe, r.at, r.reason, _text(r.record), source)
            for r in refused
        ],
    )


def _text(record: dict[str, Any]) -> str:
    return orjson.dumps(record).decode()


async def counts(db: Db, dataset: str, symbol: str | None = None) -> dict[str, int]:
    """Refused records of a data set by reason, with those that were only counted."""
    rows = await db.fetch(_COUNTS, dataset, symbol, NOT_KEPT)
    return {row["reason"]: row["n"] for row in rows}


def listing(
    db: Db,
    dataset: str | None = None,
    symbols: Sequence[str] = (),
    kind: str | None = None,
    reason: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Fetch:
    """Refused records, the newest first; `reason`: records that broke this rule, and others."""
    where = Where().add("q.dataset = {}", dataset)
    where.add("q.symbol = ANY({})", [one.upper() for one in symbols]).add("q.kind = {}", kind)
    where.add("{} = ANY(string_to_array(q.reason, ','))", reason)
    where.period("q.recorded_at", start, end)
    return lister(db, _LISTING, where)
