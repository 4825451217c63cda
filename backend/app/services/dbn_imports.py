"""DBN files brought into a data set: prints, quotes, and the instruments that they define."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from app.domain.options import is_occ, parse_occ
from app.ingest.options import OptionCounts, OptionIngest, split_options
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.batch import QuoteBatch, TickBatch, to_datetime
from app.marketdata.calendar import DEFAULT, trading_calendar
from app.marketdata.dbn_files import DbnFile, Definition
from app.marketdata.files import normal_symbol
from app.marketdata.tick_validation import SORTED
from app.marketdata.validation import explained
from app.repositories import instruments, option_contracts, stocks

Progress = Callable[[int, int], None]
"Called with the rows read so far and about how many there are."

_MOST_WAITING: Final = 100_000
"Quotes that may wait for the database: those of a file are not dropped, they wait."
_NAMED: Final = 5
"Symbols that a report names."
_SETTINGS: Final = TickSettings(
    timeframes=(), quotes="all", rules=SORTED, quarantine_a_minute=1_000_000
)


class DbnReport(msgspec.Struct, kw_only=True):
    """What became of every record of a file."""

    file: str
    dataset: str
    kind: str
    schema: str
    symbols: list[str] = []
    rows_read: int = 0
    rows_stored: int = 0
    duplicates: int = 0
    "Rows that were stored already, or defined already."
    rows_quarantined: int = 0
    reasons: dict[str, int] = {}
    "Quarantined rows by reason; a row with two reasons counts twice."
    folded: int = 0
    "Quotes of options that a later one of the same second replaced."
    one_sided: int = 0
    "Quotes without a bid or without an ask, which are believed but not stored."
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def explained(self) -> list[str]:
        """Each reason with its number and meaning."""
        return explained(self.reasons)


async def import_dbn(
    pool: asyncpg.Pool,
    path: Path,
    *,
    dataset: str,
    kind: str | None = None,
    exchange: str | None = None,
    progress: Progress = lambda done, total: None,
) -> DbnReport:
    """Import prints, quotes or definitions of a DBN file. Importing it again changes nothing.

    `kind` chooses where a file holds two (mbp-1 has quotes and prints); bars are `import_bars`'s.
    Instruments of the file are made first where they are new. Raises InvalidInput for what is no
    such file, and for one that is damaged: what came before the damage is stored then.
    """
    file = await asyncio.to_thread(DbnFile, path)
    chosen = kind or file.kind
    file.require(chosen)
    task = _Import(pool, file, dataset, chosen, exchange or DEFAULT)
    if chosen == "definitions":
        await task.define(await asyncio.to_thread(lambda: list(file.definitions())))
    else:
        await task.read(progress)
    return task.report


class _Import:
    """One import under way."""

    def __init__(
        self, pool: asyncpg.Pool, file: DbnFile, dataset: str, kind: str, exchange: str
    ) -> None:
        self.report = DbnReport(
            file=file.path.name, dataset=dataset, kind=kind, schema=file.schema or ""
        )
        self._pool = pool
        self._file = file
        self._exchange = exchange
        self._known: set[str] = set()

    async def define(self, definitions: Sequence[Definition]) -> None:
        """Make the instruments that are new."""
        names = {definition.symbol for definition in definitions}
        known = await instruments.known(self._pool, names)
        await self._acquaint(names)
        report = self.report
        report.rows_read, report.rows_stored = len(definitions), len(names - known)
        report.duplicates = len(definitions) - report.rows_stored

    async def read(self, progress: Progress) -> None:
        """Check and store every batch."""
        report, file = self.report, self._file
        calendar, source = trading_calendar(self._exchange), file.path.name
        ingest = TickIngest(self._pool, report.dataset, calendar, source=source, settings=_SETTINGS)
        options = OptionIngest(self._pool, report.dataset, source=source)
        batches = _batches(file, report.kind)
        try:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                await self._acquaint(batch.symbols)
                await self._take(batch, ingest, options)
                progress(report.rows_read, file.rows)
            self._add(await options.flush())
            await ingest.drain()
        finally:
            await ingest.close()
        self._sum_up(ingest)

    # -------------------------------------------------------------------------- helpers

    async def _take(
        self, batch: TickBatch | QuoteBatch, ingest: TickIngest, options: OptionIngest
    ) -> None:
        self.report.rows_read += len(batch)
        self._note(batch)
        if isinstance(batch, QuoteBatch):
            batch, of_options = split_options(batch)
            if len(of_options):
                self._add(await options.take(of_options))
        await ingest.take(batch)
        if ingest.statistics.quotes_waiting > _MOST_WAITING:
            await ingest.drain()

    async def _acquaint(self, symbols: Iterable[str]) -> None:
        """Make the stocks and contracts that are new."""
        fresh = [normal_symbol(symbol) for symbol in symbols if symbol not in self._known]
        contracts = [parse_occ(symbol) for symbol in fresh if is_occ(symbol)]
        if contracts:
            await option_contracts.ensure(self._pool, contracts)
        for symbol in fresh:
            if not is_occ(symbol):
                await stocks.ensure(self._pool, symbol, exchange=self._exchange)
        self._known.update(fresh)
        self.report.symbols = sorted(self._known)

    def _note(self, batch: TickBatch | QuoteBatch) -> None:
        if not len(batch):
            return
        report, at = self.report, batch.rows["at"]
        first, last = to_datetime(int(at.min())), to_datetime(int(at.max()))
        report.first_at = min(report.first_at or first, first)
        report.last_at = max(report.last_at or last, last)

    def _add(self, counts: OptionCounts) -> None:
        report = self.report
        report.rows_stored += counts.stored
        report.rows_quarantined += counts.refused
        report.folded += counts.folded

    def _sum_up(self, ingest: TickIngest) -> None:
        report, counted = self.report, ingest.statistics
        report.rows_stored += counted.ticks_stored + counted.quotes_stored
        report.duplicates += counted.unchanged + counted.repeated
        report.rows_quarantined += counted.refused
        report.one_sided = counted.quotes_one_sided
        report.reasons = {str(reason): n for reason, n in counted.quarantined.most_common()}


def _batches(file: DbnFile, kind: str) -> Iterator[TickBatch | QuoteBatch]:
    if kind == "ticks":
        yield from file.ticks()
    else:
        yield from file.quotes()


def dbn_lines(report: DbnReport) -> Iterator[str]:
    """The report for a person."""
    names = ", ".join(report.symbols[:_NAMED]) or "nothing"
    more = f" and {len(report.symbols) - _NAMED:,} more" if len(report.symbols) > _NAMED else ""
    yield f"{report.file}: {report.kind} ({report.schema}) of {names}{more}, into {report.dataset}"
    yield f"  records read  {report.rows_read:>10,}"
    yield f"  stored        {report.rows_stored:>10,}"
    yield f"  duplicates    {report.duplicates:>10,}"
    if report.one_sided:
        yield f"  one side only {report.one_sided:>10,} (no bid, or no ask: not stored)"
    if report.folded:
        yield f"  folded        {report.folded:>10,} (a later quote of the same second is stored)"
    yield f"  quarantined   {report.rows_quarantined:>10,}"
    yield from (f"    {line}" for line in report.explained)
    if report.first_at and report.last_at:
        yield f"  from {report.first_at.isoformat()} to {report.last_at.isoformat()}"
