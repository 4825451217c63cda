"""Which importer takes a file: by what it holds, as a person says or as the file itself does."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.market import Timeframe
from app.marketdata.dbn_files import DbnFile, is_dbn
from app.marketdata.shapes import Hints
from app.marketdata.tick_files import Kind
from app.services import dbn_imports, imports, option_imports, tick_imports
from app.services.import_jobs import Progress, Run

_CHUNK_ROWS: Final = 20_000
"Fewer than on the command line: requests are answered between two chunks."


def importer(pool: asyncpg.Pool) -> Run:
    """Imports a file of any kind; what the hints call `kind` decides, else the file."""

    async def run(
        path: Path, dataset: str, hints: dict[str, str], progress: Progress
    ) -> dict[str, Any]:
        report = await _import(pool, path, dataset, hints, progress)
        return {**msgspec.to_builtins(report), "explained": list(_explained(report))}

    return run


async def _import(
    pool: asyncpg.Pool, path: Path, dataset: str, said: dict[str, str], progress: Progress
) -> msgspec.Struct:
    hints = Hints(
        symbol=said.get("symbol"),
        timeframe=Timeframe(said["timeframe"]) if "timeframe" in said else None,
        tz=said.get("tz"),
        date_format=said.get("date_format"),
    )
    kind, exchange = said.get("kind"), said.get("exchange")
    if kind != "bars" and await asyncio.to_thread(_is_dbn_of_others, path, kind):
        return await dbn_imports.import_dbn(
            pool, path, dataset=dataset, kind=kind, exchange=exchange, progress=progress
        )
    if kind == "options":
        return await option_imports.import_options(
            pool, path, dataset=dataset, hints=hints, progress=progress, chunk_rows=_CHUNK_ROWS
        )
    if kind in ("ticks", "quotes"):
        return await tick_imports.import_ticks(
            pool, path, Kind(kind), dataset=dataset, hints=hints, exchange=exchange,
            progress=progress, chunk_rows=_CHUNK_ROWS,
        )  # fmt: skip
    imports.refuse_kind(kind or "bars")
    return await imports.import_bars(
        pool, path, dataset=dataset, hints=hints, exchange=exchange, progress=progress,
        chunk_rows=_CHUNK_ROWS,
    )  # fmt: skip


def _is_dbn_of_others(path: Path, kind: str | None) -> bool:
    return is_dbn(path) and (kind is not None or DbnFile(path).kind != "bars")


def _explained(report: msgspec.Struct) -> Iterator[str]:
    yield from getattr(report, "explained", ())
