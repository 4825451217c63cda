"""One LISTEN connection a process: hears PostgreSQL's notices, and reconnects when cut off."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import asyncpg

from app.core.logging import get_logger
from app.core.tasks import end

Connect = Callable[[], Awaitable[asyncpg.Connection]]
Hear = Callable[[str], None]
"""Takes a notice's payload. Must not wait: it runs between two reads of the socket."""
Catch = Callable[[], None]

_WAITS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_HEARTBEAT_SECONDS: Final = 5.0
log = get_logger("api")


class Listener:
    """Calls `hear` for each notice of a channel, and `catch up` after every (re)connection.

    Notices are hints: what was sent while we were away is found by reading the tables again.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._hear: dict[str, list[Hear]] = defaultdict(list)
        self._catch_up: list[Catch] = []
        self._task: asyncio.Task[None] | None = None
        self.is_connected = False
        self.connected = asyncio.Event()

    def on(self, channel: str, hear: Hear) -> None:
        """Hear a channel; before `start`."""
        self._hear[channel].append(hear)

    def on_connected(self, catch_up: Catch) -> None:
        """Be told that notices may have been missed."""
        self._catch_up.append(catch_up)

    def start(self) -> None:
        """Connect in the background, for ever."""
        self._task = asyncio.create_task(self._run(), name="listener")

    async def stop(self) -> None:
        """Close the connection."""
        await end([self._task])

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
                failures = 0
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("listener_disconnected", error=str(error))
            await asyncio.sleep(_WAITS[min(failures, len(_WAITS) - 1)])
            failures += 1

    async def _listen(self) -> None:
        """One connection's life; returns or raises when it is over."""
        connection = await self._connect()
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            for channel in self._hear:
                await connection.add_listener(channel, self._heard)
            self.is_connected = True
            self.connected.set()
            for catch_up in self._catch_up:
                catch_up()
            while not closed.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        await closed.wait()
                    return
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await connection.execute("SELECT 1")
        finally:
            self.is_connected = False
            self.connected.clear()
            connection.terminate()

    def _heard(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        for hear in self._hear[channel]:
            hear(payload)
