"""Facts of the platform into the `system` stream: handed over at once, stored in batches."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from app.core.clock import Clock
from app.core.errors import Unavailable
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.events import Event, FeedConnected, FeedDisconnected
from app.domain.ports import Entry
from app.events.runner import is_away

MOST_WAITING: Final = 100_000
"Events that wait while PostgreSQL is away; more are refused, so that the publisher hears of it."
_AT_ONCE: Final = 500
_WAITS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
log = get_logger()

Stored = asyncio.Future[int]
"""Done with the event's seq once it is durable, or with why it cannot be stored."""


class Appends(Protocol):
    """A stream of the journal that any process may append to."""

    async def append(self, entries: Sequence[Entry]) -> int: ...


class Publisher:
    """Appends what it is given in order, many at once, and goes on when PostgreSQL was away.

    Each event is stored at least once: a connection lost in the very commit leaves open whether it
    happened, and the batch is then stored again.
    """

    def __init__(self, journal: Appends, most_waiting: int = MOST_WAITING) -> None:
        self._journal = journal
        self._most = most_waiting
        self._waiting: deque[tuple[Event, Stored]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.published = 0
        "Events that are durable."

    def __len__(self) -> int:
        """Events that are not durable yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Store in the background."""
        self._task = asyncio.create_task(self._run(), name="publisher")

    async def stop(self, seconds: float = 2.0) -> None:
        """Store what waits, for so long at most."""
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            log.error("events_not_stored", events=len(self._waiting))
        await end([self._task])

    def publish(self, event: Event) -> Stored:
        """Hand an event over without waiting. Raises Unavailable when too many wait already."""
        if len(self._waiting) >= self._most:
            raise Unavailable(
                f"{len(self._waiting)} events wait to be stored: PostgreSQL does not answer.",
                remedy="See `tradewright status`.",
            )
        stored: Stored = asyncio.get_running_loop().create_future()
        stored.add_done_callback(_seen)
        self._waiting.append((event, stored))
        self._wake.set()
        self._idle.clear()
        return stored

    async def flush(self) -> None:
        """Wait until all that was handed over is durable, or refused."""
        await self._idle.wait()

    async def _run(self) -> None:
        while True:
            while self._waiting:
                count = min(len(self._waiting), _AT_ONCE)
                batch = [self._waiting[index] for index in range(count)]
                await self._store(batch)
                for _ in batch:
                    self._waiting.popleft()
            self._idle.set()
            self._wake.clear()
            await self._wake.wait()

    async def _store(self, batch: list[tuple[Event, Stored]]) -> None:
        try:
            last = await self._append([event for event, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever published is told
            if len(batch) > 1:
                for one in batch:  # only those that cannot be stored are refused
                    await self._store([one])
            elif not batch[0][1].done():
                log.error("event_refused", error=str(error))
                batch[0][1].set_exception(error)
            return
        self.published += len(batch)
        for number, (_, stored) in enumerate(batch, last - len(batch) + 1):
            if not stored.done():
                stored.set_result(number)

    async def _append(self, events: list[Event]) -> int:
        failures = 0
        while True:
            try:
                return await self._journal.append([Entry(event) for event in events])
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("publisher_waits_for_database", error=str(error))
            await asyncio.sleep(_WAITS[min(failures, len(_WAITS) - 1)])
            failures += 1


class SystemEvents:
    """Facts of a running process by their names: they are stored also when PostgreSQL was away.

    What belongs to a change of a table is journaled with it instead, in one transaction
    (`SharedJournal.append_within`).
    """

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    def tell(self, event: Event) -> Stored:
        """Any fact."""
        return self._publisher.publish(event)

    def feed_connected(self, feed: str) -> Stored:
        """A feed delivers."""
        return self.tell(FeedConnected(feed=feed, at=self._clock.now()))

    def feed_disconnected(self, feed: str, reason: str) -> Stored:
        """A feed delivers no more."""
        return self.tell(FeedDisconnected(feed=feed, reason=reason, at=self._clock.now()))


def _seen(stored: Stored) -> None:
    """Who does not look at the outcome need not be told by the loop that nobody did."""
    if not stored.cancelled():
        stored.exception()
