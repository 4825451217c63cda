"""Who is behind a session cookie, for half a minute in Redis; PostgreSQL is the truth."""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.clock import Clock
from app.core.logging import get_logger
from app.domain.users import Caller

LIFETIME_SECONDS: Final = 30
"How long what was read from PostgreSQL counts."
_CLOSED_SECONDS: Final = 2 * LIFETIME_SECONDS
"A reader that began before a session ended must not write it back: longer than it can take."
_PATIENCE_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 5.0
_CLOSED: Final = b"-"
_AWAY: Final = (RedisError, OSError, TimeoutError)
log = get_logger("api")


class SessionCache:
    """A cookie's hash -> Caller. Whatever cannot be said for certain is None: ask PostgreSQL.

    What ended is marked in Redis, so that no process still answers from memory. When the mark
    could not be written, this process believes nothing until all that was there has expired.
    """

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._away_until = 0.0
        self._doubt_until = 0.0
        self.hits = 0

    async def get(self, hashed: bytes) -> Caller | None:
        """Who it is, unless that is unknown or too old."""
        now = self._clock.monotonic()
        if now < self._away_until or now < self._doubt_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                found = await self._redis.get(_name(hashed))
        except _AWAY as error:
            self._gone(error)
            return None
        if not found or found == _CLOSED:
            return None
        caller = msgspec.json.decode(found, type=Caller)
        if caller.session_expires_at is None or caller.session_expires_at <= self._clock.now():
            return None
        self.hits += 1
        return caller

    async def put(self, hashed: bytes, caller: Caller) -> None:
        """Remember; never over the mark of one that ended."""
        if self._clock.monotonic() < self._away_until:
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                body = msgspec.json.encode(caller)
                await self._redis.set(_name(hashed), body, ex=LIFETIME_SECONDS, nx=True)
        except _AWAY as error:
            self._gone(error)

    async def close(self, hashes: Iterable[bytes]) -> None:
        """These ended, or say something else now."""
        names = [_name(hashed) for hashed in hashes]
        if not names:
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                pipeline = self._redis.pipeline(transaction=False)
                for name in names:
                    pipeline.set(name, _CLOSED, ex=_CLOSED_SECONDS)
                await pipeline.execute()
        except _AWAY as error:
            self._gone(error)
            self.doubt()

    def doubt(self) -> None:
        """Something may have ended without our hearing of it: believe nothing that is old."""
        self._doubt_until = self._clock.monotonic() + LIFETIME_SECONDS

    def _gone(self, error: BaseException) -> None:
        self._away_until = self._clock.monotonic() + _RETRY_SECONDS
        log.warning("session_cache_away", error=str(error) or type(error).__name__)


def _name(hashed: bytes) -> str:
    return f"session:{hashed.hex()}"
