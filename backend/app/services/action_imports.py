"""Files of corporate actions brought into a data set: read, checked and stored once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec

from app.marketdata.action_files import read_actions
from app.marketdata.calendar import trading_calendar
from app.repositories import corporate_actions


class ActionImportReport(msgspec.Struct, kw_only=True):
    """What became of a file's rows."""

    file: str
    dataset: str
    symbols: list[str] = []
    rows_read: int = 0
    actions: int = 0
    "Actions in the file; rows of factor files that change nothing make none."
    kinds: dict[str, int] = {}
    rows_stored: int = 0
    rows_corrected: int = 0
    "Actions that replaced a stored one with other figures; what it was is audited."
    duplicates: int = 0
    notes: list[str] = []


async def import_actions(
    pool: asyncpg.Pool,
    path: Path,
    *,
    dataset: str,
    symbol: str | None = None,
    exchange: str | None = None,
    audit_key: bytes | None = None,
    actor: str = "console",
) -> ActionImportReport:
    """Import a CSV of actions, or one of LEAN's factor files. Doing it again changes nothing.

    Raises InvalidInput that names row and column; nothing is stored then.
    """
    calendar = trading_calendar(*([exchange] if exchange else []))
    file = await asyncio.to_thread(read_actions, path, calendar, symbol)
    stored = await corporate_actions.store(
        pool, dataset, file.actions, path.name, audit_key=audit_key, actor=actor
    )
    told = stored.inserted + stored.changed + stored.unchanged
    report = ActionImportReport(
        file=path.name,
        dataset=dataset,
        symbols=sorted({action.symbol for action in file.actions}),
        rows_read=file.rows,
        actions=len(file.actions),
        kinds=dict(sorted(Counter(action.kind for action in file.actions).items())),
        rows_stored=stored.inserted,
        rows_corrected=stored.changed,
        duplicates=stored.unchanged,
    )
    if told < len(file.actions):
        report.notes.append(f"{len(file.actions) - told} rows belong to another of the same day.")
    if file.ignored:
        report.notes.append(f"Not used: {', '.join(map(repr, file.ignored))}.")
    return report


def action_lines(report: ActionImportReport) -> Iterator[str]:
    """The report for a person."""
    names = ", ".join(report.symbols) or "nothing"
    yield f"{report.file}: corporate actions of {names}, into {report.dataset}"
    yield f"  rows read     {report.rows_read:>10,}"
    yield from (f"    {number} {kind}" for kind, number in report.kinds.items())
    yield f"  stored        {report.rows_stored:>10,}"
    if report.rows_corrected:
        yield f"  corrected     {report.rows_corrected:>10,}"
    yield f"  duplicates    {report.duplicates:>10,}"
    yield from (f"  {note}" for note in report.notes)
