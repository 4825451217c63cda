"""Live option quotes on their way to the table: a queue that never makes the reader wait."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.logging import get_logger
from app.core.tasks import end
from app.ingest.options import OptionCounts, OptionIngest
from app.marketdata.batch import QUOTE, QuoteBatch, Rows
from app.repositories.journal import LOST_CONNECTION

MOST: Final = 50_000
"Quotes that may wait."
IDLE_SECONDS: Final = 1.0
"Without a quote for so long the second under way is stored too."
_AGAIN_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 10.0
log = get_logger("trading")


class OptionFigures(msgspec.Struct):
    """What passed, since the start."""

    quotes: int = 0
    shed: int = 0
    "Dropped because the writer could not keep up: older quotes of a contract first."
    refused: int = 0
    folded: int = 0
    stored: int = 0
    valued: int = 0
    is_database_away: bool = False


class OptionQueue:
    """One provider's quotes. What is too much is shed here, and nowhere else."""

    def __init__(
        self, ingest: OptionIngest, *, most: int = MOST, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self.ingest = ingest
        self.figures = OptionFigures()
        self.waiting = 0
        self._most = most
        self._idle = idle_seconds
        self._batches: list[QuoteBatch] = []
        self._come = asyncio.Event()

    def put(self, batch: QuoteBatch) -> None:
        """Take over quotes of options, at once."""
        if not len(batch):
            return
        self.figures.quotes += len(batch)
        self._batches.append(batch)
        self.waiting += len(batch)
        if self.waiting > self._most:
            self._shed()
        self._come.set()

    async def run(self) -> None:
        """Bring what waits to the table, for ever."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._come.wait(), self._idle)
            try:
                await self._step()
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                if not self.figures.is_database_away:
                    log.warning("option_quotes_wait", error=str(error))
                self.figures.is_database_away = True
                await asyncio.sleep(_AGAIN_SECONDS)

    async def close(self) -> None:
        """Store what waits; where the database stays away, say how much is lost."""
        writing = asyncio.create_task(self._last())
        try:
            done, _ = await asyncio.wait([writing], timeout=_CLOSE_SECONDS)
            if not done:
                rows = self.waiting + self.ingest.waiting
                log.error("option_quotes_lost", rows=rows, error="the database is away")
        finally:
            await end([writing])

    # -------------------------------------------------------------------------- helpers

    async def _step(self) -> None:
        """Judge and store what waits; without news, the second under way too."""
        is_quiet = not self._come.is_set()
        self._come.clear()
        batch = self._taken()
        counts = await (self.ingest.flush() if is_quiet else self.ingest.take(batch))
        self.figures.is_database_away = False
        self._count(counts)

    async def _last(self) -> None:
        while True:
            try:
                if self.waiting:
                    self._count(await self.ingest.take(self._taken()))
                self._count(await self.ingest.flush())
                return
            except (*LOST_CONNECTION, asyncpg.PostgresError):
                await asyncio.sleep(_AGAIN_SECONDS)

    def _count(self, counts: OptionCounts) -> None:
        for name in ("refused", "folded", "stored", "valued"):
            setattr(self.figures, name, getattr(self.figures, name) + getattr(counts, name))

    def _taken(self) -> QuoteBatch:
        batch = merged(self._batches)
        self._batches, self.waiting = [], 0
        return batch

    def _shed(self) -> None:
        """Keep the last quote of each contract; of contracts beyond half the room, the newest."""
        batch = merged(self._batches)
        rows = last_of_each(batch.rows)
        rows = rows[max(len(rows) - self._most // 2, 0) :]
        self.figures.shed += len(batch) - len(rows)
        self._batches, self.waiting = [QuoteBatch(batch.symbols, rows)], len(rows)


def merged(batches: Sequence[QuoteBatch]) -> QuoteBatch:
    """One batch of the rows of all, in their order."""
    if len(batches) == 1:
        return batches[0]
    places: dict[str, int] = {}
    parts = [np.empty(0, dtype=QUOTE)]
    symbols: tuple[str, ...] | None = None
    for batch in batches:
        if batch.symbols is not symbols:  # a connection names its symbols again and again
            symbols = batch.symbols
            taken = [places.setdefault(symbol, len(places)) for symbol in symbols]
            numbers = np.array(taken, dtype=np.int32)
        rows = batch.rows.copy()
        rows["symbol"] = numbers[rows["symbol"]]
        parts.append(rows)
    return QuoteBatch(tuple(places), np.concatenate(parts))


def last_of_each(rows: Rows) -> Rows:
    """The row of each symbol that came last, in the order in which they came."""
    _, places = np.unique(rows["symbol"][::-1], return_index=True)
    chosen: Rows = rows[np.sort(len(rows) - 1 - places)]
    return chosen
