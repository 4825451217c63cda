"""The way in for prints and quotes, live or fetched: checked, stored, and folded into bars."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock, system, to_ns
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.market import Timeframe
from app.ingest.refusals import Refusals
from app.ingest.tick_statistics import TickStatistics
from app.ingest.tick_writer import TickWriter
from app.marketdata.batch import BAR, BarBatch, QuoteBatch, TickBatch, to_datetime
from app.marketdata.calendar import TradingCalendar
from app.marketdata.numbering import Numbering
from app.marketdata.tick_bars import LateBar, TickBars, bars_of
from app.marketdata.tick_memory import Groups, Memory
from app.marketdata.tick_validation import TickRules, validate_quotes, validate_ticks
from app.marketdata.top_of_book import LastOfSecond, TopOfBook
from app.repositories.journal import LOST_CONNECTION
from app.repositories.quotes import Quotes
from app.repositories.ticks import Ticks

_SECOND_NS: Final = 1_000_000_000
_REFUSALS_PAUSE_SECONDS: Final = 1.0
_LOOKED_AT: Final = 5_000
"Stored prints of a symbol that may come again after a restart."
_UNKNOWN_FOR_SECONDS: Final = 30.0
"How long a symbol that nobody knew is taken to be unknown still."

log = get_logger("trading")


class TickSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is made of prints and quotes, and how much may wait."""

    timeframes: tuple[Timeframe, ...] = (Timeframe.M1,)
    "Bars made of prints: 1s, 1m, both or none."
    grace: timedelta = timedelta(seconds=2)
    "How long after its end a bar waits for late prints."
    store_ticks: bool = True
    quotes: Literal["second", "all", "none"] = "second"
    "Which quotes are stored: the last of each second, all, or none. All are shown."
    rules: TickRules = TickRules()
    most_ticks: int = 500_000
    "Prints that may wait for the database; then whoever brings more has to wait."
    most_quotes: int = 200_000
    "Quotes that may wait; then the oldest are dropped."
    quarantine_a_minute: int = 600
    "Refused rows kept a minute; those beyond are counted."
    close_timeout: timedelta = timedelta(seconds=10)
    "How long closing waits for the database."


@dataclass(frozen=True, slots=True)
class LastPrice:
    """The newest print of a symbol that counts."""

    price: float
    size: float
    at: int


