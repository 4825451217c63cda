"""How often screens get prices: the limit `market_data_refresh_seconds`, as it stands now."""

import asyncio
from typing import Final

import asyncpg
import msgspec

from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.limits import Limits
from app.events.hub import AWAY
from app.events.prices import Prices
from app.repositories import config

KEY: Final = "market_data_refresh_seconds"
_RETRY_SECONDS: Final = 1.0
log = get_logger("api")


class Refresh:
    """Reads the limit at start, when it was changed, and when a notice may have been missed."""

    def __init__(self, pool: asyncpg.Pool, prices: Prices) -> None:
        self._pool = pool
        self._prices = prices
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow the limit in the background."""
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="refresh")

    async def stop(self) -> None:
        """Follow it no more."""
        await end([self._task])

    def heard(self, key: str) -> None:
        """A notice of the channel `config`."""
        if key == KEY:
            self._wake.set()

    def catch_up(self) -> None:
        """Notices may have been missed."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                stored = (await config.values(self._pool)).get(KEY)
                value = stored["value"] if stored else Limits().market_data_refresh_seconds
                self._prices.refresh_every(msgspec.convert(value, float, strict=False))
            except AWAY as error:
                log.warning("refresh_not_read", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                self._wake.set()
