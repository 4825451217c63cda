"""The hash chain of a journal stream: what one event hashes to, and whether a run of them holds."""

import hmac
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from app.core.errors import ChainBroken

GENESIS: Final = bytes(32)
"Hash before the first event of a stream."

_header: Final = msgspec.json.Encoder(order="deterministic")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `trading_events`. `payload` is the canonical JSON text, byte for byte."""

    stream: str
    seq: int
    event_type: str
    priority: str
    occurred_at: datetime
    recorded_at: datetime
    caused_by: int | None
    correlation_id: str | None
    actor: str
    payload: str
    hash: bytes = b""


def link(key: bytes, previous: bytes, record: Record) -> bytes:
    """HMAC-SHA256 over the previous hash and everything stored about `record` but its own hash.

    The header is JSON, which escapes line feeds, so no two records share one message.
    """
    header = _header.encode(
        (
            record.stream,
            record.seq,
            record.event_type,
            record.priority,
            record.occurred_at.timestamp(),
            record.recorded_at.timestamp(),
            record.caused_by,
            record.correlation_id,
            record.actor,
        )
    )
    return hmac.digest(key, b"\n".join((previous, header, record.payload.encode())), "sha256")


def check(
    key: bytes, records: Iterable[Record], after: int = 0, previous: bytes = GENESIS
) -> tuple[int, bytes]:
    """Follow the chain from (`after`, `previous`); returns the last (seq, hash).

    Raises ChainBroken whose context names the stream and the first bad seq.
    """
    seq, last = after, previous
    for record in records:
        if record.seq != seq + 1:
            raise broken(record.stream, seq + 1, "is missing")
        if not hmac.compare_digest(link(key, last, record), record.hash):
            raise broken(record.stream, record.seq, "does not match its hash")
        seq, last = record.seq, record.hash
    return seq, last


def broken(stream: str, seq: int, what: str) -> ChainBroken:
    """The error that names the first bad event."""
    return ChainBroken(
        f"Stream {stream}: event {seq} {what}.",
        remedy="It was edited, truncated or written with another key; compare it with a backup.",
        stream=stream,
        seq=seq,
    )
