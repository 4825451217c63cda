"""`tradewright data`: import files of bars, judge what is stored, list gaps, write files."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from app.console.output import Json, show, table

if TYPE_CHECKING:
    import asyncpg

    from app.domain.market import Timeframe
    from app.marketdata.shapes import Hints

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, help="Market data: import, check, gaps, export.")

Symbol = Annotated[str | None, typer.Option("--symbol", help="Whose bars, for example SPY.")]
Frame = Annotated[
    str | None, typer.Option("--timeframe", help="1s, 1m, 5m, 15m, 1h or 1d.", metavar="LENGTH")
]
Dataset = Annotated[
    str | None,
    typer.Option("--dataset", help="NAME of import:NAME, or a full name such as live."),
]
When = Annotated[datetime | None, typer.Option(help="UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"])]


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or DBN; CSV may be in gzip.")],
    symbol: Symbol = None,
    timeframe: Frame = None,
    tz: Annotated[
        str | None,
        typer.Option("--tz", help="Time zone of times that do not say it, as America/New_York."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="What the file holds: bars (the default), ticks, quotes or options; in a DBN file"
            " also definitions (the default is what it says).",
        ),
    ] = None,
    dataset: Dataset = None,
    exchange: Annotated[
        str | None, typer.Option("--exchange", help="Whose sessions: XNYS, XLON, 24/5 for FX.")
    ] = None,
    date_format: Annotated[
        str | None, typer.Option("--date-format", help='How times are written: "%d.%m.%Y".')
    ] = None,
    bars: Annotated[
        bool, typer.Option("--bars/--no-bars", help="Of ticks: make minutes of them, too.")
    ] = True,
    every_quote: Annotated[
        bool, typer.Option("--every-quote", help="Of quotes: store all, not the last a second.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a file of market data into a data set. Doing it again changes nothing."""
    import msgspec

    from app.marketdata.shapes import Hints
    from app.services import imports

    hints = Hints(symbol=symbol, timeframe=timeframe_of(timeframe), tz=tz, date_format=date_format)
    if kind == "options":
        _import_options(file, imports.dataset_name(dataset), hints, as_json=as_json)
        return
    if _is_dbn_of_no_bars(file, kind):
        _import_dbn(file, imports.dataset_name(dataset), kind, exchange, as_json=as_json)
        return
    if kind in ("ticks", "quotes"):
        name = imports.dataset_name(dataset)
        choices = {"exchange": exchange, "bars": bars, "every_quote": every_quote}
        _import_ticks(file, kind, name, hints, choices, as_json=as_json)
        return
    imports.refuse_kind(kind or "bars")
    with _progress(file.name) as progress:
        report = _run(
            lambda pool: imports.import_bars(
                pool,
                file,
                dataset=imports.dataset_name(dataset),
                hints=hints,
                exchange=exchange,
                progress=progress,
            )
        )
    show(msgspec.to_builtins(report), imports.import_lines(report), as_json=as_json)
    if report.rows_stored + report.rows_corrected + report.duplicates == 0:
        raise typer.Exit(1)


def _import_ticks(
    file: Path, kind: str, dataset: str, hints: "Hints", choices: dict[str, Any], *, as_json: bool
) -> None:
    import msgspec

    from app.marketdata.tick_files import Kind
    from app.services.tick_imports import import_ticks, tick_lines

    with _progress(file.name) as progress:
        report = _run(
            lambda pool: import_ticks(
                pool, file, Kind(kind), dataset=dataset, hints=hints, progress=progress, **choices
            )
        )
    show(msgspec.to_builtins(report), tick_lines(report), as_json=as_json)
    if report.rows_stored + report.duplicates == 0:
        raise typer.Exit(1)


def _import_options(file: Path, dataset: str, hints: "Hints", *, as_json: bool) -> None:
    import msgspec

    from app.services.option_imports import import_options, option_lines

    with _progress(file.name) as progress:
        report = _run(
            lambda pool: import_options(pool, file, dataset=dataset, hints=hints, progress=progress)
        )
    show(msgspec.to_builtins(report), option_lines(report), as_json=as_json)
    if report.rows_stored + report.rows_corrected + report.duplicates == 0:
        raise typer.Exit(1)


def _is_dbn_of_no_bars(file: Path, kind: str | None) -> bool:
    from app.marketdata.dbn_files import DbnFile, is_dbn

    if kind == "bars" or not is_dbn(file):
        return False
    return kind is not None or DbnFile(file).kind != "bars"


