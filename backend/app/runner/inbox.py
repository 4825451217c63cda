"""What the engine is to see next: reports of the broker, moments of the feed, or word of others."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import date, datetime
from typing import Final

import msgspec

from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.events import BrokerReport
from app.marketdata.slices import Moment

_AHEAD: Final = 64
_REPORTS: Final = 1_000
"So many reports of the broker wait at most; then its connection does."
_RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
log = get_logger("trading")


class Position(msgspec.Struct, frozen=True):
    """Where a feed goes on: after the last slice, inside the session that is open."""

    after: datetime | None
    session: date | None


class Ended(msgspec.Struct, frozen=True):
    """The feed is over: for good, or with the error that ended it."""

    error: str | None = None


Open = Callable[[tuple[str, ...], Position], AsyncGenerator[Moment]]


class Inbox:
    """The broker's reports, before all else; then the feed, never more than a few moments ahead."""

    def __init__(self, open_feed: Open) -> None:
        self.symbols: tuple[str, ...] = ()
        self.is_over = False
        self._open = open_feed
        self._queue: asyncio.Queue[Moment | Ended | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AHEAD)
        self._reports: deque[BrokerReport] = deque()
        self._report_room = asyncio.Semaphore(_REPORTS)
        self._task: asyncio.Task[None] | None = None
        self.failures = 0
        "Attempts that failed since the last moment came."

    def wake(self) -> None:
        """Let `next` return without a moment."""
        self._queue.put_nowait(None)

    async def report(self, report: BrokerReport) -> None:
        """What the broker says, in order; waits while too much of it waits."""
        await self._report_room.acquire()
        self._reports.append(report)
        self.wake()

    async def next(self) -> Moment | BrokerReport | Ended | None:
        """The next report, else the next moment; None when somebody woke us."""
        if self._reports:
            return self._reported()
        item = await self._queue.get()
        if item is None and self._reports:
            return self._reported()
        if item is not None and not isinstance(item, Ended):
            self._room.release()
            self.failures = 0
        return item

    def _reported(self) -> BrokerReport:
        self._report_room.release()
        return self._reports.popleft()

    async def follow(self, symbols: tuple[str, ...], position: Position) -> None:
        """Feed these symbols from here on. What waits of an earlier feed comes again."""
        await self.stop()
        self.symbols, self.is_over = symbols, False
        self._queue, self._room = asyncio.Queue(), asyncio.Semaphore(_AHEAD)
        if symbols:
            self._task = asyncio.create_task(self._pump(symbols, position), name="feed")

    async def again(self, position: Position) -> None:
        """Go on after an error, a little later each time."""
        delay = _RETRY_SECONDS[min(self.failures, len(_RETRY_SECONDS) - 1)]
        self.failures += 1
        await self.stop()
        self._queue, self._room = asyncio.Queue(), asyncio.Semaphore(_AHEAD)
        self._task = asyncio.create_task(
            self._pump(self.symbols, position, delay), name="feed again"
        )

    async def stop(self) -> None:
        """Close the feed."""
        task, self._task = self._task, None
        await end([task])

    async def _pump(self, symbols: tuple[str, ...], position: Position, delay: float = 0.0) -> None:
        queue, room = self._queue, self._room
        await asyncio.sleep(delay)
        try:
            async with aclosing(self._open(symbols, position)) as feed:
                async for moment in feed:
                    await room.acquire()
                    queue.put_nowait(moment)
        except Exception as error:  # noqa: BLE001 - a provider may fail in any way
            log.warning("feed_failed", symbols=symbols, error=f"{type(error).__name__}: {error}")
            queue.put_nowait(Ended(f"{type(error).__name__}: {error}"))
        else:
            queue.put_nowait(Ended())
