"""Files of option chains brought into a data set: recognised, judged, valued and stored once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock, system, to_ns
from app.core.errors import ConfigurationError, InvalidInput
from app.core.pricing import PricingOptions
from app.ingest.option_writer import OptionWriter, market_model
from app.marketdata.batch import to_datetime
from app.marketdata.calendar import trading_calendar
from app.marketdata.files import CHUNK_ROWS
from app.marketdata.option_files import OptionChunk, OptionFile
from app.marketdata.option_validation import EXPLANATIONS, OptionReason
from app.marketdata.options import MarketModel
from app.marketdata.shapes import Hints

_FAR: float = 0.05
"Points of volatility from which a file and we are said to differ."
Progress = Callable[[int, int], None]
"Called with the rows read so far and about how many there are."


class OptionImportReport(msgspec.Struct, kw_only=True):
    """What became of every row of a file."""

    file: str
    dataset: str
    underlyings: list[str] = []
    expiries: int = 0
    contracts: int = 0
    rows_read: int = 0
    rows_stored: int = 0
    rows_corrected: int = 0
    "Rows that replaced a stored one of the same contract and instant with other values."
    duplicates: int = 0
    rows_valued: int = 0
    "Rows whose price implies a volatility."
    rows_quarantined: int = 0
    reasons: dict[str, int] = {}
    "Quarantined rows by reason; a row with two reasons counts twice."
    first_at: str | None = None
    last_at: str | None = None
    notes: list[str] = []


async def import_options(
    pool: asyncpg.Pool,
    path: Path,
    *,
    dataset: str,
    hints: Hints | None = None,
    model: MarketModel | None = None,
    progress: Progress = lambda done, total: None,
    clock: Clock = system,
    chunk_rows: int = CHUNK_ROWS,
) -> OptionImportReport:
    """Import a CSV or Parquet file of option quotes. Importing it again changes nothing.

    Volatilities and greeks are ours, from the prices of the file; what the file says of them is
    only compared. Raises InvalidInput when it is no such file, or for what `hints` must tell.
    """
    file = await asyncio.to_thread(OptionFile, path, trading_calendar(), hints)
    writer = OptionWriter(pool, dataset, source=path.name, model=model)
    task = _Import(file, writer, to_ns(clock.now()))
    chunks = file.chunks(chunk_rows)
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        await task.take(chunk)
        progress(task.report.rows_read, file.rows)
    return task.finish()


def model_of(rate: str | None, dividend_yield: str | None) -> MarketModel:
    """The settings' interest and dividend yields, or those of a command line instead.

    Raises InvalidInput for what is none.
    """
    given = {"rates": ("rate", rate), "dividend_yields": ("dividend_yield", dividend_yield)}
    values: dict[str, Any] = {name: text for name, (_, text) in given.items() if text}
    for name, text in values.items():
        try:
            PricingOptions(**{name: text})
        except ConfigurationError as error:
            said = str(error).partition(" ")[2]
            field = given[name][0]
            raise InvalidInput(f"--{field.replace('_', '-')} {said}", field=field) from None
    return market_model(PricingOptions(**values))


class _Import:
    """One import under way."""

    def __init__(self, file: OptionFile, writer: OptionWriter, now: int) -> None:
        self.report = OptionImportReport(file=file.path.name, dataset=writer.dataset)
        self._file = file
        self._writer = writer
        self._now = now
        self._reasons: Counter[str] = Counter()
        self._contracts: set[str] = set()
        self._expiries: set[str] = set()
        self._compared = self._apart = 0

    async def take(self, chunk: OptionChunk) -> None:
        """Judge and store some rows."""
        report = self.report
        report.rows_read += len(chunk.batch)
        verdict = await self._writer.judge(chunk.batch, chunk.codes, self._now, chunk.told)
        self._reasons.update(name for one in verdict.bad for name in verdict.reasons(one))
        report.rows_quarantined += len(verdict.bad)
        written = await self._writer.write(verdict.good)
        report.rows_stored += written.stored.inserted
        report.rows_corrected += written.stored.corrected
        report.duplicates += written.stored.unchanged + verdict.repeated
        report.rows_valued += written.valued
        if len(verdict.good):
            self._note(verdict.good.rows["at"], chunk, verdict.kept)
            self._compare(written.batch.rows["implied_volatility"], chunk.said[verdict.kept])

    def finish(self) -> OptionImportReport:
        """Sum up."""
        report = self.report
        report.reasons = dict(self._reasons.most_common())
        report.contracts, report.expiries = len(self._contracts), len(self._expiries)
        if self._file.ignored:
            report.notes.append(f"Not used: {', '.join(map(repr, self._file.ignored))}.")
        if self._apart:
            report.notes.append(
                f"The file's own implied volatility differs from ours by more than {_FAR:g} in"
                f" {self._apart:,} of {self._compared:,} rows that have both; ours is stored."
            )
        return report

    def _note(self, at: np.ndarray, chunk: OptionChunk, kept: np.ndarray) -> None:
        report = self.report
        places = np.unique(chunk.batch.rows["contract"][kept]).tolist()
        contracts = [chunk.batch.contracts[place] for place in places]
        self._contracts.update(one.symbol for one in contracts)
        self._expiries.update(one.expiry.isoformat() for one in contracts)
        report.underlyings = sorted({*report.underlyings, *(one.underlying for one in contracts)})
        first, last = (to_datetime(int(t)).isoformat() for t in (at.min(), at.max()))
        report.first_at = min(report.first_at or first, first)
        report.last_at = max(report.last_at or last, last)

    def _compare(self, ours: np.ndarray, theirs: np.ndarray) -> None:
        both = ~np.isnan(ours) & (theirs > 0)
        self._compared += int(np.count_nonzero(both))
        self._apart += int(np.count_nonzero(np.abs(ours - theirs)[both] > _FAR))


def option_lines(report: OptionImportReport) -> Iterator[str]:
    """The report for a person."""
    names = ", ".join(report.underlyings) or "nothing"
    yield (
        f"{report.file}: options on {names}, {report.contracts:,} contracts of"
        f" {report.expiries} expiries, into {report.dataset}"
    )
    yield f"  rows read     {report.rows_read:>10,}"
    yield f"  stored        {report.rows_stored:>10,}"
    if report.rows_corrected:
        yield f"  corrected     {report.rows_corrected:>10,}"
    yield f"  duplicates    {report.duplicates:>10,}"
    yield f"  with greeks   {report.rows_valued:>10,}"
    yield f"  quarantined   {report.rows_quarantined:>10,}"
    for reason, n in report.reasons.items():
        yield f"    {n} {reason}: {EXPLANATIONS[OptionReason(reason)]}"
    if report.first_at:
        yield f"  from {report.first_at} to {report.last_at}"
    yield from (f"  {note}" for note in report.notes)
