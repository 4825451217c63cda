"""Market data fetched from vendors' histories: what is missing of a period, checked and stored."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock, from_ns, system, to_ns
from app.core.errors import FeedRefused, InvalidInput, NotFound, TradewrightError
from app.domain.market import Timeframe
from app.ingest.history import HistoryStore
from app.ingest.option_chains import fetch_chain
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.batch import Flags, QuoteBatch, TickBatch
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.marketdata.gap_ledger import CLOSED, NO_TRADE
from app.marketdata.ports import (
    ActionSource,
    ChainSource,
    DataProvider,
    ProfileSource,
    TickSource,
)
from app.marketdata.quality import expected_bars
from app.marketdata.validation import explained
from app.repositories import corporate_actions, data_gaps, quotes, stocks, ticks
from app.repositories.stocks import Stock

PIECE: Final = 5_000
"Bars asked for at a time: what is stored by then stays when the next request fails."
_STEP: Final = timedelta(hours=1)
"Prints and quotes asked for at a time."

Progress = Callable[[int, int], None]
"Called with what has been asked for so far (bars, seconds) and how much there is."


class FetchReport(msgspec.Struct, kw_only=True):
    """What became of one symbol."""

    symbol: str
    kind: str
    dataset: str
    timeframe: str | None = None
    wanted: int = 0
    "Bars that the period promises and that were not stored before."
    rows_read: int = 0
    rows_stored: int = 0
    duplicates: int = 0
    rows_quarantined: int = 0
    reasons: dict[str, int] = {}
    missing: int = 0
    "Of the bars wanted, those that no provider gave."
    sources: dict[str, int] = {}
    "Rows stored from each provider."
    is_complete: bool = True
    "False when a provider failed: fetching again goes on where this ended."
    notes: list[str] = []

    def stored(self, source: str, rows: int) -> None:
        self.rows_stored += rows
        if rows:
            self.sources[source] = self.sources.get(source, 0) + rows

    def refused(self, rows: int, reasons: dict[str, int]) -> None:
        self.rows_quarantined += rows
        for reason, count in reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is fetched, into which data set."""

    dataset: str
    start: datetime
    end: datetime
    timeframe: Timeframe = Timeframe.M1
    exchange: str = "XNYS"
    "Of stocks that are not known yet."


# --------------------------------------------------------------------------------------- bars


async def fetch_bars(
    pool: asyncpg.Pool,
    chain: Sequence[DataProvider],
    symbol: str,
    wish: Wish,
    *,
    progress: Progress = lambda done, total: None,
    clock: Clock = system,
) -> FetchReport:
    """Ask the providers, the best first, for the bars of the period that are not stored yet.

    Begins where the stored series ends or has holes; what the ledger of gaps explains is not asked
    for. Each piece is durable before the next is asked for. A provider that fails is said in the
    report, and the next one is asked.
    """
    task = await _Bars.begin(pool, chain, symbol, wish, clock)
    while (piece := task.next_piece()) is not None:
        await task.fetch(piece)
        progress(task.done, task.report.wanted)
    return task.finished()


