"""Keeps a process's settings as people have stored them: read at start, and when one changes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import asyncpg

from app.core import system_config
from app.core.config import LogLevel
from app.core.logging import get_logger, set_level
from app.core.system_config import OPERATIONS
from app.core.tasks import end
from app.repositories import config

_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_RETRY_SECONDS: Final = 1.0
CHANNEL: Final = "config"
"Where PostgreSQL tells of a changed key."
log = get_logger("api")


class SystemConfig:
    """One a process. `on_change` is told after each reading, for what must be put into force."""

    def __init__(self, pool: asyncpg.Pool, *on_change: Callable[[], None]) -> None:
        """Raises ConfigurationError for a value of the environment that cannot be used: the process
        does not start with it, rather than find out when somebody changes another setting."""
        for operation in OPERATIONS.values():
            system_config.unchanged(operation.cls, operation.field)
        self._pool = pool
        self._on_change = on_change
        self._level: LogLevel = _level()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Take what is stored now. Raises what the database raises."""
        stored: Mapping[str, Any] = await config.values(self._pool)
        for refused in system_config.offer({key: row["value"] for key, row in stored.items()}):
            log.error("setting_not_usable", reason=refused)
        self._take_level()
        for tell in self._on_change:
            try:
                tell()
            except Exception as error:  # the others, and later changes, are taken all the same
                log.exception("setting_not_taken", error=str(error))

    async def load_if_there(self) -> None:
        """The same at a start, where a database that is away, or still empty, is no reason not to
        go on: it is read when it answers."""
        try:
            await self.load()
        except _AWAY as error:
            log.warning("settings_not_read", error=str(error))

    def start(self) -> None:
        """Follow it in the background."""
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="system config")

    async def stop(self) -> None:
        """Follow it no more; settings are again what the environment says."""
        await end([self._task])
        system_config.offer({})
        self._take_level()

    def heard(self, key: str) -> None:
        """A notice of the channel `config`."""
        if key in OPERATIONS:
            self._wake.set()

    def catch_up(self) -> None:
        """Notices may have been missed."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.load()
            except _AWAY as error:
                log.warning("settings_not_read", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                self._wake.set()

    def _take_level(self) -> None:
        if (level := _level()) is not self._level:
            set_level(level)
            self._level = level


def _level() -> LogLevel:
    """What applies now: what is stored, else the environment, else the profile."""
    return LogLevel(system_config.value(OPERATIONS["log.level"]))
