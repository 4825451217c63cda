"""The journal, as the API lists and the WebSocket resumes it; `repositories.journal` writes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from app.core.errors import InvalidInput, NotFound
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, plain

_COLUMNS: Final = """e.stream, e.seq, e.event_type AS type, e.priority, e.occurred_at,
   e.recorded_at, e.caused_by, e.correlation_id, e.actor, e.payload AS data"""
_BY_TIME: Final = Listing(
    select=_COLUMNS,
    source="trading_events e",
    keys=(("e.recorded_at", "timestamptz"), ("e.stream", "text"), ("e.seq", "bigint")),
    documents=("data",),
)
_BY_SEQ: Final = replace(_BY_TIME, keys=(("e.seq", "bigint"),))


class EventFilter(msgspec.Struct, kw_only=True):
    """What a list of events is narrowed to; `accounts` None means every stream."""

    accounts: list[int] | None = None
    stream: str | None = None
    type: Sequence[str] = ()
    priority: Sequence[str] = ()
    account_id: int | None = None
    deployment_id: int | None = None
    correlation_id: str | None = None
    caused_by: int | None = None
    after_seq: int | None = None
    before_seq: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    ascending: bool = False


def listing(db: Db, wanted: EventFilter) -> Fetch:
    """Newest first, unless `ascending`. Raises InvalidInput for a seq without a stream."""
    stream = _stream_of(wanted)
    where = Where().add("e.stream = {}", stream)
    if wanted.accounts is not None:
        streams = ["system", *(f"account:{account}" for account in wanted.accounts)]
        where.add("e.stream = ANY({})", streams)
    where.add("e.event_type = ANY({})", list(wanted.type))
    where.add("e.priority = ANY({})", list(wanted.priority))
    where.add("e.correlation_id = {}", wanted.correlation_id)
    where.add(_OF_DEPLOYMENT, wanted.deployment_id)
    if wanted.caused_by is not None:
        where.add(_CAUSED_BY, f"{wanted.caused_by} {stream}")
    where.add("e.seq > {}", wanted.after_seq).add("e.seq < {}", wanted.before_seq)
    where.period("e.recorded_at", wanted.start, wanted.end)
    # A stream's order is that of time, too; the index of deployments has it so.
    shape = _BY_TIME if stream is None or wanted.deployment_id is not None else _BY_SEQ
    return lister(db, replace(shape, descending=not wanted.ascending), where)


def _stream_of(wanted: EventFilter) -> str | None:
    if wanted.stream is not None or wanted.account_id is not None:
        return wanted.stream or f"account:{wanted.account_id}"
    if any(one is not None for one in (wanted.after_seq, wanted.before_seq, wanted.caused_by)):
        raise InvalidInput(
            "A seq counts within one stream.",
            field="stream",
            remedy="Name the stream, e.g. stream=account:1.",
        )
    return None


_CAUSED_BY: Final = """(e.correlation_id = (
    SELECT c.correlation_id FROM trading_events c
    WHERE c.seq = split_part({}, ' ', 1)::bigint AND c.stream = substr({}, strpos({}, ' ') + 1))
  AND e.caused_by = split_part({}, ' ', 1)::bigint)"""
"""What an event causes shares its correlation id, which is indexed. The value: seq and stream."""

_OF_DEPLOYMENT: Final = """(e.priority <> 'low' AND
  coalesce(substring(e.payload::text FROM '"ledger":"d([0-9]+)'),
           substring(e.payload::text FROM '"deployment_id":([0-9]+)')) = {}::bigint::text)"""
"""As the index `ix_trading_events_deployment` has it; slices and ticks are nobody's."""


async def after(db: Db, stream: str, seq: int, limit: int) -> list[Row]:
    """The next `limit` events of a stream, for whoever follows it; `data` stays JSON text."""
    found = await db.fetch(
        f"SELECT {_COLUMNS} FROM trading_events e WHERE e.stream = $1 AND e.seq > $2"
        " ORDER BY e.seq LIMIT $3",
        stream,
        seq,
        limit,
    )
    return [dict(row) for row in found]


async def heads(db: Db) -> dict[str, int]:
    """Last seq of every stream of events."""
    found = await db.fetch("SELECT stream, seq FROM journal_streams WHERE stream <> 'audit'")
    return {row["stream"]: row["seq"] for row in found}


class JournalReads:
    """The journal for those who follow it: the hub, the fan-out to Redis, readers elsewhere."""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def after(self, stream: str, seq: int, limit: int) -> list[Row]:
        """The next events of a stream."""
        return await after(self._db, stream, seq, limit)

    async def heads(self) -> dict[str, int]:
        """Last seq of every stream."""
        return await heads(self._db)


async def of_correlation(db: Db, stream: str, correlation_id: str) -> list[Row]:
    """Everything that one input set off, in order."""
    found = await db.fetch(
        f"SELECT {_COLUMNS} FROM trading_events e WHERE e.stream = $1 AND e.correlation_id = $2"
        " ORDER BY e.seq LIMIT 2000",
        stream,
        correlation_id,
    )
    return [plain(row, ("data",)) for row in found]


class Causation(msgspec.Struct, frozen=True):
    """An event between what led to it and what it led to, both in the order of the stream."""

    event: Row
    ancestors: list[Row]
    descendants: list[Row]
    is_complete: bool
    "False where the correlation has more events than are looked at."


async def causation(db: Db, stream: str, seq: int) -> Causation:
    """Causes back to the first, and everything that followed. Raises NotFound."""
    line = [plain(row, ("data",)) for row in await db.fetch(_ANCESTORS, stream, seq)]
    if not line:
        raise NotFound(
            f"There is no event {seq} in the stream {stream}.", remedy="See GET /api/events."
        )
    *ancestors, event = line
    later = await db.fetch(_LATER, stream, event["correlation_id"], seq, _MOST_CAUSED + 1)
    known, descendants = {seq}, []
    for row in later[:_MOST_CAUSED]:
        if row["caused_by"] in known:
            known.add(row["seq"])
            descendants.append(plain(row, ("data",)))
    return Causation(event, ancestors, descendants, len(later) <= _MOST_CAUSED)


_MOST_CAUSED: Final = 2_000
_ANCESTORS: Final = f"""
  WITH RECURSIVE line AS (
    SELECT seq, caused_by FROM trading_events WHERE stream = $1 AND seq = $2
    UNION ALL
    SELECT c.seq, c.caused_by FROM line l JOIN trading_events c
      ON c.stream = $1 AND c.seq = l.caused_by
  )
  SELECT {_COLUMNS} FROM line l JOIN trading_events e ON e.stream = $1 AND e.seq = l.seq
  ORDER BY e.seq"""
_LATER: Final = f"""
  SELECT {_COLUMNS} FROM trading_events e
  WHERE e.stream = $1 AND e.correlation_id = $2 AND e.seq > $3 ORDER BY e.seq LIMIT $4"""


async def correlation_of(
    db: Db, stream: str, event_type: str, path: Sequence[str], value: str, near: datetime
) -> str | None:
    """Correlation id of the event whose payload holds `value` at `path`, recorded about `near`."""
    found = await db.fetchval(
        "SELECT e.correlation_id FROM trading_events e WHERE e.stream = $1 AND e.event_type = $2"
        " AND e.recorded_at BETWEEN $5::timestamptz - interval '1 minute'"
        " AND $5::timestamptz + interval '1 minute'"
        " AND e.payload #>> $3::text[] = $4 ORDER BY e.seq LIMIT 1",
        stream,
        event_type,
        list(path),
        value,
        near,
    )
    return str(found) if found is not None else None
