"""One handler at work: reads what is new, chooses the next key, tries, tries again, gives up."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, Protocol

import asyncpg

from app.core.clock import Clock
from app.core.logging import get_logger
from app.events.bus_statistics import HandlerStatistics
from app.events.handlers import CommittedEvent, EventHandler
from app.events.lanes import MOST_OF_A_KEY, Lanes, Waiting

PAGE: Final = 1_000
"Events of a stream that are looked at in one turn."
MOST_WAITING: Final = 50_000
"Events in memory; above that new ones are read later. A held key counts for a thousand at most."
POLL_SECONDS: Final = 1.0
"How often PostgreSQL is asked where nobody notified."
RELOAD_SECONDS: Final = 60.0
"How often deliveries are looked for that somebody else made waiting (a notice got lost)."
SAVE_SECONDS: Final = 5.0
"How often a cursor is stored that only passed events of no concern."
GRACE_SECONDS: Final = 1.0
"For a cancelled attempt to end by itself; then its connection is cut."
AWAY_SECONDS: Final = 0.5
log = get_logger("jobs")

Chances = Random()  # nosec B311 - spreads retries, no secret


class Attempt(Protocol):
    """An open transaction in which events are handled; leaving it marks them and commits."""

    db: asyncpg.Connection
    events: list[CommittedEvent]
    "Those that still wait: another process may have handled some."


class Deliveries(Protocol):
    """What the bus remembers in PostgreSQL; `repositories.handler_deliveries` is it."""

    async def enroll(self, handler: EventHandler) -> dict[str, int]: ...

    async def heads(self) -> dict[str, int]: ...

    async def hand_out(
        self, handler: EventHandler, stream: str, after: int, until: int
    ) -> list[Waiting]: ...

    async def save(self, handler: str, positions: Mapping[str, int]) -> None: ...

    def waiting(self, handler: str) -> AsyncIterator[list[Waiting]]: ...

    async def waiting_of(self, handler: str, key: str, limit: int) -> list[Waiting]: ...

    def attempt(
        self, handler: str, taken: list[Waiting]
    ) -> AbstractAsyncContextManager[Attempt]: ...

    async def failed(self, handler: str, one: Waiting, error: str, again_at: datetime) -> None: ...

    async def bury(self, handler: str, one: Waiting, error: str) -> None: ...


class HandlerFailed(Exception):
    """An attempt came to nothing through the handler's own doing."""

    def __init__(self, sentence: str, *, is_late: bool = False) -> None:
        super().__init__(sentence)
        self.is_late = is_late


class DatabaseAway(Exception):
    """An attempt came to nothing because PostgreSQL was not there: nobody's fault."""


