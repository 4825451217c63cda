"""Stores the newest prices now and then, and fills a Redis that is found empty with them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

import asyncpg

from app.core.clock import Clock
from app.core.logging import get_logger
from app.core.tasks import end
from app.marketdata.cache import Remembered
from app.repositories import market_data_cache, metrics

_KEPT: Final = timedelta(days=7)
"A price that nobody has renewed for a week fills no cache any more."
_LAST_SECONDS: Final = 2.0
_LOST_DATABASE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
log = get_logger("trading")


class Fillable(Protocol):
    """The publisher, as far as keeping goes."""

    is_cold: asyncio.Event

    def unsaved(self) -> list[Remembered]: ...

    def restore(self, rows: Sequence[Remembered]) -> None: ...

    def figures(self) -> dict[str, float]: ...


class CacheKeeper:
    """Works in the background; PostgreSQL and Redis may each be away for as long as they like."""

    def __init__(
        self, pool: asyncpg.Pool, publisher: Fillable, seconds: float, holder: str, clock: Clock
    ) -> None:
        """`seconds` between two writes of what changed; `holder` names this process."""
        self._pool = pool
        self._publisher = publisher
        self._seconds = seconds
        self._holder = holder
        self._clock = clock
        self._waiting: dict[tuple[str, str, str], Remembered] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Fill what is empty, then keep."""
        self._publisher.is_cold.set()
        self._tasks = [
            asyncio.create_task(self._save_for_ever(), name="save prices"),
            asyncio.create_task(self._warm_for_ever(), name="warm the cache"),
        ]

    async def stop(self) -> None:
        """Save what changed last."""
        await end(self._tasks)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self.save()

    async def save(self) -> None:
        """Store what changed since the last time; keeps it when PostgreSQL is away."""
        for row in self._publisher.unsaved():
            self._waiting[row.dataset, row.symbol, row.kind] = row
        taken, self._waiting = self._waiting, {}
        now = self._clock.now()
        try:
            await market_data_cache.save(self._pool, list(taken.values()), now + _KEPT)
            await metrics.note(self._pool, self._holder, self._publisher.figures(), now)
        except _LOST_DATABASE as error:
            self._waiting = taken | self._waiting
            log.warning("prices_not_saved", error=str(error))

    async def warm(self) -> int:
        """Hand everything that is stored to the publisher, which leaves newer prices alone."""
        rows = await market_data_cache.load(self._pool, self._clock.now())
        self._publisher.restore(rows)
        return len(rows)

    async def _save_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.save()

    async def _warm_for_ever(self) -> None:
        while True:
            await self._publisher.is_cold.wait()
            with suppress(*_LOST_DATABASE):
                await market_data_cache.drop_expired(self._pool, self._clock.now())
                log.info("cache_warmed", rows=await self.warm())
                self._publisher.is_cold.clear()
                continue
            await asyncio.sleep(1)
