"""A provider's stream made into what the engine may see: checked, stored, told, then handed on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date, datetime
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock
from app.core.logging import get_logger
from app.core.retry import DATABASE_RETRY_CONFIG, RetryConfig, retried
from app.core.tasks import end
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.aggregation import Aggregator
from app.marketdata.batch import BarBatch, Floats, concatenate, to_datetime, to_ns
from app.marketdata.calendar import TradingCalendar
from app.marketdata.ports import BarStream, Feed, PricePublisher
from app.marketdata.slices import Moment, Slicer
from app.marketdata.validation import LARGEST_JUMP, NEIGHBOURS, Verdict, validate
from app.repositories import quarantine
from app.repositories.quarantine import Refused
from app.repositories.stock_data import StockData

_AHEAD: Final = 256
"Items taken from a provider before they are stored; then it has to wait."

_LOST_DATABASE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
_RETRY: Final = RetryConfig(
    attempts=DATABASE_RETRY_CONFIG.attempts,
    timeout_seconds=DATABASE_RETRY_CONFIG.timeout_seconds,
    first_wait_seconds=DATABASE_RETRY_CONFIG.first_wait_seconds,
    longest_wait_seconds=DATABASE_RETRY_CONFIG.longest_wait_seconds,
    on=_LOST_DATABASE,
)

log = get_logger("trading")


class Statistics(msgspec.Struct):
    """What passed since the start."""

    bars: int = 0
    stored: int = 0
    quarantined: int = 0
    repeated: int = 0
    newest_end: datetime | None = None


class Ingestion:
    """One provider feeding one data set. Bars are durable before anybody sees their slice."""

    def __init__(
        self,
        provider: BarStream,
        bars: StockData,
        pool: asyncpg.Pool,
        calendar: TradingCalendar,
        *,
        publisher: PricePublisher | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`clock` switches the rule about bars from the future on: for live data sets only."""
        self.statistics = Statistics()
        self._provider = provider
        self._bars = bars
        self._pool = pool
        self._calendar = calendar
        self._publisher = publisher
        self._clock = clock
        self._closes: dict[str, Floats] = {}
        self._newest: dict[str, int | None] = {}
        self._last: dict[str, float] = {}
        self._days: dict[str, Aggregator] = {}

    async def feed(
        self,
        symbols: Iterable[str],
        base: Timeframe,
        timeframes: Iterable[Timeframe] = (),
        *,
        after: datetime | None = None,
        open_session: date | None = None,
        extended_hours: bool = False,
    ) -> AsyncGenerator[Moment]:
        """Moments in the order of time, for the engine and the paper broker.

        `base` bars are what the provider streams; longer `timeframes` are made from them. Resume
        with `after`, the end of the last slice that was handled, and with the session that was open
        then. Ends when the provider ends. Raises what the provider or the database raises.
        """
        wanted = sorted(set(symbols))
        slicer = Slicer(
            wanted,
            base,
            self._calendar,
            timeframes=timeframes,
            extended_hours=extended_hours,
            after=after,
            open_session=open_session,
        )
        self._begin(wanted, base)
        if after is not None:
            await self._resume(slicer, wanted, base, after)
            for moment in slicer.flush(after):
                yield moment
        async with _read_ahead(self._provider.stream(wanted, base, after)) as rounds:
            async for items in rounds:
                for moment in await self._pass_on(slicer, items, base):
                    yield moment
        if self.statistics.newest_end is not None:
            for moment in slicer.flush(self.statistics.newest_end):
                yield moment

    # -------------------------------------------------------------------------- resuming

    def _begin(self, symbols: Sequence[str], base: Timeframe) -> None:
        self._closes, self._newest, self._last = {}, {}, {}
        self._days = (
            {}
            if base is Timeframe.D1
            else {s: Aggregator(s, Timeframe.D1, self._calendar) for s in symbols}
        )

    async def _resume(
        self, slicer: Slicer, symbols: Sequence[str], base: Timeframe, after: datetime
    ) -> None:
        """What was known: the last closes, and the session's bars for longer ones in the making."""
        session = self._calendar.session_at(to_ns(after) - 1)
        for symbol in symbols:
            last = await self._bars.bars(symbol, base, end=after, limit=NEIGHBOURS)
            self._closes[symbol] = last.rows["close"]
            if len(last):
                self._last[symbol] = float(last.rows["close"][-1])
            if session is not None:
                start = to_datetime(session.day_start)
                earlier = await self._bars.bars(symbol, base, start, after)
                slicer.prime([earlier])
                self._made_days(earlier)

    # -------------------------------------------------------------------------- a round

    async def _pass_on(
        self, slicer: Slicer, items: Sequence[SliceOpened | BarBatch], base: Timeframe
    ) -> list[Moment]:
        """Check, store and tell what came; only then it may become moments."""
        good = [await self._checked(item) for item in self._together(items)]
        kept = {batch.symbol: batch for batch in good if len(batch)}
        days = [day for batch in kept.values() for day in self._made_days(batch)]
        await self._store([*kept.values(), *days])
        moments: list[Moment] = []
        for item in items:
            if isinstance(item, BarBatch):
                moments += slicer.push(self._only(item, kept.get(item.symbol)))
            else:
                moments += slicer.push(self._believable(item, base))
        return moments

    def _only(self, item: BarBatch, kept: BarBatch | None) -> BarBatch:
        """The rows of one item that passed the check of its round."""
        passed = item[slice(0, 0)] if kept is None else item[np.isin(item.start, kept.start)]
        if len(passed):
            self._last[item.symbol] = float(passed.rows["close"][-1])
        return passed

    def _believable(self, item: SliceOpened, base: Timeframe) -> SliceOpened:
        """First prints without those that are far from the last close: orders would meet them."""
        limit = LARGEST_JUMP[base]
        believed = {
            symbol: price
            for symbol, price in item.opens.items()
            if 0 < price < np.inf and 1 / limit <= price / self._last.get(symbol, price) <= limit
        }
        return SliceOpened(item.at, item.session, believed)

    @staticmethod
    def _together(items: Sequence[SliceOpened | BarBatch]) -> list[BarBatch]:
        """The bars of a round, one batch a symbol."""
        by_symbol: dict[str, list[BarBatch]] = {}
        for item in items:
            if isinstance(item, BarBatch) and len(item):
                by_symbol.setdefault(item.symbol, []).append(item)
        return [concatenate(parts) for parts in by_symbol.values()]

    async def _checked(self, batch: BarBatch) -> BarBatch:
        symbol = batch.symbol
        verdict = validate(
            batch,
            self._calendar,
            now=to_ns(self._clock.now()) if self._clock else None,
            before=self._closes.get(symbol),
            newest=self._newest.get(symbol),
            in_order=True,
        )
        self._closes[symbol], self._newest[symbol] = verdict.closes, verdict.newest
        self._count(batch, verdict)
        if len(verdict.bad):
            await self._refuse(verdict)
        return verdict.good

    async def _refuse(self, verdict: Verdict) -> None:
        rows = zip(verdict.bad.rows.tolist(), verdict.reasons(), strict=True)
        names = verdict.bad.rows.dtype.names or ()
        refused = [
            Refused(
                symbol=verdict.bad.symbol,
                timeframe=verdict.bad.timeframe,
                at=to_datetime(row[0]),
                reason=",".join(reasons),
                record={name: str(value) for name, value in zip(names, row, strict=True)},
            )
            for row, reasons in rows
        ]
        log.warning("bars_quarantined", symbol=verdict.bad.symbol, reasons=verdict.counts())
        dataset, source = self._bars.dataset, self._provider.name
        await retried(lambda: quarantine.add(self._pool, dataset, source, refused), _RETRY)

    async def _store(self, batches: list[BarBatch]) -> None:
        if not batches:
            return
        is_told = self._publisher is not None
        stored = await retried(
            lambda: self._bars.store(batches, self._provider.name, is_told=is_told), _RETRY
        )
        self.statistics.stored += stored.inserted
        if self._publisher is not None:
            self._publisher.offer(self._bars.dataset, batches)

    def _made_days(self, batch: BarBatch) -> list[BarBatch]:
        """Daily bars that are over with the bars of `batch`; they are stored, not traded."""
        maker = self._days.get(batch.symbol)
        if maker is None:
            return []
        made = []
        for row in batch.rows.tolist():
            made.append(maker.take(row[0]))
            maker.add(row)
            made.append(maker.take(row[1]))
        return [BarBatch.from_bars([bar]) for bar in made if bar is not None]

    def _count(self, batch: BarBatch, verdict: Verdict) -> None:
        known = self.statistics
        known.bars += len(batch)
        known.quarantined += len(verdict.bad)
        known.repeated += verdict.repeated
        if len(verdict.good):
            newest = to_datetime(int(verdict.good.end.max()))
            known.newest_end = max(known.newest_end or newest, newest)


@asynccontextmanager
async def _read_ahead(
    feed: Feed,
) -> AsyncIterator[AsyncIterator[list[SliceOpened | BarBatch]]]:
    """Rounds of everything that has come meanwhile: one item when quiet, many when busy."""
    queue: asyncio.Queue[SliceOpened | BarBatch | None] = asyncio.Queue(_AHEAD)

    async def pump() -> None:
        async with aclosing(feed):
            async for item in feed:
                await queue.put(item)
        await queue.put(None)

    async def rounds() -> AsyncIterator[list[SliceOpened | BarBatch]]:
        while True:
            taken = [await _next(queue, task)]
            while not queue.empty():
                taken.append(queue.get_nowait())
            if items := [item for item in taken if item is not None]:
                yield items
            if None in taken:
                return

    task = asyncio.create_task(pump(), name="read ahead")
    try:
        yield rounds()
    finally:
        await end([task])


async def _next(
    queue: "asyncio.Queue[SliceOpened | BarBatch | None]", task: "asyncio.Task[None]"
) -> SliceOpened | BarBatch | None:
    """The next item, or the provider's error."""
    waiting = asyncio.ensure_future(queue.get())
    try:
        await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            task.result()
        return await waiting
    finally:
        waiting.cancel()