@dataclass(frozen=True, slots=True)
class LastQuote:
    """The newest top of book of a symbol; a side that is absent is NaN with size 0."""

    symbol: str
    at: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of what was brought. The bars are not stored here."""

    bars: list[BarBatch] = field(default_factory=list)
    "Bars that are over, by end and symbol within a timeframe."
    prices: dict[str, LastPrice] = field(default_factory=dict)
    quotes: list[LastQuote] = field(default_factory=list)
    late: list[LateBar] = field(default_factory=list)
    "Prints for bars that were over: a correction may be due."
    good: TickBatch | QuoteBatch | None = None
    "The rows that are believed, quotes folded into tops of book: what may be published."


class TickIngest:
    """One source of prints and quotes for one data set.

    Calls of `take` must follow each other. Bars of a minute in which a connection broke are made of
    what came: who knows of the break replaces them.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        dataset: str,
        calendar: TradingCalendar,
        *,
        source: str,
        settings: TickSettings | None = None,
        clock: Clock = system,
    ) -> None:
        """`clock`: durations, and the beginning; the wall clock of rules comes with each batch."""
        self.settings = settings = settings or TickSettings()
        self.statistics = TickStatistics()
        self._source = source
        self._calendar = calendar
        self._clock = clock
        self._began = to_ns(clock.now())
        self._ticks, quotes = Ticks(pool, dataset), Quotes(pool, dataset)
        self._memory, self._quote_memory = Memory(), Memory(sides=2)
        self._numbering, self._quote_numbering = Numbering(), Numbering()
        grace = round(settings.grace.total_seconds() * _SECOND_NS)
        self._makers = [TickBars(one, calendar, grace) for one in settings.timeframes]
        self._book = TopOfBook()
        self._seconds = LastOfSecond()
        self._known: set[str] = set()
        self._unknown: dict[str, float] = {}
        self._writer = TickWriter(
            self._ticks, quotes, source, self.statistics, clock,
            most_ticks=settings.most_ticks, most_quotes=settings.most_quotes,
        )  # fmt: skip
        self._refusals = Refusals(
            pool, dataset, source, settings.quarantine_a_minute, clock, self.statistics
        )
        self._refusing: asyncio.Task[None] | None = None

    async def take(self, item: TickBatch | QuoteBatch, now: int | None = None) -> Taken:
        """Check, queue for storing, fold. Waits only while too many prints wait for the database.

        `now` is the wall clock (ns); None for what is fetched or replayed: no rule asks the clock.
        """
        known = await self._acquainted(item.symbols)
        if isinstance(item, TickBatch):
            return await self._take_ticks(item, now, known)
        return self._take_quotes(item, now, known)

    def advance(self, now: int) -> Taken:
        """Bars that are over because time has passed, for heartbeats and quiet markets."""
        for batch in self._seconds.flush(now):
            self._writer.put_quotes(batch)
        bars = [bar for maker in self._makers for bar in maker.advance(now)]
        return Taken(bars=bars)

    def resumed(self) -> None:
        """A new connection begins: what was seen may come again, and is left out then."""
        self._memory.resumed()
        self._quote_memory.resumed()

    async def stored_bar(self, symbol: str, start: int, end: int) -> BarBatch:
        """The minute [start, end) (ns) as the stored prints of this source alone make it."""
        found = await self._ticks.ticks(symbol, to_datetime(start), to_datetime(end), self._source)
        made = bars_of(found, Timeframe.M1, self._calendar)
        return made[0] if made else BarBatch(symbol, Timeframe.M1, np.empty(0, dtype=BAR))

    async def drain(self) -> None:
        """Return once everything that was queued is durable."""
        await self._writer.drain()
        await self._refusals.flush()

    async def close(self) -> None:
        """Store what is left, then stop. What a database that is away does not take is lost."""
        for batch in self._seconds.flush(2**62):
            self._writer.put_quotes(batch)
        timeout = self.settings.close_timeout.total_seconds()
        try:
            with suppress(*LOST_CONNECTION):  # a time-out among them
                await asyncio.wait_for(self.drain(), timeout)
        finally:
            lost = self.statistics.ticks_waiting
            await end([self._refusing])
            await self._writer.stop()
            if lost:
                log.error("prints_lost", rows=lost, seconds=timeout)

    # ------------------------------------------------------------------------- prints

    async def _take_ticks(self, batch: TickBatch, now: int | None, known: Sequence[bool]) -> Taken:
        verdict = validate_ticks(
            batch, self._calendar, self._memory, self.settings.rules, now=now, known=known
        )
        if len(verdict.bad) or verdict.repeated:
            self._refuse()
            self._refusals.add(verdict)
        good = self._numbering.number(verdict.good)
        if not len(good):
            return self.advance(now) if now is not None else Taken(good=good)
        self.statistics.ticks += len(good)
        self.statistics.newest_tick = to_datetime(int(good.rows["at"].max()))
        bars = [bar for maker in self._makers for bar in maker.add(good)]
        if now is not None:
            bars += [bar for maker in self._makers for bar in maker.advance(now)]
        if self.settings.store_ticks:
            await self._writer.put_ticks(good)
        late = [one for maker in self._makers for one in maker.take_late()]
        self.statistics.late += sum(one.prints for one in late)
        return Taken(bars, last_prices(good), late=late, good=good)

    # ------------------------------------------------------------------------- quotes

    def _take_quotes(self, batch: QuoteBatch, now: int | None, known: Sequence[bool]) -> Taken:
        verdict = validate_quotes(
            batch, self._calendar, self._quote_memory, self.settings.rules, now=now, known=known
        )
        if len(verdict.bad) or verdict.repeated:
            self._refuse()
            self._refusals.add(verdict)
        good = self._book.fold(self._quote_numbering.number(verdict.good))
        if not len(good):
            return Taken(good=good)
        statistics = self.statistics
        statistics.quotes += len(good)
        statistics.newest_quote = to_datetime(int(good.rows["at"].max()))
        self._keep(good)
        return Taken(quotes=last_quotes(good), good=good)

    def _keep(self, good: QuoteBatch) -> None:
        whole = ~(np.isnan(good.rows["bid"]) | np.isnan(good.rows["ask"]))
        storable = good if whole.all() else good[whole]
        self.statistics.quotes_one_sided += len(good) - len(storable)
        if self.settings.quotes == "all":
            self._writer.put_quotes(storable)
        elif self.settings.quotes == "second":
            kept = self._seconds.add(storable)
            self.statistics.quotes_passed_over += len(storable) - len(kept)
            self._writer.put_quotes(kept)

    # ------------------------------------------------------------------------- symbols

    async def _acquainted(self, symbols: Sequence[str]) -> list[bool]:
        """Which symbols exist; what is stored of those that are new is looked up first."""
        now = self._clock.monotonic()
        fresh = [
            symbol
            for symbol in symbols
            if symbol not in self._known and self._unknown.get(symbol, now) <= now
        ]
        if fresh:
            ids = await self._ticks.ids(tuple(fresh))
            for symbol, found in zip(fresh, ids, strict=True):
                if found is None:
                    self._unknown[symbol] = now + _UNKNOWN_FOR_SECONDS
                else:
                    await self._remember(symbol)
                    self._known.add(symbol)
        return [symbol in self._known for symbol in symbols]

    async def _remember(self, symbol: str) -> None:
        rows = await self._ticks.newest(symbol, _LOOKED_AT)
        # Newer ones are another's, at work on the same data set: ours still belong into our bars.
        rows = rows[rows["at"] < self._began]
        if len(rows):
            self._memory.prime(symbol, rows)
            self._numbering.prime(symbol, int(rows["at"][-1]), int(rows["sequence"][-1]))

    # ------------------------------------------------------------------------- refusals

    def _refuse(self) -> None:
        if self._refusing is None:
            self._refusing = asyncio.create_task(self._keep_refusals(), name="quarantine prints")

    async def _keep_refusals(self) -> None:
        """Write them now and then, beside the good ones and never before them."""
        while True:
            await self._refusals.has_some.wait()
            await asyncio.sleep(_REFUSALS_PAUSE_SECONDS)
            try:
                await self._refusals.flush()
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                log.warning("quarantine_waits_for_the_database", error=str(error))


