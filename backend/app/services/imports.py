"""Files of bars brought into a data set: recognised, judged, stored once, and accounted for."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock, system, to_ns
from app.core.errors import InvalidInput, NotFound
from app.core.registry import suggestion
from app.domain.instruments import InstrumentKind
from app.domain.market import Timeframe
from app.ingest.splits import Splits
from app.marketdata.batch import BarBatch, Floats, to_datetime
from app.marketdata.calendar import DEFAULT, FX, TradingCalendar, trading_calendar
from app.marketdata.dbn_files import DbnBars, is_dbn
from app.marketdata.files import CHUNK_ROWS, BarFile, Chunk, normal_symbol
from app.marketdata.shapes import Hints
from app.marketdata.validation import NEIGHBOURS, Reason, Verdict, explained, validate
from app.repositories import quarantine, stock_data, stocks
from app.repositories.quarantine import Refused
from app.repositories.stock_data import Policy, StockData, Stored

DEFAULT_DATASET: Final = "import:files"
_DATASET: Final = re.compile(r"live|simulated|(replay|import):.+")
_FEW: Final = 0.05
"Share of rows in regular hours below which the time zone is doubtful."

Progress = Callable[[int, int], None]
"Called with the rows read so far and about how many there are."


class ImportReport(msgspec.Struct, kw_only=True):
    """What became of every row of a file."""

    file: str
    dataset: str
    timeframe: Timeframe
    symbols: list[str] = []
    rows_read: int = 0
    rows_stored: int = 0
    rows_corrected: int = 0
    "Rows that replaced a stored bar with other values; the old one is kept as a revision."
    duplicates: int = 0
    "Rows that said what was stored, or what the file had said, already."
    rows_quarantined: int = 0
    reasons: dict[str, int] = {}
    "Quarantined rows by reason; a row with two reasons counts twice."
    unordered: int = 0
    "Rows older than the one before them; they were sorted."
    first_start: str | None = None
    last_start: str | None = None
    notes: list[str] = []

    @property
    def explained(self) -> list[str]:
        """Each reason with its number and meaning."""
        return explained(self.reasons)


def dataset_name(text: str | None) -> str:
    """The data set that a person means: a full name, or the NAME of import:NAME."""
    if not text:
        return DEFAULT_DATASET
    return text if _DATASET.fullmatch(text) else f"import:{text}"


async def known_dataset(pool: asyncpg.Pool, text: str) -> str:
    """A data set that has bars. Raises NotFound with the nearest."""
    name, known = dataset_name(text), await stock_data.datasets(pool)
    if name not in known:
        raise NotFound(f"No bars are stored in {name}.", remedy=suggestion(name, known))
    return name


async def import_bars(
    pool: asyncpg.Pool,
    path: Path,
    *,
    dataset: str = DEFAULT_DATASET,
    hints: Hints | None = None,
    exchange: str | None = None,
    progress: Progress = lambda done, total: None,
    clock: Clock = system,
    chunk_rows: int = CHUNK_ROWS,
) -> ImportReport:
    """Import a CSV, Parquet or DBN file of bars. Importing it again changes nothing.

    Raises InvalidInput when it is no such file, or for what `hints` must tell; nothing is stored
    then. A file is stored chunk by chunk: a database that fails in the middle leaves the chunks
    before, and the next import completes them.
    """
    hints = hints or Hints()
    calendar = trading_calendar(await _exchange_of(pool, hints.symbol, exchange))
    opened: Callable[..., BarFile | DbnBars] = DbnBars if is_dbn(path) else BarFile
    file = await asyncio.to_thread(opened, path, calendar, hints)
    task = _Import(pool, file, dataset, calendar, to_ns(clock.now()))
    chunks = file.chunks(chunk_rows)
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        await task.take(chunk)
        progress(task.report.rows_read, file.rows)
    await task.finish()
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
        file: BarFile | DbnBars,
        dataset: str,
        calendar: TradingCalendar,
        now: int,
    ) -> None:
        self.report = ImportReport(file=file.path.name, dataset=dataset, timeframe=file.timeframe)
        self._pool = pool
        self._file = file
        self._calendar = calendar
        self._now = now
        self._bars = StockData(pool, dataset)
        self._held: dict[str, Chunk] = {}
        self._splits = Splits(pool, dataset, calendar)
        self._closes: dict[str, Floats] = {}
        self._last_start: dict[str, int] = {}
        self._reasons: Counter[str] = Counter()
        self._regular = 0
        if file.shape.ignored:
            self.report.notes.append(f"Not used: {', '.join(map(repr, file.shape.ignored))}.")

    async def take(self, chunk: Chunk) -> None:
        """Judge and store the chunk before this one: its last rows have waited for neighbours."""
        symbol = chunk.batch.symbol
        if symbol not in self._last_start:
            await self._splits.load([symbol])
        self.report.rows_read += len(chunk)
        self._look_at_order(chunk.batch)
        if (held := self._held.get(symbol)) is not None:
            await self._decide(chunk[:NEIGHBOURS].after(held), len(held))
        self._held[symbol] = chunk

    async def finish(self) -> None:
        """Judge what still waits, and sum up."""
        for chunk in self._held.values():
            await self._decide(chunk, len(chunk))
        report = self.report
        report.reasons = dict(self._reasons.most_common())
        if report.timeframe is not Timeframe.D1 and self._regular < _FEW * report.rows_read:
            share = f"{self._regular} of {report.rows_read}"
            report.notes.append(f"Only {share} rows lie in regular hours: is the time zone right?")

    async def _decide(self, chunk: Chunk, count: int) -> None:
        """Store or quarantine the first `count` rows; the others are only looked at."""
        symbol = chunk.batch.symbol
        factors = self._splits.factors(symbol, chunk.batch.start)
        verdict = validate(
            chunk.batch,
            self._calendar,
            now=self._now,
            before=self._closes.get(symbol),
            malformed=chunk.malformed,
            factors=factors,
        )
        good = chunk.batch[:count][verdict.kept[:count]].sorted()
        bad = int(np.searchsorted(verdict.positions, count))
        before = self._closes.get(symbol, np.array([]))
        closes: Floats = good.rows["close"]
        if (compared := self._splits.factors(symbol, good.start)) is not None:
            closes = closes * compared
        self._closes[symbol] = np.concatenate([before, closes])[-NEIGHBOURS:]
        self._count(good, count - len(good) - bad)
        if len(good):
            await self._store(good)
        if bad:
            await self._refuse(chunk, verdict, bad)

    async def _store(self, good: BarBatch) -> None:
        kind = InstrumentKind.FX if self._calendar.exchange == FX else InstrumentKind.STOCK
        if good.symbol not in self.report.symbols:
            exchange = self._calendar.exchange
            await stocks.ensure(self._pool, good.symbol, exchange=exchange, kind=kind)
            self.report.symbols.append(good.symbol)
        stored: Stored = await self._bars.store([good], self.report.file, Policy.CORRECT)
        self.report.rows_stored += stored.inserted
        self.report.rows_corrected += stored.corrected
        self.report.duplicates += stored.unchanged

    async def _refuse(self, chunk: Chunk, verdict: Verdict, count: int) -> None:
        """Keep the first `count` bad rows as they stand in the file."""
        refused = []
        named = zip(verdict.positions[:count].tolist(), verdict.reasons()[:count], strict=True)
        for position, reasons in named:
            start = int(chunk.batch.start[position])
            self._reasons.update(reasons)
            refused.append(
                Refused(
                    symbol=chunk.batch.symbol,
                    timeframe=chunk.batch.timeframe,
                    at=to_datetime(start) if Reason.BAD_TIME not in reasons else None,
                    reason=",".join(reasons),
                    record=chunk.record(position),
                )
            )
        self.report.rows_quarantined += count
        await quarantine.add(self._pool, self.report.dataset, self.report.file, refused)

    def _count(self, good: BarBatch, repeated: int) -> None:
        self.report.duplicates += repeated
        if not len(good):
            return
        self._regular += int(np.count_nonzero(self._calendar.is_regular(good.start)))
        first, last = (to_datetime(int(t)).isoformat() for t in (good.start[0], good.start[-1]))
        self.report.first_start = min(self.report.first_start or first, first)
        self.report.last_start = max(self.report.last_start or last, last)

    def _look_at_order(self, batch: BarBatch) -> None:
        starts = batch.start[batch.end > batch.start]
        if not len(starts):
            return
        before = self._last_start.get(batch.symbol, int(starts[0]))
        self.report.unordered += int(np.count_nonzero(np.diff(starts, prepend=before) < 0))
        self._last_start[batch.symbol] = int(starts[-1])


def import_lines(report: ImportReport) -> Iterator[str]:
    """The report for a person."""
    names = ", ".join(report.symbols) or "nothing"
    yield f"{report.file}: {names}, {report.timeframe}, into {report.dataset}"
    yield f"  rows read     {report.rows_read:>10,}"
    yield f"  stored        {report.rows_stored:>10,}"
    if report.rows_corrected:
        yield f"  corrected     {report.rows_corrected:>10,}"
    yield f"  duplicates    {report.duplicates:>10,}"
    yield f"  quarantined   {report.rows_quarantined:>10,}"
    yield from (f"    {line}" for line in report.explained)
    if report.unordered:
        yield f"  unordered     {report.unordered:>10,} (sorted)"
    if report.first_start:
        yield f"  from {report.first_start} to {report.last_start}"
    yield from (f"  {note}" for note in report.notes)


def refuse_kind(kind: str) -> None:
    """Raise InvalidInput for what cannot be imported."""
    if kind != "bars":
        raise InvalidInput(
            f"Files of {kind!r} cannot be imported.",
            field="kind",
            remedy="Use --kind bars, ticks, quotes, options or actions.",
        )
