"""Events on their way into a stream: numbered, chained, and the one statement that appends them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from app.domain.events import encode, name_of, occurred_at, priority_of
from app.domain.ports import Entry
from app.repositories import chain
from app.repositories.chain import Record
from app.repositories.folds.port import Notice

ENGINE_ACTOR: Final = "engine"

_APPEND: Final = """
WITH head AS (
  UPDATE journal_streams SET seq = $4, hash = $5, unfolded = $18
  WHERE stream = $1 AND seq = $2 AND unfolded = $17 AND ($3::bigint IS NULL OR epoch = $3)
  RETURNING 1
), appended AS (
  INSERT INTO trading_events (stream, seq, event_type, priority, occurred_at, recorded_at,
                              caused_by, correlation_id, actor, payload, hash)
  SELECT $1, $2 + e.number, e.event_type, e.priority, e.occurred_at, $6, e.caused_by,
         e.correlation_id, e.actor, e.payload,
         substring($7::bytea FROM (32 * e.number - 31)::int FOR 32)
  FROM head, unnest(
    string_to_array($8, {mark}), string_to_array($9, {mark}),
    string_to_array($10, {mark})::timestamptz[], string_to_array($11, {mark}, '')::bigint[],
    string_to_array($12, {mark}, ''), string_to_array($13, {mark}),
    string_to_array($14, {mark})::json[]
  ) WITH ORDINALITY AS e(event_type, priority, occurred_at, caused_by, correlation_id, actor,
                         payload, number)
){folds}
SELECT 1 / (SELECT count(*) FROM head),
       (SELECT count(pg_notify(n.channel, n.payload))
        FROM unnest($15::text[], $16::text[]) AS n(channel, payload))
"""
"""One round trip: head, events, folds and notices, or (division by zero when the head is not
where we left it) nothing at all.

Columns come as one text each: the driver looks at every element of an array several times."""
_MARK: Final = "\x1e"
_SQL_MARK: Final = "E'\\x1e'"
"Between the values of a column; JSON escapes it, and nothing else of ours holds it."


class Head(msgspec.Struct, frozen=True):
    """Where a stream ends: last seq and hash, and how many events its tables do not show yet."""

    seq: int = 0
    hash: bytes = chain.GENESIS
    unfolded: int = 0


class Batch:
    """Events on their way into one stream, numbered and chained from where it ends."""

    def __init__(
        self, stream: str, seq: int, previous: bytes, recorded_at: datetime, unfolded: int = 0
    ) -> None:
        self.records: list[Record] = []
        self.hashes: list[bytes] = []
        self._stream = stream
        self._before = Head(seq, previous, unfolded)
        self._recorded_at = recorded_at

    def add(self, key: bytes, entry: Entry, origin: tuple[int, str] | None) -> Record:
        """Number and chain one more event; it inherits correlation and actor from its cause."""
        event, seq = entry.event, self._before.seq + len(self.records) + 1
        caused_by, correlation_id, actor = self._cause(entry, seq, origin)
        record = Record(
            stream=self._stream,
            seq=seq,
            event_type=name_of(event),
            priority=priority_of(event).name.lower(),
            occurred_at=occurred_at(event),
            recorded_at=self._recorded_at,
            caused_by=caused_by,
            correlation_id=correlation_id,
            actor=actor,
            payload=encode(event).decode(),
        )
        previous = self.hashes[-1] if self.hashes else self._before.hash
        self.records.append(record)
        self.hashes.append(chain.link(key, previous, record))
        return record

    def _cause(
        self, entry: Entry, seq: int, origin: tuple[int, str] | None
    ) -> tuple[int | None, str | None, str]:
        if entry.cause is not None:
            cause = self.records[entry.cause]
            return cause.seq, cause.correlation_id, cause.actor
        actor = str(getattr(entry.event, "actor", ENGINE_ACTOR)).replace(_MARK, " ")
        return (*origin, actor) if origin else (None, f"{self._stream}:{seq}", actor)

    def head(self, *, folded: bool = True) -> Head:
        """Where the stream ends with these events in it."""
        before, count = self._before, len(self.records)
        return Head(
            before.seq + count,
            self.hashes[-1] if self.hashes else before.hash,
            0 if folded else before.unfolded + count,
        )

    def statement(
        self, epoch: int | None, changes: tuple[str, Sequence[str], list[Notice]] | None
    ) -> tuple[str, tuple[Any, ...]]:
        """The SQL that appends everything, and its arguments.

        Without `changes` the tables are left behind, and nobody is told yet.
        """
        folds, rows, notices = changes or ("", (), [])
        records, before, head = self.records, self._before, self.head(folded=changes is not None)
        if changes is not None:
            notices = [("journal", f"{self._stream}:{head.seq}"), *notices]
        arguments = (
            self._stream,
            before.seq,
            epoch,
            head.seq,
            head.hash,
            self._recorded_at,
            b"".join(self.hashes),
            _MARK.join([record.event_type for record in records]),
            _MARK.join([record.priority for record in records]),
            _MARK.join([record.occurred_at.isoformat() for record in records]),
            _MARK.join([str(record.caused_by or "") for record in records]),
            _MARK.join([record.correlation_id or "" for record in records]),
            _MARK.join([record.actor for record in records]),
            _MARK.join([record.payload for record in records]),
            [channel for channel, _ in notices],
            [payload for _, payload in notices],
            before.unfolded,
            head.unfolded,
            *rows,
        )
        return _APPEND.format(folds=folds, mark=_SQL_MARK), arguments
