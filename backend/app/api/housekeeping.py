"""What nobody needs any more: old idempotency keys, sessions, tokens, prints and quotes."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.logging import get_logger
from app.core.retention import RetentionOptions
from app.events.hub import AWAY
from app.repositories import idempotency, refresh_tokens, retention, sessions

KEPT: Final = timedelta(days=30)
"How long a session or token stays readable after its end."
_PERIOD_SECONDS: Final = 3600.0
log = get_logger("api")


class Housekeeping:
    """Tidies at start and every hour; several API processes may do so at once."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Tidy in the background."""
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self) -> None:
        """Tidy no more."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def tidy(self) -> None:
        """Once."""
        now = self._clock.now()
        await idempotency.forget_expired(self._pool, now)
        await sessions.forget(self._pool, now - KEPT)
        await refresh_tokens.forget(self._pool, now - KEPT)
        for forgotten in await retention.forget(self._pool, now, RetentionOptions()):
            log.info("forgotten", **msgspec.structs.asdict(forgotten))

    async def _run(self) -> None:
        while True:
            try:
                await self.tidy()
            except AWAY as error:
                log.warning("housekeeping_waits_for_database", error=str(error))
            await asyncio.sleep(_PERIOD_SECONDS)
