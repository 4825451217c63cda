"""`tradewright data`: what is fetched, imported, judged and written to files."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console import data_check, data_fetch
from app.console.output import Json, show
from app.console.stored import (
    DAY_OR_MINUTE,
    Dataset,
    Frame,
    Symbol,
    When,
    audit_key,
    progress_bar,
    run,
    timeframe_of,
)

if TYPE_CHECKING:
    from app.marketdata.shapes import Hints

app = typer.Typer(no_args_is_help=True, help="Market data: fetch, import, check, gaps, export.")
app.command("fetch")(data_fetch.fetch)
app.command("check")(data_check.check)
app.command("gaps")(data_check.gaps)


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
            help="What the file holds: bars (the default), ticks, quotes, options or actions; in a"
            " DBN file also definitions (the default is what it says).",
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
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            help="Of options: interest then, 0.004 or 0.25:0.043,1:0.041; default OPTIONS_RATES.",
        ),
    ] = None,
    dividend_yield: Annotated[
        str | None,
        typer.Option(
            "--dividend-yield",
            help="Of options: GOOG:0.001,SPY:0.012; default OPTIONS_DIVIDEND_YIELDS.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring a file of market data into a data set. Doing it again changes nothing."""
    import msgspec

    from app.marketdata.shapes import Hints
    from app.services import imports

    hints = Hints(symbol=symbol, timeframe=timeframe_of(timeframe), tz=tz, date_format=date_format)
    if kind == "options":
        name, prices = imports.dataset_name(dataset), (rate, dividend_yield)
        _import_options(file, name, hints, prices, as_json=as_json)
        return
    if kind == "actions":
        _import_actions(file, imports.dataset_name(dataset), symbol, exchange, as_json=as_json)
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
    with progress_bar(file.name) as progress:
        report = run(
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

    with progress_bar(file.name) as progress:
        report = run(
            lambda pool: import_ticks(
                pool, file, Kind(kind), dataset=dataset, hints=hints, progress=progress, **choices
            )
        )
    show(msgspec.to_builtins(report), tick_lines(report), as_json=as_json)
    if report.rows_stored + report.duplicates == 0:
        raise typer.Exit(1)


def _import_options(
    file: Path,
    dataset: str,
    hints: "Hints",
    prices: tuple[str | None, str | None],
    *,
    as_json: bool,
) -> None:
    import msgspec

    from app.services.option_imports import import_options, model_of, option_lines

    choices: dict[str, Any] = {"dataset": dataset, "hints": hints, "model": model_of(*prices)}
    with progress_bar(file.name) as progress:
        report = run(lambda pool: import_options(pool, file, progress=progress, **choices))
    show(msgspec.to_builtins(report), option_lines(report), as_json=as_json)
    if report.rows_stored + report.rows_corrected + report.duplicates == 0:
        raise typer.Exit(1)


def _import_actions(
    file: Path, dataset: str, symbol: str | None, exchange: str | None, *, as_json: bool
) -> None:
    import msgspec

    from app.services.action_imports import action_lines, import_actions

    report = run(
        lambda pool: import_actions(
            pool, file, dataset=dataset, symbol=symbol, exchange=exchange, audit_key=audit_key()
        )
    )
    show(msgspec.to_builtins(report), action_lines(report), as_json=as_json)


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

    with progress_bar(file.name) as progress:
        report = run(
            lambda pool: import_dbn(
                pool, file, dataset=dataset, kind=kind, exchange=exchange, progress=progress
            )
        )
    show(msgspec.to_builtins(report), dbn_lines(report), as_json=as_json)
    if report.rows_stored + report.duplicates == 0:
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="To write: .csv, .csv.gz or .parquet.")],
    symbol: Annotated[str, typer.Option("--symbol", help="Whose bars, for example SPY.")],
    timeframe: Annotated[str, typer.Option("--timeframe", metavar="LENGTH")] = "1m",
    dataset: Dataset = None,
    start: When = None,
    end: When = None,
    adjusted: Annotated[
        bool, typer.Option("--adjusted", help="In the shares of now, or of --as-of.")
    ] = False,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", help="With --adjusted: as known then, UTC.", formats=DAY_OR_MINUTE),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write stored bars to a file that can be imported again."""
    from app.services.exports import export_bars
    from app.services.imports import dataset_name

    name, frame = dataset_name(dataset), timeframe_of(timeframe)
    assert frame is not None
    count = run(
        lambda pool: export_bars(
            pool,
            file,
            dataset=name,
            symbol=symbol.upper(),
            timeframe=frame,
            start=start.replace(tzinfo=UTC) if start else None,
            end=end.replace(tzinfo=UTC) if end else None,
            adjusted=adjusted or as_of is not None,
            as_of=as_of.replace(tzinfo=UTC) if as_of else None,
        )
    )
    result = {"file": str(file), "bars": count, "dataset": name}
    show(result, f"Wrote {count:,} bars of {symbol.upper()} to {file}.", as_json=as_json)
