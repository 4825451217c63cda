"""Events on their way into a stream: numbered, chained, and the one statement that appends them."""

from datetime import datetime
from typing import Any, Final

from app.domain.events import encode, name_of, occurred_at, priority_of
from app.domain.ports import Entry
from app.repositories import chain
from app.repositories.chain import Record

ENGINE_ACTOR: Final = "engine"

Notice = tuple[str, str]
"Channel and payload of a NOTIFY."

_APPEND: Final = """
WITH head AS (
  UPDATE journal_streams SET seq = $4, hash = $5
  WHERE stream = $1 AND seq = $2 AND ($3::bigint IS NULL OR epoch = $3)
  RETURNING 1
), appended AS (
  INSERT INTO trading_events (stream, seq, event_type, priority, occurred_at, recorded_at,
                              caused_by, correlation_id, actor, payload, hash)
  SELECT $1, e.* FROM head, unnest($6::bigint[], $7::text[], $8::text[], $9::timestamptz[],
    $10::timestamptz[], $11::bigint[], $12::text[], $13::text[], $14::json[], $15::bytea[]) e
), changed AS (SELECT $16::json AS rows){folds}
SELECT 1 / (SELECT count(*) FROM head),
       (SELECT count(pg_notify(n.channel, n.payload))
        FROM unnest($17::text[], $18::text[]) AS n(channel, payload))
"""
"""One round trip: head, events, folds and notices, or (division by zero when the head is not
where we left it) nothing at all."""


class Batch:
    """Events on their way into one stream, numbered and chained from where it ends."""

    def __init__(self, stream: str, seq: int, previous: bytes, recorded_at: datetime) -> None:
        self.records: list[Record] = []
        self.hashes: list[bytes] = []
        self._stream = stream
        self._before = seq
        self._previous = previous
        self._recorded_at = recorded_at

    def add(self, key: bytes, entry: Entry, origin: tuple[int, str] | None) -> Record:
        """Number and chain one more event; it inherits correlation and actor from its cause."""
        event, seq = entry.event, self._before + len(self.records) + 1
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
        previous = self.hashes[-1] if self.hashes else self._previous
        self.records.append(record)
        self.hashes.append(chain.link(key, previous, record))
        return record

    def _cause(
        self, entry: Entry, seq: int, origin: tuple[int, str] | None
    ) -> tuple[int | None, str | None, str]:
        if entry.cause is not None:
            cause = self.records[entry.cause]
            return cause.seq, cause.correlation_id, cause.actor
        actor = str(getattr(entry.event, "actor", ENGINE_ACTOR))
        return (*origin, actor) if origin else (None, f"{self._stream}:{seq}", actor)

    def statement(
        self, epoch: int | None, changes: tuple[str, bytes, list[Notice]]
    ) -> tuple[str, tuple[Any, ...]]:
        """The SQL that appends everything, and its arguments."""
        folds, rows, notices = changes
        last = self.records[-1]
        notices = [("journal", f"{self._stream}:{last.seq}"), *notices]
        arguments = (
            self._stream,
            self._before,
            epoch,
            last.seq,
            self.hashes[-1],
            [record.seq for record in self.records],
            [record.event_type for record in self.records],
            [record.priority for record in self.records],
            [record.occurred_at for record in self.records],
            [record.recorded_at for record in self.records],
            [record.caused_by for record in self.records],
            [record.correlation_id for record in self.records],
            [record.actor for record in self.records],
            [record.payload for record in self.records],
            self.hashes,
            rows.decode(),
            [channel for channel, _ in notices],
            [payload for _, payload in notices],
        )
        return _APPEND.format(folds=folds), arguments
