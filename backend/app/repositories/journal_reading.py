"""Reading streams and following their chains; nothing here writes."""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Final

import asyncpg

from app.core.errors import NotFound
from app.core.tasks import end
from app.repositories import chain
from app.repositories.chain import GENESIS, Record

_PAGE: Final = 2_000
_END: Final = """
SELECT seq, hash, EXISTS (SELECT FROM trading_events e WHERE e.stream = s.stream AND e.seq > s.seq)
       AS beyond
FROM journal_streams s WHERE stream = $1
"""
_READ: Final = """
SELECT stream, seq, event_type, priority, occurred_at, recorded_at, caused_by, correlation_id,
       actor, payload, hash
FROM trading_events
WHERE stream = $1 AND seq > $2 AND ($3::text[] IS NULL OR event_type = ANY($3))
ORDER BY seq LIMIT $4
"""


async def read(
    pool: asyncpg.Pool,
    stream: str,
    after: int = 0,
    types: Collection[str] | None = None,
    limit: int = _PAGE,
) -> list[Record]:
    """The next `limit` events of a stream beyond seq `after`, of these types or of all."""
    wanted = None if types is None else list(types)
    return [_record(row) for row in await pool.fetch(_READ, stream, after, wanted, limit)]


async def scan(
    pool: asyncpg.Pool, stream: str, after: int = 0, types: Collection[str] | None = None
) -> AsyncIterator[Record]:
    """Every event of a stream beyond `after`, page by page."""
    while page := await read(pool, stream, after, types):
        for record in page:
            yield record
        after = page[-1].seq


async def streams(pool: asyncpg.Pool) -> list[str]:
    """Names of all streams."""
    return [
        row["stream"] for row in await pool.fetch("SELECT stream FROM journal_streams ORDER BY 1")
    ]


async def verify(pool: asyncpg.Pool, stream: str, key: bytes) -> int:
    """Recompute the chain from the first event to the head; returns the number of events.

    Raises ChainBroken with the first bad seq: edited, deleted, reordered or truncated.
    """
    return (await follow(pool, stream, key))[0]


async def follow(
    pool: asyncpg.Pool, stream: str, key: bytes, seq: int = 0, last: bytes = GENESIS
) -> tuple[int, bytes]:
    """Recompute the chain from behind event `seq`, whose hash is `last`, to the head.

    Returns the head's (seq, hash). Raises ChainBroken with the first bad seq.
    """
    head = await _end(pool, stream)
    if head["seq"] < seq:
        raise chain.broken(stream, head["seq"] + 1, "is missing: the stream was cut off")
    async for page in _pages(pool, stream, seq, head["seq"]):
        seq, last = chain.check(key, page, seq, last)
    if seq < head["seq"]:
        raise chain.broken(stream, seq + 1, "is missing")
    if last != bytes(head["hash"]) or (await _end(pool, stream))["beyond"]:
        raise chain.broken(stream, seq + 1, "is missing, or the head was changed")
    return seq, last


async def _pages(
    pool: asyncpg.Pool, stream: str, after: int, until: int
) -> AsyncIterator[list[Record]]:
    """What is stored from `after` to `until`; the database reads on while a page is checked."""
    coming: asyncio.Task[list[Record]] | None = None
    try:
        while after < until:
            page = await (coming or read(pool, stream, after, limit=min(_PAGE, until - after)))
            if not page:
                return
            after = page[-1].seq
            rest = until - after
            coming = (
                asyncio.create_task(read(pool, stream, after, limit=min(_PAGE, rest)))
                if rest > 0
                else None
            )
            await asyncio.sleep(0)  # sends the question before the checking begins
            yield page
    finally:
        await end([coming])


async def hash_at(pool: asyncpg.Pool, stream: str, seq: int) -> bytes | None:
    """The stored hash of an event; None when it is not there."""
    found = await pool.fetchval(
        "SELECT hash FROM trading_events WHERE stream = $1 AND seq = $2", stream, seq
    )
    return None if found is None else bytes(found)


async def _end(pool: asyncpg.Pool, stream: str) -> asyncpg.Record:
    end = await pool.fetchrow(_END, stream)
    if end is None:
        raise NotFound(f"There is no stream {stream!r}.", stream=stream)
    return end


def _record(row: asyncpg.Record) -> Record:
    return Record(**row)
