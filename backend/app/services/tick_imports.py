"""Files of prints and quotes brought into a data set: judged, stored once, folded into minutes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock, from_ns, system, to_ns
from app.domain.instruments import InstrumentKind
from app.domain.market import Timeframe
from app.marketdata.batch import QuoteBatch, TickBatch, to_datetime
from app.marketdata.calendar import DEFAULT, FX, TradingCalendar, trading_calendar
from app.marketdata.files import CHUNK_ROWS, normal_symbol
from app.marketdata.numbering import Numbering
from app.marketdata.shapes import Hints
from app.marketdata.tick_bars import bars_of
from app.marketdata.tick_files import Kind, TickChunk, TickFile
from app.marketdata.tick_memory import Memory, Positions
from app.marketdata.tick_validation import SORTED, StreamVerdict, validate_quotes, validate_ticks
from app.marketdata.top_of_book import LastOfSecond, TopOfBook
from app.marketdata.validation import Reason, explained
from app.repositories import quarantine, stocks
from app.repositories.appending import Appended
from app.repositories.quarantine import NOT_KEPT, Refused
from app.repositories.quotes import Quotes
from app.repositories.stock_data import Policy, StockData
from app.repositories.ticks import Ticks

MOST_REFUSED: Final = 10_000
"Refused rows of a file that are kept as they stand; those beyond are counted."

Progress = Callable[[int, int], None]
"Called with the rows read so far and about how many there are."


class TickImportReport(msgspec.Struct, kw_only=True):
    """What became of every row of a file."""

    file: str
    dataset: str
    kind: Kind
    symbols: list[str] = []
    rows_read: int = 0
    rows_stored: int = 0
    duplicates: int = 0
    "Rows that were stored already, or that the file had said before."
    differing: int = 0
    "Of those, the rows that said something else than what was stored; what was stored stays."
    passed_over: int = 0
    "Quotes that were not the last of their second."
    one_sided: int = 0
    "Quotes before which the other side was not known, or had been crossed."
    rows_quarantined: int = 0
    reasons: dict[str, int] = {}
    "Quarantined rows by reason; a row with two reasons counts twice."
    unordered: int = 0
    "Rows older than the one before them; they were sorted."
    first_at: str | None = None
    last_at: str | None = None
    bars_stored: int = 0
    "Minutes made of all prints of the days that the file touches."
    bars_corrected: int = 0
    notes: list[str] = []

    @property
    def explained(self) -> list[str]:
        """Each reason with its number and meaning."""
        return explained(self.reasons)


async def import_ticks(
    pool: asyncpg.Pool,
    path: Path,
    kind: Kind,
    *,
    dataset: str,
    hints: Hints | None = None,
    exchange: str | None = None,
    bars: bool = True,
    every_quote: bool = False,
    progress: Progress = lambda done, total: None,
    clock: Clock = system,
    chunk_rows: int = CHUNK_ROWS,
) -> TickImportReport:
    """Import a CSV or Parquet file of prints or quotes. Importing it again changes nothing.

    Minutes are made of the prints unless `bars` is false; of quotes the last of each second is
    stored unless `every_quote`. Raises InvalidInput when it is no such file, or for what `hints`
    must tell. A database that fails in the middle leaves the chunks before; the next import
    completes them.
    """
    hints = hints or Hints()
    calendar = trading_calendar(await _exchange_of(pool, hints.symbol, exchange))
    file = await asyncio.to_thread(TickFile, path, kind, hints)
    task = _Import(pool, file, dataset, calendar, to_ns(clock.now()), every_quote=every_quote)
    chunks = file.chunks(chunk_rows)
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        await task.take(chunk)
        progress(task.report.rows_read, file.rows)
    await task.finish(bars=bars)
    return task.report


async def _exchange_of(pool: asyncpg.Pool, symbol: str | None, given: str | None) -> str:
    if given is not None or symbol is None:
        return given or DEFAULT
    known = await stocks.find(pool, normal_symbol(symbol))
    return known.exchange if known else DEFAULT


class _Import:
    """One import under way."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        file: TickFile,
        dataset: str,
        calendar: TradingCalendar,
        now: int,
        *,
        every_quote: bool,
    ) -> None:
        self.report = TickImportReport(file=file.path.name, dataset=dataset, kind=file.kind)
        self._pool = pool
        self._calendar = calendar
        self._now = now
        self._ticks, self._quotes = Ticks(pool, dataset), Quotes(pool, dataset)
        self._memory = Memory(sides=1 if file.kind is Kind.TICKS else 2)
        self._numbering = Numbering()
        self._book = TopOfBook()
        self._seconds = None if every_quote else LastOfSecond()
        self._reasons: Counter[str] = Counter()
        self._kept = 0
        self._flood: Counter[tuple[str, str]] = Counter()
        self._days: set[tuple[str, int]] = set()
        self._newest = -(2**62)
        if file.ignored:
            self.report.notes.append(f"Not used: {', '.join(map(repr, file.ignored))}.")

    async def take(self, chunk: TickChunk) -> None:
        """Judge and store some rows."""
        report, at = self.report, chunk.batch.rows["at"]
        report.rows_read += len(chunk.batch)
        await self._make_known(chunk.batch.symbols)
        broken = chunk.timeless | chunk.malformed
        await self._refuse_broken(chunk, np.flatnonzero(broken))
        fine = np.flatnonzero(~broken)
        before = np.concatenate([[self._newest], at[fine]])
        highest = np.maximum.accumulate(before)
        report.unordered += int(np.count_nonzero(at[fine] < highest[:-1]))
        self._newest = int(highest[-1])
        order = fine[np.argsort(at[fine], kind="stable")]
        if isinstance(chunk.batch, TickBatch):
            await self._take_ticks(chunk, chunk.batch[order], order)
        else:
            await self._take_quotes(chunk, chunk.batch[order], order)

    async def finish(self, *, bars: bool) -> None:
        """Store what waits, make minutes, and sum up."""
        report = self.report
        if self._seconds is not None:
            for batch in self._seconds.flush(2**62):
                report.passed_over -= len(batch)
                await self._store_quotes(batch)
        if self._flood:
            await self._quarantine(
                Refused(symbol=symbol, reason=reason, kind=report.kind[:-1], record={NOT_KEPT: n})
                for (symbol, reason), n in self._flood.items()
            )
        if bars and report.kind is Kind.TICKS:
            for symbol, day_start in sorted(self._days):
                await self._make_minutes(symbol, day_start)
        report.reasons = dict(self._reasons.most_common())

    # ------------------------------------------------------------------------- good rows

    async def _take_ticks(self, chunk: TickChunk, batch: TickBatch, order: Positions) -> None:
        verdict = validate_ticks(batch, self._calendar, self._memory, SORTED, now=self._now)
        await self._refuse(chunk, verdict, order)
        good = self._numbering.number(verdict.good)
        self._note(good)
        if len(good):
            self._count(await self._ticks.store(good, self.report.file))
            days = self._calendar.day_index(good.rows["at"])
            _, first = np.unique(days * len(good.symbols) + good.rows["symbol"], return_index=True)
            for i in first.tolist():
                session = self._calendar.session_at(int(good.rows["at"][i]))
                assert session is not None, "validation lets no other through"
                self._days.add((good.symbols[good.rows["symbol"][i]], session.day_start))

    async def _take_quotes(self, chunk: TickChunk, batch: QuoteBatch, order: Positions) -> None:
        verdict = validate_quotes(batch, self._calendar, self._memory, SORTED, now=self._now)
        await self._refuse(chunk, verdict, order)
        good = self._book.fold(self._numbering.number(verdict.good))
        self._note(good)
        whole = good[~(np.isnan(good.rows["bid"]) | np.isnan(good.rows["ask"]))]
        self.report.one_sided += len(good) - len(whole)
        kept = whole if self._seconds is None else self._seconds.add(whole)
        self.report.passed_over += len(whole) - len(kept)
        await self._store_quotes(kept)

    async def _store_quotes(self, batch: QuoteBatch) -> None:
        self._count(await self._quotes.store(batch, self.report.file))

    def _count(self, stored: Appended) -> None:
        self.report.rows_stored += stored.inserted
        self.report.duplicates += stored.unchanged
        self.report.differing += stored.differing

    async def _make_known(self, symbols: tuple[str, ...]) -> None:
        exchange = self._calendar.exchange
        kind = InstrumentKind.FX if exchange == FX else InstrumentKind.STOCK
        for symbol in symbols:
            if symbol not in self.report.symbols:
                await stocks.ensure(self._pool, symbol, exchange=exchange, kind=kind)
                self.report.symbols.append(symbol)

    async def _make_minutes(self, symbol: str, day_start: int) -> None:
        """Minutes of a day, made of every print of it that is stored."""
        session = self._calendar.session_at(day_start)
        assert session is not None, "only days with prints are asked for"
        span = from_ns(session.day_start), from_ns(session.day_end)
        prints = await self._ticks.ticks(symbol, *span)
        minutes = bars_of(prints, Timeframe.M1, self._calendar)
        target = StockData(self._pool, self.report.dataset)
        stored = await target.store(minutes, f"{self.report.file} (prints)", Policy.CORRECT)
        self.report.bars_stored += stored.inserted
        self.report.bars_corrected += stored.corrected

    def _note(self, batch: TickBatch | QuoteBatch) -> None:
        if len(batch):
            at, report = batch.rows["at"], self.report
            first, last = (to_datetime(int(t)).isoformat() for t in (at[0], at[-1]))
            report.first_at = min(report.first_at or first, first)
            report.last_at = max(report.last_at or last, last)

    # ------------------------------------------------------------------------- bad rows

    async def _refuse(
        self,
        chunk: TickChunk,
        verdict: StreamVerdict[TickBatch] | StreamVerdict[QuoteBatch],
        order: Positions,
    ) -> None:
        self.report.duplicates += verdict.repeated
        named = verdict.reasons()
        await self._keep(chunk, order[verdict.positions], named)

    async def _refuse_broken(self, chunk: TickChunk, positions: Positions) -> None:
        named = [
            [Reason.BAD_TIME] * bool(chunk.timeless[i])
            + [Reason.MALFORMED] * bool(chunk.malformed[i])
            for i in positions.tolist()
        ]
        await self._keep(chunk, positions, named)

    async def _keep(
        self, chunk: TickChunk, positions: Positions, named: list[list[Reason]]
    ) -> None:
        """Quarantine rows as they stand in the file, as long as they are not too many."""
        self.report.rows_quarantined += len(positions)
        refused = []
        for position, reasons in zip(positions.tolist(), named, strict=True):
            self._reasons.update(reasons)
            row = chunk.batch.rows[position]
            symbol, reason = chunk.batch.symbols[row["symbol"]], ",".join(reasons)
            if self._kept >= MOST_REFUSED:
                self._flood[symbol, reason] += 1
                continue
            self._kept += 1
            at = None if Reason.BAD_TIME in reasons else to_datetime(int(row["at"]))
            refused.append(
                Refused(
                    symbol=symbol,
                    kind=self.report.kind[:-1],
                    at=at,
                    reason=reason,
                    record=chunk.record(position),
                )
            )
        await self._quarantine(refused)

    async def _quarantine(self, refused: Iterable[Refused]) -> None:
        await quarantine.add(self._pool, self.report.dataset, self.report.file, list(refused))


def tick_lines(report: TickImportReport) -> Iterator[str]:
    """The report for a person."""
    names = ", ".join(report.symbols) or "nothing"
    yield f"{report.file}: {report.kind} of {names}, into {report.dataset}"
    yield f"  rows read     {report.rows_read:>10,}"
    yield f"  stored        {report.rows_stored:>10,}"
    yield f"  duplicates    {report.duplicates:>10,}"
    if report.differing:
        yield f"    of them {report.differing:,} differ from what is stored, which stays"
    if report.kind is Kind.QUOTES:
        yield f"  not the last of their second {report.passed_over:,}"
        yield f"  with one side only           {report.one_sided:,}"
    yield f"  quarantined   {report.rows_quarantined:>10,}"
    yield from (f"    {line}" for line in report.explained)
    if report.unordered:
        yield f"  unordered     {report.unordered:>10,} (sorted)"
    if report.first_at:
        yield f"  from {report.first_at} to {report.last_at}"
    if report.bars_stored or report.bars_corrected:
        yield f"  minutes made  {report.bars_stored:>10,} ({report.bars_corrected:,} corrected)"
    yield from (f"  {note}" for note in report.notes)
