"""Prints and quotes on their way to the tables: bounded queues, and batches that grow with load."""

import asyncio
from collections import deque
from typing import Final

import asyncpg

from app.core.clock import Clock
from app.core.logging import get_logger
from app.core.tasks import end
from app.ingest.tick_statistics import TickStatistics
from app.marketdata.batch import QuoteBatch, TickBatch
from app.marketdata.joining import join_quotes, join_ticks, newest_rows
from app.repositories.appending import Appended
from app.repositories.journal import LOST_CONNECTION
from app.repositories.quotes import Quotes
from app.repositories.ticks import Ticks

LARGEST_WRITE: Final = 32_768
"Rows of one COPY at most: what is queued is written as one batch up to here."
SMALLEST_WRITE: Final = 4_096
"Where more rows are queued, so many are written at once, however long it takes."
WRITE_SECONDS: Final = 0.03
"What a write is to take: as many rows as the last ones let expect."
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0
_REFUSED: Final = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)

log = get_logger("trading")


class TickWriter:
    """Writes what is put into it, in order, for ever: prints first, quotes when there are none.

    While the database is away prints wait, up to `most_ticks`, and then whoever brings more. Quotes
    never make anybody wait: the oldest of the symbols that have most are dropped, and counted.
    """

    def __init__(
        self, ticks: Ticks, quotes: Quotes, source: str, statistics: TickStatistics, clock: Clock,
        *, most_ticks: int, most_quotes: int,
    ) -> None:  # fmt: skip
        self._tables = (ticks, quotes)
        self._source = source
        self._statistics = statistics
        self._clock = clock
        self._most = (most_ticks, most_quotes)
        self._ticks: deque[TickBatch] = deque()
        self._quotes: deque[QuoteBatch] = deque()
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._at_once = 2 * SMALLEST_WRITE

    # ------------------------------------------------------------------------- what comes

    async def put_ticks(self, batch: TickBatch) -> None:
        """Queue prints; wait while there is no room for them. Raises what stopped the writer."""
        for first in range(0, len(batch), SMALLEST_WRITE):
            part = batch[first : first + SMALLEST_WRITE]
            self._demand_running()
            await self._make_room(len(part))
            self._ticks.append(part)
            self._changed(ticks=len(part))

    def put_quotes(self, batch: QuoteBatch) -> None:
        """Queue quotes; drop the oldest where there are too many."""
        if not len(batch):
            return
        self._quotes.append(batch)
        self._changed(quotes=len(batch))
        waiting, most = self._statistics.quotes_waiting, self._most[1]
        if waiting > most:
            kept = newest_rows(join_quotes(self._quotes), most // 2)
            self._quotes = deque([kept])
            self._statistics.quotes_shed += waiting - len(kept)
            self._changed(quotes=len(kept) - waiting)

    async def _make_room(self, rows: int) -> None:
        statistics = self._statistics
        if statistics.ticks_waiting and statistics.ticks_waiting + rows > self._most[0]:
            statistics.waits += 1
            while statistics.ticks_waiting and statistics.ticks_waiting + rows > self._most[0]:
                self._room.clear()
                await self._room.wait()
                self._demand_running()

    def _demand_running(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()

    def _changed(self, ticks: int = 0, quotes: int = 0) -> None:
        statistics = self._statistics
        statistics.ticks_waiting += ticks
        statistics.quotes_waiting += quotes
        statistics.most_waiting = max(statistics.most_waiting, statistics.ticks_waiting)
        if ticks < 0:
            self._room.set()
        if ticks > 0 or quotes > 0:
            self._work.set()
            self._idle.clear()
            if self._task is None:
                self._task = asyncio.create_task(self._run(), name="store prints")
                self._task.add_done_callback(lambda task: self._room.set())

    # ------------------------------------------------------------------------ what is done

    async def drain(self) -> None:
        """Return once everything is durable. Raises what stopped the writer."""
        waiting = asyncio.ensure_future(self._idle.wait())
        tasks = [waiting, self._task] if self._task is not None else [waiting]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self._demand_running()

    async def stop(self) -> None:
        """Write no more; what waits is lost."""
        await end([self._task])
        self._task = None

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            if self._ticks:
                await self._write_ticks()
            elif self._quotes:
                await self._write_quotes()
            else:
                self._work.clear()
                self._idle.set()

    async def _write_ticks(self) -> None:
        parts = [self._ticks.popleft()]
        rows = len(parts[0])
        while self._ticks and rows + len(self._ticks[0]) <= self._at_once:
            parts.append(self._ticks.popleft())
            rows += len(parts[-1])
        stored = await self._patiently(join_ticks(parts))
        self._statistics.ticks_stored += stored.inserted
        self._changed(ticks=-rows)

    async def _write_quotes(self) -> None:
        batch = join_quotes(self._quotes)
        self._quotes.clear()
        # they are no longer there to be dropped
        self._changed(quotes=-len(batch))
        first = 0
        while first < len(batch):
            part = batch[first : first + self._at_once]
            first += len(part)
            self._statistics.quotes_stored += (await self._patiently(part)).inserted

    async def _patiently(self, batch: TickBatch | QuoteBatch) -> Appended:
        """Store a batch, however long the database is away."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            began = self._clock.monotonic()
            try:
                stored = await self._store(batch)
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                # a full disk, a deadlock: what was refused for its own sake is not among them
                if not self._statistics.is_database_away:
                    log.warning("prints_wait_for_the_database", error=str(error))
                self._statistics.is_database_away = True
                # whether the last write was done nobody knows
                for table in self._tables:
                    table.forget()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            self._statistics.is_database_away = False
            now = self._clock.monotonic()
            self._statistics.wrote(len(batch), now - began, now)
            self._learn(len(batch), now - began)
            self._statistics.unchanged += stored.unchanged
            self._statistics.differing += stored.differing
            return stored

    def _learn(self, rows: int, seconds: float) -> None:
        """Write more at once where that is quick, and less where it is not."""
        if rows >= SMALLEST_WRITE:
            fitting = int(rows * WRITE_SECONDS / max(seconds, 1e-4))
            step = min(max(fitting, self._at_once // 2), self._at_once * 2)
            self._at_once = min(max(step, SMALLEST_WRITE), LARGEST_WRITE)

    async def _store(self, batch: TickBatch | QuoteBatch) -> Appended:
        """Store a batch; rows that the table itself refuses are left out alone, and counted."""
        ticks, quotes = self._tables
        try:
            if isinstance(batch, TickBatch):
                return await ticks.store(batch, self._source)
            return await quotes.store(batch, self._source)
        except _REFUSED as error:
            if len(batch) == 1:
                log.error("print_refused_by_the_table", error=str(error), row=str(batch.rows[0]))
                self._statistics.refused += 1
                self._statistics.refused_not_kept += 1
                self._statistics.quarantined["table"] += 1
                return Appended()
            half = len(batch) // 2
            return await self._store(batch[:half]) + await self._store(batch[half:])
