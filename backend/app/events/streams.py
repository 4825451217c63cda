"""Committed events in Redis streams for other processes, and a reader who misses none of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from app.core.logging import get_logger
from app.events.envelope import envelope
from app.events.hub import AWAY, Journal

MOST: Final = 10_000
"Events that a Redis stream keeps, about; older ones are in PostgreSQL."
_PAGE: Final = 500
_POLL_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.25
_BLOCK_MS: Final = 250
"Less than any client waits for an answer."
_FIELD: Final = "event"
_BEHIND: Final = "equal or smaller"
"What Redis says of an entry that it has already: another worker was first, or we were cut off."
_REDIS_AWAY: Final = (RedisError, OSError, TimeoutError)
log = get_logger("jobs")


def key_of(stream: str) -> str:
    """Where Redis keeps a stream of the journal, e.g. `events:account:1`."""
    return f"events:{stream}"


class StreamPublisher:
    """Copies what is committed to Redis. An entry's id is its seq: adding it twice is refused.

    Redis may be away, paused or emptied: what it misses is copied when it is back, as far as it
    is kept at all. Any number of processes may do this at once.
    """

    def __init__(self, redis: Redis, journal: Journal, most: int = MOST) -> None:
        self._redis = redis
        self._journal = journal
        self._most = most
        self._positions: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._heads: dict[str, int] = {}
        self.is_connected = True
        self.published = 0

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._turn()
                self.is_connected = True
            except _REDIS_AWAY as error:
                self._lost(error)
            except AWAY as error:
                log.warning("fan_out_waits_for_database", error=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    def heard(self, _notice: str) -> None:
        """Something was committed."""
        if self.is_connected:
            self._wake.set()

    def told(self) -> dict[str, Any]:
        """For people."""
        known = self._positions
        lag = sum(max(0, head - known.get(name, 0)) for name, head in self._heads.items())
        return {"is_connected": self.is_connected, "published": self.published, "lag": lag}

    def _lost(self, error: Exception) -> None:
        if self.is_connected:
            log.warning("fan_out_waits_for_redis", error=str(error))
        self.is_connected = False
        self._positions.clear()  # it may have forgotten: ask it again

    async def _turn(self) -> None:
        self._heads = await self._journal.heads()
        for stream, head in self._heads.items():
            at = self._positions.get(stream)
            if at is None:
                at = await self._last(stream)
            at = max(at, head - self._most)
            while at < head:
                rows = await self._journal.after(stream, at, _PAGE)
                if not rows:
                    break
                await self._add(stream, rows)
                at = self._positions[stream] = rows[-1]["seq"]
            self._positions[stream] = at

    async def _last(self, stream: str) -> int:
        """Seq of the last event that Redis was given, also where it has been trimmed away."""
        try:
            found = await self._redis.xinfo_stream(key_of(stream))
        except ResponseError:  # there is no such key
            return 0
        return _seq_of(found["last-generated-id"])

    async def _add(self, stream: str, rows: list[dict[str, Any]]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for row in rows:
                text = "{" + envelope(row).tail
                pipeline.xadd(
                    key_of(stream),
                    {_FIELD: text},
                    id=f"{row['seq']}-0",
                    maxlen=self._most,
                    approximate=True,
                )
            answers = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if not isinstance(answer, Exception):
                self.published += 1
            elif _BEHIND not in str(answer):
                raise answer


class StreamReader:
    """Committed events for another process: in each stream's order, none missing, none twice.

    They come from Redis as long as it has them, and from PostgreSQL where it has not: it is away,
    was emptied, was trimmed, or nobody copies to it. `positions` tells from where to resume.
    """

    def __init__(self, redis: Redis, journal: Journal, positions: Mapping[str, int]) -> None:
        """`positions`: last seq that is known by stream; other streams are read from their first
        event."""
        self._redis = redis
        self._journal = journal
        self.positions = dict(positions)
        "Last seq given out, by stream."
        self._read = dict(positions)
        self._look_at = 0.0
        self.is_connected = True
        "Whether Redis answered the last time."

    @classmethod
    async def from_now(cls, redis: Redis, journal: Journal) -> "StreamReader":
        """One that begins at the present."""
        return cls(redis, journal, await journal.heads())

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """For ever: stream, seq, type, priority, at, recorded_at, caused_by, correlation_id, actor
        and data, as the WebSocket sends them."""
        while True:
            try:
                found = await self._next()
            except AWAY as error:
                log.warning("reader_waits_for_database", error=str(error))
                await asyncio.sleep(_POLL_SECONDS)
                continue
            for event in found:
                yield event
                self.positions[event["stream"]] = event["seq"]

    async def _next(self) -> list[dict[str, Any]]:
        answer = await self._from_redis() if self._read else []
        if not answer:
            if self.is_connected and time.monotonic() < self._look_at:
                return []
            found = await self._from_journal()
            self._look_at = time.monotonic() + _POLL_SECONDS
            if not found and not self.is_connected:
                await asyncio.sleep(_PAUSE_SECONDS)
            return found
        found = []
        for name, entries in answer:
            stream = _text(name).removeprefix(key_of(""))
            for entry, fields in entries:
                seq = _seq_of(entry)
                if seq > self._read[stream] + 1:
                    found += await self._missed(stream, seq - 1)
                if seq == self._read[stream] + 1:
                    found.append(orjson.loads(next(iter(fields.values()))))
                    self._read[stream] = seq
        return found

    async def _from_redis(self) -> list[Any]:
        """New entries; nothing when none came for a moment, or Redis is away."""
        block = _BLOCK_MS if self.is_connected else None
        wanted: dict[Any, Any] = {key_of(name): f"{seq}-0" for name, seq in self._read.items()}
        try:
            async with asyncio.timeout((block or 0) / 1000 + _PAUSE_SECONDS):
                answer = await self._redis.xread(wanted, count=_PAGE, block=block)
        except _REDIS_AWAY as error:
            if self.is_connected:
                log.warning("reader_waits_for_redis", error=str(error))
            self.is_connected = False
            return []
        self.is_connected = True
        return list(answer.items() if isinstance(answer, dict) else answer or [])

    async def _from_journal(self) -> list[dict[str, Any]]:
        found = []
        for stream, head in (await self._journal.heads()).items():
            self._read.setdefault(stream, 0)
            found += await self._missed(stream, min(head, self._read[stream] + _PAGE))
        return found

    async def _missed(self, stream: str, until: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while (position := self._read[stream]) < until:
            rows = await self._journal.after(stream, position, min(_PAGE, until - position))
            if not rows:
                break
            found += [orjson.loads("{" + envelope(row).tail) for row in rows]
            self._read[stream] = rows[-1]["seq"]
        return found


def _seq_of(entry: bytes | str) -> int:
    return int(_text(entry).partition("-")[0])


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