def is_away(error: BaseException) -> bool:
    """Whether PostgreSQL does not answer, or cannot just now (restart, disk full)."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in ("08", "53") or state[:3] == "57P"
    kinds = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    return isinstance(error, kinds)


class Runner:
    """Runs one handler as long as this process owns it."""

    def __init__(
        self,
        handler: EventHandler,
        deliveries: Deliveries,
        heads: Mapping[str, int],
        clock: Clock,
        chances: Random = Chances,
    ) -> None:
        """`heads` is kept up to date by the bus: last seq by stream."""
        self.handler = handler
        self.statistics = HandlerStatistics()
        self.is_current = False
        "Whether the last turn of reading came through."
        self._deliveries = deliveries
        self._heads = heads
        self._clock = clock
        self._chances = chances
        self._loop = asyncio.get_running_loop()
        self._lanes = Lanes()
        self._positions: dict[str, int] = {}
        self._unsaved: set[str] = set()
        self._saved_at = self._loaded_at = 0.0
        self._must_load = True
        self._is_stopping = False
        self._wake = asyncio.Event()
        self._working: set[asyncio.Task[None]] = set()
        self._abandoned: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Until it is cancelled, or stopped and out of work."""
        try:
            while not self._is_stopping:
                try:
                    await self._turn()
                    self.is_current = True
                except Exception as error:
                    if not is_away(error):
                        raise
                    self.is_current = False
                    log.warning("handler_waits", handler=self.handler.name, error=str(error))
                    await asyncio.sleep(AWAY_SECONDS)
            if self._working:
                await asyncio.wait(self._working)
            await self._save()
        finally:
            for task in self._working:
                task.cancel()
            if self._working:
                await asyncio.wait(self._working)

    def stop(self) -> None:
        """Begin nothing new; `run` returns once what is at work has ended."""
        self._is_stopping = True
        self._wake.set()

    def wake(self) -> None:
        """There may be something new."""
        self._wake.set()

    def reload(self) -> None:
        """Somebody made deliveries wait again, or notices were lost."""
        self._must_load = True
        self._wake.set()

    def told(self) -> dict[str, Any]:
        """Statistics, and how it stands."""
        return {
            "is_current": self.is_current,
            "lag": self.lag,
            "waiting": len(self._lanes),
            "keys_held": self._lanes.held,
            "at_work": len(self._working),
            **self.statistics.told(),
        }

    @property
    def lag(self) -> int:
        """Committed events that it was not handed yet."""
        known = self._positions
        return sum(max(0, seq - known.get(name, seq)) for name, seq in self._heads.items())

    # ---------------------------------------------------------------------------- reading

    async def _turn(self) -> None:
        self._wake.clear()
        if not self._positions.keys() >= self._heads.keys():
            self._positions = await self._deliveries.enroll(self.handler) | self._positions
        now = self._loop.time()
        if self._must_load or now - self._loaded_at > RELOAD_SECONDS:
            await self._load()
        await self._refill()
        is_behind = await self._hand_out()
        if now - self._saved_at > SAVE_SECONDS:
            await self._save()
        self._dispatch()
        if is_behind:
            await asyncio.sleep(0)
        else:
            await self._pause()

    async def _load(self) -> None:
        """Everything that waits in PostgreSQL and is not known here."""
        self._must_load = False
        async for page in self._deliveries.waiting(self.handler.name):
            self._lanes.add(page, self._loop.time())
        self._loaded_at = self._loop.time()

    async def _refill(self) -> None:
        for key in self._lanes.to_refill():
            found = await self._deliveries.waiting_of(self.handler.name, key, MOST_OF_A_KEY)
            self._lanes.refill(key, found, self._loop.time())

    async def _hand_out(self) -> bool:
        """One page of each stream; True when there is more at once."""
        is_behind = False
        for stream, head in tuple(self._heads.items()):
            after = self._positions.get(stream)
            if after is None or head <= after:
                continue
            if len(self._lanes) >= MOST_WAITING:
                return False
            began = self._loop.time()
            until = min(head, after + PAGE)
            found = await self._deliveries.hand_out(self.handler, stream, after, until)
            self.statistics.queueing.add(self._loop.time() - began)
            self.statistics.published += len(found)
            self._positions[stream] = until
            self._unsaved.add(stream)
            if found:
                self._unsaved.discard(stream)
                self._lanes.add(found, self._loop.time())
                self._dispatch()
            is_behind |= until < head
        return is_behind

    async def _save(self) -> None:
        """Cursors that passed events of no concern: so that a restart does not read them again."""
        self._saved_at = self._loop.time()
        if self._unsaved:
            positions = {stream: self._positions[stream] for stream in self._unsaved}
            await self._deliveries.save(self.handler.name, positions)
            self._unsaved -= positions.keys()

    async def _pause(self) -> None:
        due = self._lanes.next_due()
        seconds = POLL_SECONDS if due is None else due - self._loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, 0.0), POLL_SECONDS)):
                await self._wake.wait()
        self._lanes.release(self._loop.time())

    # --------------------------------------------------------------------------- handling

    def _dispatch(self) -> None:
        """Put the most urgent keys to work, as many as there are slots."""
        while not self._is_stopping and len(self._working) < self.handler.slots:
            taken = self._lanes.take(self.handler.batch)
            if not taken:
                return
            task = asyncio.create_task(self._deliver(taken), name=f"handle {taken[0].place}")
            self._working.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._working.discard(task)
        if not task.cancelled():
            if error := task.exception():
                log.error("delivery_broke", handler=self.handler.name, exc_info=error)
            self._dispatch()
            self._wake.set()

    async def _deliver(self, taken: list[Waiting]) -> None:
        first, began = taken[0], self._loop.time()
        self.statistics.retried += bool(first.attempts)
        try:
            events = await self._attempt(taken)
        except HandlerFailed as error:
            await self._failed(taken, error)
        except Exception as error:  # noqa: BLE001 - what its transaction ends with is its own doing
            if not (isinstance(error, DatabaseAway) or is_away(error)):
                await self._failed(taken, HandlerFailed(_sentence(error)))
                return
            self._lanes.hold(first, self._loop.time() + AWAY_SECONDS)
        else:
            seconds = (self._loop.time() - began) / max(len(events), 1)
            now = self._clock.now()
            for one, event in zip(taken, events, strict=False):
                delay = (now - event.recorded_at).total_seconds()
                self.statistics.came_through(event.event_type, one.lane, seconds, delay)
            self._lanes.done(taken)

    async def _attempt(self, taken: list[Waiting]) -> list[CommittedEvent]:
        """Handle and commit; what it handled. Raises HandlerFailed, or what PostgreSQL raises."""
        async with self._deliveries.attempt(self.handler.name, taken) as attempt:
            work = asyncio.create_task(self._work(attempt), name=f"work {taken[0].place}")
            try:
                await asyncio.wait([work], timeout=self.handler.time_limit_seconds)
            finally:
                is_late = not work.done()
                if is_late:
                    await self._cut_off(work, attempt.db)
            if is_late:
                sentence = f"Took longer than {self.handler.time_limit_seconds:g} s."
                raise HandlerFailed(sentence, is_late=True)
            if error := work.exception():
                if _is_cut(attempt.db):
                    raise DatabaseAway from error
                raise HandlerFailed(_sentence(error)) from error
            return attempt.events

    async def _work(self, attempt: Attempt) -> None:
        for event in attempt.events:
            await self.handler.handle(event, attempt.db)

    async def _cut_off(self, work: "asyncio.Task[None]", db: asyncpg.Connection) -> None:
        """End an attempt; one that ignores that loses its connection and is left to itself."""
        work.cancel()
        try:
            await asyncio.wait([work], timeout=GRACE_SECONDS)
        finally:
            if not work.done():
                db.terminate()
        if work.done():
            if not work.cancelled():
                work.exception()  # seen
            return
        self.statistics.abandoned += 1
        log.error("handler_ignores_cancellation", handler=self.handler.name)
        self._abandoned.add(work)
        work.add_done_callback(self._left)

    def _left(self, work: "asyncio.Task[None]") -> None:
        self._abandoned.discard(work)
        if not work.cancelled():
            work.exception()  # seen

    async def _failed(self, taken: list[Waiting], error: HandlerFailed) -> None:
        self.statistics.failed += 1
        self.statistics.timed_out += error.is_late
        if len(taken) > 1:
            self._lanes.one_by_one(taken)
            return
        one, name = taken[0], self.handler.name
        one.attempts += 1
        wait = self.handler.wait_seconds(one.attempts, self._chances.random())
        is_dead = one.attempts >= self.handler.attempts
        log.warning(
            "handler_failed", handler=name, stream=one.stream, seq=one.seq, attempts=one.attempts,
            error=str(error), is_dead=is_dead,
        )  # fmt: skip
        try:
            if is_dead:
                await self._deliveries.bury(name, one, str(error))
            else:
                again_at = self._clock.now() + timedelta(seconds=wait)
                await self._deliveries.failed(name, one, str(error), again_at)
        except Exception as failure:
            if not is_away(failure):
                log.error("failure_not_stored", handler=name, exc_info=failure)
            is_dead, wait = False, AWAY_SECONDS
        if is_dead:
            self.statistics.dead += 1
            self._lanes.done(taken)
        else:
            self._lanes.hold(one, self._loop.time() + wait)


def _is_cut(db: asyncpg.Connection) -> bool:
    try:
        return bool(db.is_closed())
    except asyncpg.InterfaceError:  # its pool took it back already
        return True


def _sentence(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
