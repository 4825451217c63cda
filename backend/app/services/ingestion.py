"""A provider's stream made into what the engine may see: checked, stored, told, then handed on."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock, system
from app.core.logging import get_logger
from app.core.retry import DATABASE_RETRY_CONFIG, RetryConfig, retried
from app.domain.events import BarsCorrected, SessionOpened
from app.domain.market import DURATIONS, SliceOpened, Timeframe
from app.ingest.read_ahead import read_ahead
from app.ingest.sequence import SourcedBars
from app.ingest.splits import Splits
from app.marketdata.aggregation import Aggregator
from app.marketdata.batch import BarBatch, Floats, concatenate, to_datetime, to_ns
from app.marketdata.calendar import TradingCalendar
from app.marketdata.ports import BarStream, PricePublisher
from app.marketdata.slices import Moment, Slicer
from app.marketdata.validation import LARGEST_JUMP, NEIGHBOURS, Verdict, validate
from app.repositories import quarantine
from app.repositories.quarantine import Refused
from app.repositories.stock_data import Policy, StockData

FRESH: Final = timedelta(seconds=60)
"Slices that come later than this, or than one bar, after their end only warm up."
_WRITES: Final = 200
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

_SPLITS_EVERY: Final = timedelta(minutes=10)
Untold = Callable[[], Awaitable[list[BarsCorrected]]]
"Corrections of stored bars that the engine does not know of yet."
log = get_logger("trading")


class Statistics(msgspec.Struct):
    """What passed since the start."""

    bars: int = 0
    stored: int = 0
    quarantined: int = 0
    repeated: int = 0
    late: int = 0
    "Bars older than one of their series that came before: stored, never traded."
    corrected: int = 0
    newest_end: datetime | None = None
    waiting: int = 0
    "Items of the provider in the round that is being stored."
    write_ms: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=_WRITES))
    "How long the last writes of bars took."


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
        fresh: timedelta = FRESH,
        untold: Untold | None = None,
    ) -> None:
        """`clock` is for live data sets only, whose bars may come late, twice, or from the future.

        There, slices that come later than `fresh` after their end only warm up, and `untold` is
        asked for corrections before each session.
        """
        self.statistics = Statistics()
        self._provider = provider
        self._bars = bars
        self._pool = pool
        self._calendar = calendar
        self._publisher = publisher
        self._clock = clock
        self._fresh = fresh
        self._untold = untold
        self._splits = Splits(pool, bars.dataset, calendar)
        self._splits_at: datetime | None = None
        self._closes: dict[str, Floats] = {}
        "In the newest shares, as `_last` is."
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
        await self._splits.load(wanted)
        if after is not None:
            await self._resume(slicer, wanted, base, after)
            for moment in slicer.flush(after):
                yield moment
        async with read_ahead(self._provider.stream(wanted, base, after), _AHEAD) as rounds:
            async for items in rounds:
                self.statistics.waiting = len(items)
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
            factors = self._splits.factors(symbol, last.start)
            closes: Floats = last.rows["close"]
            self._closes[symbol] = closes if factors is None else closes * factors
            if len(last):
                self._last[symbol] = float(self._closes[symbol][-1])
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
        await self._look_for_splits(items)
        items, late = self._without_late(items)
        good = [await self._checked(batch) for batch in self._together(items)]
        kept = {batch.symbol: batch for batch in good if len(batch)}
        days = [day for batch in kept.values() for day in self._made_days(batch)]
        await self._store([*_by_giver(items, kept), *days])
        moments = [moment for one in late for moment in await self._revise(slicer, one)]
        if self._clock is not None:
            slicer.warm_up(self._clock.now() - max(self._fresh, DURATIONS[base]))
        for item in items:
            if isinstance(item, BarBatch):
                moments += slicer.push(self._only(item, kept.get(item.symbol)))
            else:
                moments += slicer.push(self._believable(item, base))
        return await self._with_corrections(moments)

    async def _look_for_splits(self, items: Sequence[SliceOpened | BarBatch]) -> None:
        """Live, a split may be told while the feed runs."""
        now = None if self._clock is None else self._clock.now()
        if now is None or (self._splits_at and now - self._splits_at < _SPLITS_EVERY):
            return
        self._splits_at = now
        symbols = {*self._last, *(one.symbol for one in items if isinstance(one, BarBatch))}
        told = await retried(lambda: self._splits.load(symbols), _RETRY)
        for symbol, factor in told.items():
            if symbol in self._closes:
                self._closes[symbol] = self._closes[symbol] * factor
            if symbol in self._last:
                self._last[symbol] *= factor

    def _only(self, item: BarBatch, kept: BarBatch | None) -> BarBatch:
        """The rows of one item that passed the check of its round."""
        passed = item[slice(0, 0)] if kept is None else item[np.isin(item.start, kept.start)]
        if len(passed):
            factor = self._splits.factor(item.symbol, int(passed.start[-1]))
            self._last[item.symbol] = float(passed.rows["close"][-1]) * factor
        return passed

    def _believable(self, item: SliceOpened, base: Timeframe) -> SliceOpened:
        """First prints without those that are far from the last close: orders would meet them."""
        limit, at = LARGEST_JUMP[base], to_ns(item.at)
        compared = {s: price * self._splits.factor(s, at) for s, price in item.opens.items()}
        believed = {
            symbol: item.opens[symbol]
            for symbol, price in compared.items()
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
        return [_joined(parts) for parts in by_symbol.values()]

    async def _checked(self, batch: BarBatch) -> BarBatch:
        symbol = batch.symbol
        verdict = validate(
            batch,
            self._calendar,
            now=self._now(),
            before=self._closes.get(symbol),
            newest=self._newest.get(symbol),
            in_order=True,
            factors=self._splits.factors(symbol, batch.start),
        )
        self._closes[symbol], self._newest[symbol] = verdict.closes, verdict.newest
        self._count(batch, verdict)
        if len(verdict.bad):
            await self._refuse(verdict)
        return _like(batch, verdict.good)

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
        by_source: dict[str, list[BarBatch]] = {}
        for batch in batches:
            by_source.setdefault(self._source(batch), []).append(batch)
        for source, group in by_source.items():
            began = system.monotonic()
            stored = await retried(partial(self._bars.store, group, source), _RETRY)
            self.statistics.write_ms.append((system.monotonic() - began) * 1_000)
            self.statistics.stored += stored.inserted
        if self._publisher is not None:
            self._publisher.offer(self._bars.dataset, batches)

    def _source(self, batch: BarBatch) -> str:
        """Who gave it: a chain of providers says so with each batch."""
        return batch.source if isinstance(batch, SourcedBars) else self._provider.name

    # ------------------------------------------------------------- late bars and corrections

    def _without_late(
        self, items: Sequence[SliceOpened | BarBatch]
    ) -> tuple[list[SliceOpened | BarBatch], list[BarBatch]]:
        """What goes on in time, and what is older than bars of its series that were handled."""
        if self._clock is None:
            return list(items), []
        on_time: list[SliceOpened | BarBatch] = []
        late: list[BarBatch] = []
        newest = dict(self._newest)
        for item in items:
            if isinstance(item, SliceOpened):
                on_time.append(item)
                continue
            known = newest.get(item.symbol)
            is_late = np.zeros(len(item), np.bool_) if known is None else item.start <= known
            for part, rows in ((on_time, ~is_late), (late, is_late)):
                if rows.any():
                    part.append(_like(item, item[rows]))
            if len(item):
                newest[item.symbol] = max(known or 0, int(item.start.max()))
        return on_time, late

    async def _revise(self, slicer: Slicer, batch: BarBatch) -> list[Moment]:
        """Store a bar that came too late, or again with other values; it is never traded."""
        verdict = validate(
            batch,
            self._calendar,
            now=self._now(),
            before=self._closes.get(batch.symbol),
            factors=self._splits.factors(batch.symbol, batch.start),
        )
        self._count(batch, verdict)
        if len(verdict.bad):
            await self._refuse(verdict)
        good, source = verdict.good, self._source(batch)
        if not len(good):
            return []
        stored = await retried(partial(self._bars.store, [good], source, Policy.CORRECT), _RETRY)
        self.statistics.stored += stored.inserted
        self.statistics.corrected += stored.corrected
        if stored.corrected:
            log.info("bars_corrected", symbol=batch.symbol, bars=stored.corrected, source=source)
        if self._publisher is not None and stored.corrected + stored.inserted:
            self._publisher.offer(self._bars.dataset, [good])
        if not stored.inserted:
            return []
        self.statistics.late += stored.inserted
        return slicer.push(good)

    async def _with_corrections(self, moments: list[Moment]) -> list[Moment]:
        """Corrections go in before the first slice of the next session."""
        at = next((i for i, m in enumerate(moments) if isinstance(m, SessionOpened)), None)
        if at is None or self._untold is None:
            return moments
        first = moments[at]
        assert isinstance(first, SessionOpened)
        told = [
            msgspec.structs.replace(one, at=first.at) for one in await retried(self._untold, _RETRY)
        ]
        return [*moments[:at], *told, *moments[at:]]

    def _now(self) -> int | None:
        return to_ns(self._clock.now()) if self._clock else None

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
        return [_like(batch, BarBatch.from_bars([bar])) for bar in made if bar is not None]

    def _count(self, batch: BarBatch, verdict: Verdict) -> None:
        known = self.statistics
        known.bars += len(batch)
        known.quarantined += len(verdict.bad)
        known.repeated += verdict.repeated
        if len(verdict.good):
            newest = to_datetime(int(verdict.good.end.max()))
            known.newest_end = max(known.newest_end or newest, newest)


def _like(whole: BarBatch, rows: BarBatch) -> BarBatch:
    """`rows` with the source of `whole`, if that knows it."""
    if isinstance(whole, SourcedBars):
        return SourcedBars(rows.symbol, rows.timeframe, rows.rows, whole.source)
    return rows


def _by_giver(
    items: Sequence[SliceOpened | BarBatch], kept: Mapping[str, BarBatch]
) -> list[BarBatch]:
    """What was kept of a round, apart again where a symbol's bars came from several providers."""
    givers: dict[str, dict[str, list[SourcedBars]]] = {}
    for item in items:
        if isinstance(item, SourcedBars):
            givers.setdefault(item.symbol, {}).setdefault(item.source, []).append(item)
    found: list[BarBatch] = []
    for symbol, batch in kept.items():
        if len(givers.get(symbol, {})) < 2:
            found.append(batch)
            continue
        for parts in givers[symbol].values():
            starts = np.concatenate([part.start for part in parts])
            found.append(_like(parts[0], batch[np.isin(batch.start, starts)]))
    return found


def _joined(parts: Sequence[BarBatch]) -> BarBatch:
    """One batch, with the source of its first part."""
    return parts[0] if len(parts) == 1 else _like(parts[0], concatenate(parts))