class _Bars:
    """One series being fetched: the bars of the period, and which of them are missing."""

    def __init__(
        self, pool: asyncpg.Pool, chain: Sequence[DataProvider], symbol: str, wish: Wish,
        stock: Stock | None, clock: Clock,
    ) -> None:  # fmt: skip
        self.report = FetchReport(
            symbol=symbol, kind="bars", dataset=wish.dataset, timeframe=str(wish.timeframe)
        )
        self.done = 0
        self._pool = pool
        self._chain = list(chain)
        self._symbol = symbol
        self._wish = wish
        self._calendar = trading_calendar(stock.exchange if stock else wish.exchange)
        self._store = HistoryStore(pool, wish.dataset, self._calendar, clock)
        self._is_known = stock is not None
        end = min(wish.end, clock.now())
        self._starts, self._ends = expected_bars(
            self._calendar, wish.timeframe, to_ns(wish.start), to_ns(end)
        )
        over = self._ends <= to_ns(end)
        self._starts, self._ends = self._starts[over], self._ends[over]
        self._missing: Flags = np.ones(len(self._starts), dtype=np.bool_)
        self._at = 0

    @classmethod
    async def begin(
        cls,
        pool: asyncpg.Pool,
        chain: Sequence[DataProvider],
        symbol: str,
        wish: Wish,
        clock: Clock,
    ) -> "_Bars":
        """Look at what is stored."""
        if not wish.start < wish.end:
            raise InvalidInput(
                "The end must lie after the start.", field="to", remedy="Swap --from and --to."
            )
        stock = await stocks.find(pool, symbol)
        task = await asyncio.to_thread(cls, pool, chain, symbol, wish, stock, clock)
        if stock is not None:
            await task._look(stock)
        task.report.wanted = int(task._missing.sum())
        return task

    async def _look(self, stock: Stock) -> None:
        wish = self._wish
        for first in range(0, len(self._starts), 50 * PIECE):
            part = self._starts[first : first + 50 * PIECE]
            last = int(self._ends[first : first + len(part)][-1])
            start, end = from_ns(int(part[0])), from_ns(last)
            stored = await self._store.bars.stored(stock.symbol, wish.timeframe, start, end)
            self._missing &= ~np.isin(self._starts, stored.start)
        series = wish.dataset, stock.id, wish.timeframe
        for gap in await data_gaps.of_series(self._pool, series, wish.start, wish.end):
            if gap["state"] in (NO_TRADE, CLOSED):
                closed, opened = to_ns(gap["start"]), to_ns(gap["end"])
                self._missing &= (self._starts < closed) | (self._starts >= opened)

    def next_piece(self) -> slice | None:
        """The next bars to ask for, from a missing one on; None when nothing is left to ask."""
        left = np.flatnonzero(self._missing[self._at :])
        if not len(left) or not self._chain:
            return None
        first = self._at + int(left[0])
        self._at = min(first + PIECE, len(self._starts))
        return slice(first, self._at)

    async def fetch(self, piece: slice) -> None:
        """Ask one provider after the other until no bar of the piece is missing."""
        before = int(self._missing[piece].sum())
        for provider in [*self._chain]:
            if not self._missing[piece].any():
                break
            try:
                await self._ask(provider, piece)
            except (NotFound, FeedRefused) as error:
                self._chain.remove(provider)
                self._note(provider, error)
            except TradewrightError as error:
                self.report.is_complete = False
                self._note(provider, error)
        self.done += before

    async def _ask(self, provider: DataProvider, piece: slice) -> None:
        which = np.flatnonzero(self._missing[piece]) + piece.start
        start, end = from_ns(int(self._starts[which[0]])), from_ns(int(self._ends[which[-1]]))
        batch = await provider.history(self._symbol, self._wish.timeframe, start, end)
        self.report.rows_read += len(batch)
        if not len(batch):
            return
        if not self._is_known:
            await stocks.ensure(self._pool, self._symbol, exchange=self._wish.exchange)
            self._is_known = True
        kept = await self._store.keep(batch, provider.name)
        self.report.stored(provider.name, kept.stored.inserted)
        self.report.duplicates += kept.stored.unchanged
        self.report.refused(kept.refused, kept.reasons)
        self._missing &= ~np.isin(self._starts, kept.good.start)

    def _note(self, provider: DataProvider, error: TradewrightError) -> None:
        note = f"{provider.name}: {error}"
        if note not in self.report.notes:
            self.report.notes.append(note)

    def finished(self) -> FetchReport:
        """The report; a series that every provider of the chain has refused is not complete."""
        self.report.missing = int(self._missing.sum())
        if not self._chain and self.report.missing:
            self.report.is_complete = False
        return self.report


# --------------------------------------------------------------------------- prints and quotes


async def fetch_prints(
    pool: asyncpg.Pool,
    source: TickSource,
    symbol: str,
    kind: str,
    wish: Wish,
    *,
    progress: Progress = lambda done, total: None,
    clock: Clock = system,
) -> FetchReport:
    """Prints (`ticks`) or `quotes` of a period, session by session; again nothing is stored twice.

    Goes on at the newest stored one of the period. Of quotes the last of each second is stored.
    """
    report = FetchReport(symbol=symbol, kind=kind, dataset=wish.dataset)
    known = await stocks.find(pool, symbol)
    calendar = trading_calendar(known.exchange if known else wish.exchange)
    if known is None:
        await stocks.ensure(pool, symbol, exchange=wish.exchange)
    start = await _resumed(pool, symbol, kind, wish)
    settings = TickSettings(timeframes=())
    ingest = TickIngest(pool, wish.dataset, calendar, source=source.name, settings=settings)
    end = min(wish.end, clock.now())
    try:
        for first, until in _hours(calendar, start, end):
            await _pass_on(source, ingest, symbol, kind, (first, until), report)
            done = until - start
            progress(int(done.total_seconds()), int((end - start).total_seconds()))
    except TradewrightError as error:
        report.is_complete = False
        report.notes.append(f"{source.name}: {error}")
    finally:
        await ingest.close()
    counted = ingest.statistics
    report.stored(source.name, counted.ticks_stored + counted.quotes_stored)
    report.duplicates = counted.repeated + counted.unchanged
    report.refused(counted.refused, dict(counted.quarantined))
    return report


