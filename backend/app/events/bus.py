"""The event bus: committed events to every registered handler, whoever else fails or hangs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import asyncpg

from app.core import clock as clocks
from app.core.clock import Clock
from app.core.logging import get_logger
from app.core.tasks import end
from app.events.handlers import CommittedEvent, EventHandler
from app.events.listener import Listener
from app.events.runner import Deliveries, Runner, is_away

__all__ = ["CommittedEvent", "EventBus", "EventHandler"]

HEADS_SECONDS: Final = 5.0
"How often the heads of the streams are asked for where no notice came."
OWN_SECONDS: Final = 1.0
"How often another process's handlers are tried to be taken over."
STOP_SECONDS: Final = 2.5
"For what is at work when the bus is stopped."
CHANNEL: Final = "handler_deliveries"
"Notices about deliveries that somebody made wait again: the handler's name."
log = get_logger("jobs")


class Owned(Deliveries, Protocol):
    """Deliveries, and who may make them."""

    async def own(self, connection: asyncpg.Connection, handler: str) -> bool: ...


class EventBus:
    """Runs handlers side by side. Each is run by one process at a time: who holds its lock.

    Events are read from PostgreSQL, woken by NOTIFY and, where that fails, by polling. A handler
    that was away is handed what it missed. Order is kept within a key of a handler.
    """

    def __init__(
        self,
        deliveries: Owned,
        handlers: Sequence[EventHandler],
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        clock: Clock = clocks.system,
    ) -> None:
        """`connect` makes connections of our own, for LISTEN and for the locks of ownership.

        Raises ValueError when two handlers share a name.
        """
        names = [handler.name for handler in handlers]
        if len(set(names)) < len(names):
            raise ValueError(f"Two handlers share a name: {', '.join(sorted(names))}.")
        self._deliveries = deliveries
        self._handlers = tuple(handlers)
        self._connect = connect
        self._clock = clock
        self._heads: dict[str, int] = {}
        self._runners: dict[str, tuple[Runner, asyncio.Task[None]]] = {}
        self._look = asyncio.Event()
        self._listener = Listener(connect)
        self._listener.on("journal", self.heard)
        self._listener.on(CHANNEL, self._heard_of_deliveries)
        self._listener.on_connected(self._look.set)

    async def run(self, stopping: asyncio.Event | None = None) -> None:
        """For ever; once `stopping` is set, finish what is at work and return."""
        wish = stopping or asyncio.Event()
        self._listener.start()
        parts = [
            asyncio.create_task(self._follow(), name="bus heads"),
            asyncio.create_task(self._own(), name="bus ownership"),
        ]
        waiting = asyncio.create_task(wish.wait())
        try:
            await asyncio.wait([*parts, waiting], return_when=asyncio.FIRST_COMPLETED)
            for part in parts:
                if part.done():
                    part.result()
            await self._finish()
        finally:
            await end([*parts, waiting])
            await self._drop()
            await self._listener.stop()

    def statistics(self) -> dict[str, Any]:
        """By handler that this process runs: counts, times by type and lane, lag, what is held."""
        return {name: runner.told() for name, (runner, _) in self._runners.items()}

    def heard(self, notice: str) -> None:
        """A notice `<stream>:<seq>` of the journal."""
        stream, _, seq = notice.rpartition(":")
        if stream and stream != "audit" and seq.isdigit():
            self._heads[stream] = max(int(seq), self._heads.get(stream, 0))
        for runner, _ in self._runners.values():
            runner.wake()

    def _heard_of_deliveries(self, handler: str) -> None:
        if handler in self._runners:
            self._runners[handler][0].reload()

    async def _follow(self) -> None:
        """The heads of all streams, also where no notice came."""
        while True:
            try:
                found = await self._deliveries.heads()
                is_new = any(seq > self._heads.get(name, -1) for name, seq in found.items())
                for name, seq in found.items():  # a notice may have come while we asked
                    self._heads[name] = max(seq, self._heads.get(name, seq))
                if is_new:
                    for runner, _ in self._runners.values():
                        runner.wake()
            except Exception as error:
                if not is_away(error):
                    raise
            with suppress(TimeoutError):
                async with asyncio.timeout(HEADS_SECONDS):
                    await self._look.wait()
            self._look.clear()

    # -------------------------------------------------------------------------- ownership

    async def _own(self) -> None:
        """Run every handler that nobody else runs, as long as our connection lives."""
        while True:
            try:
                connection = await self._connect()
                try:
                    await self._keep(connection)
                finally:
                    connection.terminate()
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("bus_waits_for_database", error=str(error))
            await self._drop()
            await asyncio.sleep(OWN_SECONDS)

    async def _keep(self, connection: asyncpg.Connection) -> None:
        owned: set[str] = set()
        while True:
            async with asyncio.timeout(5 * OWN_SECONDS):
                await connection.execute(
                    "SELECT 1"
                )  # raises when it is gone, and the locks with it
                for handler in self._handlers:
                    if handler.name in owned or await self._deliveries.own(
                        connection, handler.name
                    ):
                        owned.add(handler.name)
                        self._begin(handler)
            await asyncio.sleep(OWN_SECONDS)

    def _begin(self, handler: EventHandler) -> None:
        known = self._runners.get(handler.name)
        if known is not None and not known[1].done():
            return
        if known is not None and not known[1].cancelled() and (error := known[1].exception()):
            log.error("handler_broke", handler=handler.name, exc_info=error)
        runner = Runner(handler, self._deliveries, self._heads, self._clock)
        task = asyncio.create_task(runner.run(), name=f"handler {handler.name}")
        self._runners[handler.name] = runner, task
        log.info("handler_begins", handler=handler.name)

    async def _finish(self) -> None:
        tasks = [task for _, task in self._runners.values()]
        for runner, _ in self._runners.values():
            runner.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)

    async def _drop(self) -> None:
        """Another process may run them from now on."""
        runners, self._runners = self._runners, {}
        tasks = [task for _, task in runners.values()]
        for task in tasks:
            task.cancel()
        if tasks:  # once more only when once was not enough: an attempt is being rolled back
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        await end(tasks)
