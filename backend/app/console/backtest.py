"""`tradewright backtest`: run a strategy over stored bars or files, by the engine that trades."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.console.output import Json

if TYPE_CHECKING:
    from rich.table import Table

    from app.research.report import BacktestRequest, Report
    from app.strategies.catalog import Catalogue

Name = Annotated[str, typer.Argument(help="A strategy of the catalogue, as sma_cross.")]
Symbols = Annotated[
    list[str] | None, typer.Option("--symbols", help="SPY,IBM; with --data all, by default.")
]
Frame = Annotated[
    str, typer.Option("--timeframe", help="1s, 1m, 5m, 15m, 1h or 1d.", metavar="LENGTH")
]
Start = Annotated[
    str | None, typer.Option("--start", help="First day, or instant in UTC.", metavar="TIME")
]
End = Annotated[
    str | None, typer.Option("--end", help="Last day (included), or instant.", metavar="TIME")
]
Param = Annotated[
    list[str] | None, typer.Option("--param", help="A parameter: fast=10.", metavar="NAME=VALUE")
]
Dataset = Annotated[
    str | None, typer.Option("--dataset", help="Stored bars: NAME of import:NAME, live, …")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="A file or folder of bars; needs no database.")
]
Zone = Annotated[str | None, typer.Option("--tz", help="Time zone of files that do not say it.")]
Exchange = Annotated[
    str, typer.Option("--exchange", help="Whose sessions files have: XNYS, 24/5 for FX.")
]
Cash = Annotated[str, typer.Option("--cash", help="To begin with.", metavar="AMOUNT")]
Capital = Annotated[
    str | None,
    typer.Option("--capital", help="For the strategy; else the limits say.", metavar="AMOUNT"),
]
LimitsOf = Annotated[
    str, typer.Option("--limits", help="account (its limits apply) or none.", metavar="WHOSE")
]
Trades = Annotated[
    Path | None, typer.Option("--trades", help="Write the round trips as CSV.", dir_okay=False)
]
Equity = Annotated[
    Path | None, typer.Option("--equity", help="Write the equity curve as CSV.", dir_okay=False)
]
Page = Annotated[
    Path | None, typer.Option("--report", help="Write a page with charts (HTML).", dir_okay=False)
]
Folder = Annotated[
    Path | None,
    typer.Option("--strategies", help="Another folder with strategy files.", file_okay=False),
]


def backtest(
    strategy: Name,
    symbols: Symbols = None,
    timeframe: Frame = "1m",
    start: Start = None,
    end: End = None,
    param: Param = None,
    dataset: Dataset = None,
    data: Data = None,
    tz: Zone = None,
    exchange: Exchange = "XNYS",
    cash: Cash = "100000",
    capital: Capital = None,
    limits: LimitsOf = "account",
    trades: Trades = None,
    equity: Equity = None,
    report: Page = None,
    strategies: Folder = None,
    as_json: Json = False,
) -> None:
    """Run a strategy over past bars: the same engine, risk and fills as paper trading."""
    from app.console.stored import timeframe_of
    from app.console.strategy import catalogue_of
    from app.research.report import BacktestRequest, value_of

    length = timeframe_of(timeframe)
    assert length is not None
    request = BacktestRequest(
        strategy=strategy,
        symbols=symbols_of(symbols or ()),
        timeframe=length,
        parameters=parameters_of(param or ()),
        start=instant_of(start, "start"),
        end=instant_of(end, "end", through=True),
        cash=money_of(cash, "cash"),
        capital=None if capital is None else money_of(capital, "capital"),
        limits=limits_of(limits),
    )
    refuse_backwards(request)
    catalogue = catalogue_of(strategies)
    with _working(f"Running {strategy}…"):
        if data is not None:
            found = _on_files(catalogue, request, data, tz, exchange)
        else:
            found = _on_database(catalogue, request, dataset)
    _write_files(found, trades=trades, equity=equity, page=report)
    if as_json:
        import json

        print(json.dumps(value_of(found), indent=2))
    else:
        _print(found, [path for path in (trades, equity, report) if path])
    if found.failure:
        raise typer.Exit(1)


def _on_files(
    catalogue: "Catalogue",
    request: "BacktestRequest",
    data: Path,
    tz: str | None,
    exchange: str,
) -> "Report":
    from app.marketdata.calendar import trading_calendar
    from app.marketdata.shapes import Hints
    from app.services.backtests import run_on_files

    calendar = trading_calendar(exchange)
    return run_on_files(catalogue, request, data, hints=Hints(tz=tz), calendar=calendar)


def _on_database(
    catalogue: "Catalogue", request: "BacktestRequest", dataset: str | None
) -> "Report":
    import asyncio

    from app.console.database import at_hand
    from app.core.config import settings
    from app.core.errors import InvalidInput
    from app.core.security import master_key, subkey
    from app.db.session import opened_pool
    from app.repositories.journal import SharedJournal
    from app.services.backtests import run_on_database
    from app.services.imports import dataset_name

    catalogue.make(request.strategy, request.parameters)
    if not request.symbols:
        raise InvalidInput(
            "Name the symbols to trade.", field="symbols", remedy="For example --symbols SPY,IBM."
        )
    name = dataset_name(dataset) if dataset else None

    async def run() -> "Report":
        master = master_key(settings.home, settings.app.secret_key)  # its home is there by now
        async with opened_pool(address, max_size=2) as pool:
            journal = SharedJournal(pool, subkey(master, "journal"))
            return await run_on_database(pool, catalogue, request, dataset=name, journal=journal)

    with at_hand("tradewright backtest", makes=False) as address:
        return asyncio.run(run())


# ------------------------------------------------------------------------------- what was asked


def symbols_of(texts: Iterable[str]) -> tuple[str, ...]:
    """`SPY,IBM` as symbols, each once. Raises InvalidInput."""
    from app.marketdata.files import normal_symbol

    parts = (part for text in texts for part in text.split(",") if part.strip())
    return tuple(dict.fromkeys(normal_symbol(part) for part in parts))


def parameters_of(texts: Iterable[str]) -> dict[str, Any]:
    """`fast=10` as a parameter. Raises InvalidInput for what has no `=`."""
    from app.core.errors import InvalidInput

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(
                f"{text!r} is no parameter.", field="param", remedy="Write --param fast=10."
            )
        found[name.strip()] = value.strip()
    return found


def instant_of(text: str | None, field: str, *, through: bool = False) -> datetime | None:
    """A day or an instant, UTC unless it says otherwise; `through`: a day means its end."""
    from app.core.errors import InvalidInput

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no time.", field=field, remedy="Write 2013-10-04 or 2013-10-04T14:30."
        ) from None
    if through and len(text) <= len("2013-10-04"):
        found += timedelta(days=1)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def money_of(text: str, field: str) -> Decimal:
    """An amount above zero. Raises InvalidInput."""
    from app.core.errors import InvalidInput

    try:
        amount = Decimal(text.replace(",", "").replace("_", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 < amount < Decimal(10) ** 12:
        raise InvalidInput(f"{field} must be an amount above zero, not {text!r}.", field=field)
    return amount


def limits_of(text: str) -> Literal["account", "none"]:
    from app.core.errors import InvalidInput

    if text == "account":
        return "account"
    if text == "none":
        return "none"
    raise InvalidInput(f"limits must be account or none, not {text!r}.", field="limits")


def refuse_backwards(request: "BacktestRequest") -> None:
    """Raises InvalidInput when the end is not after the start."""
    from app.core.errors import InvalidInput

    if request.start and request.end and request.start >= request.end:
        raise InvalidInput("end must be after start.", field="end")


# ------------------------------------------------------------------------------ what came of it


def _write_files(
    report: "Report", *, trades: Path | None, equity: Path | None, page: Path | None
) -> None:
    from app.research.report import EQUITY_COLUMNS, TRADE_COLUMNS, equity_rows, trade_rows

    if trades:
        _write_csv(trades, TRADE_COLUMNS, trade_rows(report.result))
    if equity:
        _write_csv(equity, EQUITY_COLUMNS, equity_rows(report.result))
    if page:
        from app.research.page import page_of

        with _writing(page):
            page.write_text(page_of(report), encoding="utf-8")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    import csv

    with _writing(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    from app.core.errors import ConfigurationError

    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def _working(what: str) -> Iterator[None]:
    """A spinner on a terminal, silence elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _print(report: "Report", written: Sequence[Path]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_title(report))
    console.print(_figures(report))
    for line in _remarks(report, written):
        console.print(line, markup=False)


def _title(report: "Report") -> str:
    request = report.request
    given = ", ".join(f"{name} {value}" for name, value in request.parameters.items())
    return (
        f"[bold]{request.strategy}[/] ({given}) on {', '.join(request.symbols)} {request.timeframe}"
        f", {report.start:%Y-%m-%d %H:%M} to {report.end:%Y-%m-%d %H:%M} UTC"
    )


def _figures(report: "Report") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from app.research.figures import figure_pairs

    table = Table(box=SIMPLE_HEAD, show_header=False, pad_edge=False)
    for justify in ("left", "right", "left", "right"):
        table.add_column(justify=justify, min_width=14)
    pairs = figure_pairs(report)
    half = (len(pairs) + 1) // 2
    right = [*pairs[half:], ("", "")] if len(pairs) % 2 else pairs[half:]
    for (name, value), (other, second) in zip(pairs[:half], right, strict=True):
        table.add_row(name, value, f"  {other}", second)
    return table


def _remarks(report: "Report", written: Sequence[Path]) -> Iterator[str]:
    from app.research.figures import remarks

    yield from remarks(report)
    yield from (f"Wrote {path}." for path in written)