def _import_dbn(
    file: Path, dataset: str, kind: str | None, exchange: str | None, *, as_json: bool
) -> None:
    import msgspec

    from app.services.dbn_imports import dbn_lines, import_dbn

    with _progress(file.name) as progress:
        report = _run(
            lambda pool: import_dbn(
                pool, file, dataset=dataset, kind=kind, exchange=exchange, progress=progress
            )
        )
    show(msgspec.to_builtins(report), dbn_lines(report), as_json=as_json)
    if report.rows_stored + report.duplicates == 0:
        raise typer.Exit(1)


@app.command()
def check(dataset: Dataset = None, symbol: Symbol = None, as_json: Json = False) -> None:
    """Judge every stored series: how whole, how believable, with a fingerprint."""
    import msgspec

    from app.services import data_quality
    from app.services.imports import known_dataset

    async def judged(pool: "asyncpg.Pool") -> list[dict[str, Any]]:
        name = await known_dataset(pool, dataset) if dataset else None
        return [msgspec.to_builtins(v) async for v in data_quality.check(pool, name, symbol)]

    found = _run(judged)
    columns = ("dataset", "symbol", "timeframe", "bars", "completeness", "gaps", "bad", "verdict")
    show(found, table(found, columns), as_json=as_json)


@app.command()
def gaps(
    dataset: Dataset = None,
    symbol: Symbol = None,
    every: Annotated[bool, typer.Option("--all", help="Explained and repaired ones too.")] = False,
    as_json: Json = False,
) -> None:
    """List the gaps that the last check entered in the ledger."""
    import msgspec

    from app.repositories import data_gaps
    from app.services.imports import known_dataset

    async def listed(pool: "asyncpg.Pool") -> list[dict[str, Any]]:
        name = await known_dataset(pool, dataset) if dataset else None
        found = await data_gaps.list_gaps(pool, name, symbol, unexplained=not every)
        return [msgspec.to_builtins(gap) for gap in found]

    found = _run(listed)
    columns = ("dataset", "symbol", "timeframe", "start", "end", "state")
    show(found, table(found, columns), as_json=as_json)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="To write: .csv, .csv.gz or .parquet.")],
    symbol: Annotated[str, typer.Option("--symbol", help="Whose bars, for example SPY.")],
    timeframe: Annotated[str, typer.Option("--timeframe", metavar="LENGTH")] = "1m",
    dataset: Dataset = None,
    start: When = None,
    end: When = None,
    as_json: Json = False,
) -> None:
    """Write stored bars to a file that can be imported again."""
    from app.services.exports import export_bars
    from app.services.imports import dataset_name

    name, frame = dataset_name(dataset), timeframe_of(timeframe)
    assert frame is not None
    count = _run(
        lambda pool: export_bars(
            pool,
            file,
            dataset=name,
            symbol=symbol.upper(),
            timeframe=frame,
            start=start.replace(tzinfo=UTC) if start else None,
            end=end.replace(tzinfo=UTC) if end else None,
        )
    )
    result = {"file": str(file), "bars": count, "dataset": name}
    show(result, f"Wrote {count:,} bars of {symbol.upper()} to {file}.", as_json=as_json)


def timeframe_of(text: str | None) -> "Timeframe | None":
    """The timeframe of a text such as 5m. Raises InvalidInput with the ones that there are."""
    from app.core.errors import InvalidInput
    from app.domain.market import Timeframe

    if text is None:
        return None
    try:
        return Timeframe(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no timeframe.",
            field="timeframe",
            remedy=f"Use one of {', '.join(Timeframe)}.",
        ) from None


def _run(work: Callable[["asyncpg.Pool"], Awaitable[T]]) -> T:
    async def connected() -> T:
        async with _pool(address) as pool:
            return await work(pool)

    with _database() as address:
        return asyncio.run(connected())


@asynccontextmanager
async def _pool(address: str) -> "AsyncIterator[asyncpg.Pool]":
    from app.db.session import opened_pool

    async with opened_pool(address, max_size=2) as pool:
        yield pool


@contextmanager
def _database() -> Iterator[str]:
    """The given database, the running one, or the embedded one started for this command."""
    from app.core.config import settings
    from app.core.errors import ConfigurationError
    from app.db import migrations, revisions
    from app.db.embedded import attach_or_start

    own: AbstractContextManager[str] = (
        nullcontext(settings.database.url)
        if settings.database.is_given
        else attach_or_start(settings.home, purpose="tradewright data", say=_say)
    )
    with own as address:
        if revisions.current(address) != revisions.head():
            if settings.database.is_given:
                raise ConfigurationError(
                    "The database is not at the newest revision.",
                    remedy="Run `tradewright db upgrade` first.",
                )
            migrations.upgrade(address)
        yield address


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=None)

        def progress(done: int, total: int) -> None:
            bars.update(task, completed=done, total=max(done, total))

        yield progress


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