async def _pass_on(
    source: TickSource,
    ingest: TickIngest,
    symbol: str,
    kind: str,
    period: tuple[datetime, datetime],
    report: FetchReport,
) -> None:
    asked: AsyncGenerator[Any] = (
        source.ticks(symbol, *period) if kind == "ticks" else source.quotes(symbol, *period)
    )
    async with aclosing(asked) as batches:
        batch: TickBatch | QuoteBatch
        async for batch in batches:
            report.rows_read += len(batch)
            await ingest.take(batch)
            await ingest.drain()  # a page is durable before the next one is asked for


async def _resumed(pool: asyncpg.Pool, symbol: str, kind: str, wish: Wish) -> datetime:
    newest = ticks.newest_within if kind == "ticks" else quotes.newest_within
    return await newest(pool, wish.dataset, symbol, wish.start, wish.end) or wish.start


def _hours(
    calendar: TradingCalendar, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Pieces of the trading days, pre-market and after-hours included."""
    first = calendar.session_at(to_ns(start))
    begin = min(first.open, to_ns(start)) if first else to_ns(start)
    for session in calendar.sessions(begin, to_ns(end)):
        at = max(start, from_ns(session.day_start))
        until = min(end, from_ns(session.day_end))
        while at < until:
            yield at, min(at + _STEP, until)
            at += _STEP


# -------------------------------------------------------------------- chains and corporate actions


async def fetch_options(
    pool: asyncpg.Pool, source: ChainSource, symbol: str, wish: Wish, clock: Clock = system
) -> FetchReport:
    """The option chain on a symbol as the vendor shows it now."""
    await stocks.ensure(pool, symbol, exchange=wish.exchange)
    found = await fetch_chain(source, pool, wish.dataset, symbol, clock=clock)
    report = FetchReport(symbol=symbol, kind="options", dataset=wish.dataset)
    report.stored(source.name, found.rows_stored + found.rows_corrected)
    report.duplicates = found.duplicates
    report.rows_read = found.contracts
    report.refused(found.rows_quarantined, found.reasons)
    return report


async def fetch_actions(
    pool: asyncpg.Pool,
    source: ActionSource,
    symbol: str,
    wish: Wish,
    *,
    audit_key: bytes | None = None,
) -> FetchReport:
    """Splits, dividends and what else the vendor knows of a period, by ex-date."""
    first, last = wish.start.date(), wish.end.date() + timedelta(days=1)
    found = await source.actions(symbol, first, last)
    report = FetchReport(symbol=symbol, kind="actions", dataset=wish.dataset, rows_read=len(found))
    stored = await corporate_actions.store(
        pool, wish.dataset, found, source.name, audit_key=audit_key
    )
    report.stored(source.name, stored.inserted + stored.changed)
    report.duplicates = stored.unchanged
    return report


async def fetch_profile(
    pool: asyncpg.Pool, source: ProfileSource, symbol: str, wish: Wish
) -> FetchReport:
    """Name and sector of a stock, where nobody has said them yet; what differs stays and is noted.

    The listing's exchange is noted only: it decides the calendar of everything that is stored.
    """
    profile = await source.profile(symbol)
    stock = await stocks.ensure(pool, symbol, exchange=wish.exchange)
    filled = await stocks.describe(pool, stock, profile.name, profile.sector)
    report = FetchReport(symbol=symbol, kind="profiles", dataset="stocks", rows_read=1)
    report.stored(source.name, int(filled))
    report.duplicates = int(not filled)
    for what, known, told in (
        ("sector", stock.sector, profile.sector),
        ("exchange", stock.exchange, profile.exchange),
    ):
        if known and told and known != told:
            report.notes.append(f"{what} stays {known}; {source.name} says {told}")
    return report


# ----------------------------------------------------------------------------------------- words


def fetch_lines(reports: Sequence[FetchReport]) -> Iterator[str]:
    """The reports for a person."""
    for report in reports:
        what = f"{report.timeframe} bars" if report.timeframe else report.kind
        yield f"{report.symbol}: {what} into {report.dataset}"
        if report.kind == "bars":
            yield f"  wanted        {report.wanted:>10,}"
        yield f"  rows read     {report.rows_read:>10,}"
        by = ", ".join(f"{name} {rows:,}" for name, rows in report.sources.items())
        yield f"  stored        {report.rows_stored:>10,}" + (f"  ({by})" if by else "")
        yield f"  duplicates    {report.duplicates:>10,}"
        yield f"  quarantined   {report.rows_quarantined:>10,}"
        yield from (f"    {line}" for line in explained(report.reasons))
        if report.missing:
            yield f"  not to be had {report.missing:>10,}"
        yield from (f"  {note}" for note in report.notes)
        if not report.is_complete:
            yield "  Not complete: fetch again to go on."
