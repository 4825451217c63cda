"""asyncpg's pool for the order path and for processes that do without SQLAlchemy (17 MB)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from app.core.config import bare_url, settings
from app.core.logging import get_logger

APPLICATION_NAME: Final = "tradewright"
CLOSE_SECONDS: Final = 5.0
log = get_logger()


async def create_pool(
    url: str, *, min_size: int = 1, max_size: int | None = None, idle_seconds: int = 300
) -> asyncpg.Pool:
    """An asyncpg pool for prepared statements and COPY; json columns come as the stored text.

    A connection that nobody used for `idle_seconds` is closed: each is 2 to 8 MB of the server's.
    """
    return await asyncpg.create_pool(
        bare_url(url),
        min_size=min_size,
        max_size=max_size or settings.database.pool_size,
        max_inactive_connection_lifetime=idle_seconds,
        server_settings={"application_name": APPLICATION_NAME},
    )


@asynccontextmanager
async def opened_pool(url: str, **sizes: int) -> AsyncIterator[asyncpg.Pool]:
    """`create_pool`, closed at the end; connections that nobody gives back are cut off."""
    pool = await create_pool(url, **sizes)
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            log.warning("connections_cut_off", seconds=CLOSE_SECONDS)
            pool.terminate()