def last_prices(batch: TickBatch) -> dict[str, LastPrice]:
    """The newest price of each symbol that has one."""
    rows = batch.rows
    has_price = [label.counts and not label.volume_only for label in batch.labels]
    chosen = None
    if not all(has_price):
        chosen = np.flatnonzero(np.array(has_price)[rows["label"]])
    groups = Groups.of(rows["symbol"].astype(np.intp), chosen)
    if not len(groups.order):
        return {}
    newest = groups.order[groups.first + groups.lengths - 1]
    columns = (rows[name][newest].tolist() for name in ("price", "size", "at"))
    names = (batch.symbols[i] for i in groups.numbers.tolist())
    return {
        name: LastPrice(price, size, at)
        for name, price, size, at in zip(names, *columns, strict=True)
    }


def last_quotes(batch: QuoteBatch) -> list[LastQuote]:
    """The newest top of book of each symbol."""
    groups = Groups.of(batch.rows["symbol"].astype(np.intp))
    if not len(groups.order):
        return []
    newest = batch.rows[groups.order[groups.first + groups.lengths - 1]]
    names = ("at", "bid", "bid_size", "ask", "ask_size")
    columns = (newest[name].tolist() for name in names)
    symbols = (batch.symbols[i] for i in groups.numbers.tolist())
    return [LastQuote(*values) for values in zip(symbols, *columns, strict=True)]
