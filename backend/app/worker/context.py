"""What every part of the worker is given: settings, connections, the journal, the wish to stop."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from app.core import clock
from app.core.clock import Clock
from app.core.config import Settings, get_settings
from app.core.security import master_key, subkey
from app.db.address import database_url
from app.db.pool import APPLICATION_NAME, connect, opened_pool
from app.repositories import alerts
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal

POOL_MAX: Final = 6
IDLE_SECONDS: Final = 30
"Parts work now and then, and each connection costs the server memory."
COMMAND_SECONDS: Final = 60.0
"No statement of a part takes so long; those of jobs have a pool without it."


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """One for all parts of a process; `stopping` is set when they shall come to an end."""

    settings: Settings
    url: str
    pool: asyncpg.Pool
    journal_key: bytes
    system: SharedJournal
    clock: Clock = clock.system
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self) -> asyncpg.Connection:
        """A connection of one's own, for LISTEN and for advisory locks."""
        return await connect(
            self.url,
            f"{APPLICATION_NAME} worker",
            seconds=5.0,
            command_seconds=COMMAND_SECONDS,
        )

    async def alarm(self, alert: NewAlert) -> None:
        """Raise an alert, journaled in the system stream."""
        async with self.pool.acquire() as db, db.transaction():
            await alerts.raise_alert(db, self.system, alert, self.clock.now())

    async def all_clear(self, key: str) -> None:
        """What the alert `key` told of is over by itself."""
        async with self.pool.acquire() as db, db.transaction():
            await alerts.clear(db, self.system, key, self.clock.now())


@asynccontextmanager
async def opened(settings: Settings | None = None) -> AsyncIterator[WorkerContext]:
    """A context with its pool, closed at the end. Raises ConfigurationError without a database."""
    settings = settings or get_settings()
    url = database_url()
    key = subkey(master_key(settings.home, settings.app.secret_key), "journal")
    async with opened_pool(
        url,
        min_size=1,
        max_size=POOL_MAX,
        idle_seconds=IDLE_SECONDS,
        command_seconds=COMMAND_SECONDS,
        leaves_nothing=True,
    ) as pool:
        yield WorkerContext(
            settings=settings,
            url=url,
            pool=pool,
            journal_key=key,
            system=SharedJournal(pool, key),
        )
