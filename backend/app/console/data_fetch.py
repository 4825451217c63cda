"""`tradewright data fetch`: what vendors have of a symbol: bars, prints, quotes, and the rest."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.console.output import Json, show
from app.console.stored import Dataset, Frame, audit_key, progress_bar, run, timeframe_of

if TYPE_CHECKING:
    import asyncpg

    from app.marketdata.ports import DataProvider
    from app.services.fetching import FetchReport, Wish

KINDS: Final = ("bars", "ticks", "quotes", "options", "actions", "profiles")
_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
_USUALLY: Final = {"1d": 365, "1h": 90}
_USUAL_DAYS: Final = 30
From = Annotated[
    datetime | None,
    typer.Option(
        "--from", help="UTC; default: a month before --to (1d: a year).", formats=_FORMATS
    ),
]
To = Annotated[datetime | None, typer.Option("--to", help="UTC; default: now.", formats=_FORMATS)]


def fetch(
    symbols: Annotated[list[str], typer.Argument(help="As AAPL MSFT, or AAPL,MSFT.")],
    start: From = None,
    end: To = None,
    timeframe: Frame = "1m",
    provider: Annotated[
        str | None, typer.Option("--provider", help="Whom to ask, for example alpaca.")
    ] = None,
    providers: Annotated[
        str | None,
        typer.Option("--providers", help="Several, the best first; default: LIVE_FEEDS."),
    ] = None,
    dataset: Dataset = None,
    kind: Annotated[str, typer.Option("--kind", help=f"One of {', '.join(KINDS)}.")] = "bars",
    exchange: Annotated[
        str, typer.Option("--exchange", help="Whose sessions, for symbols that are new.")
    ] = "XNYS",
    as_json: Json = False,
) -> None:
    """Fetch what is missing of a period from vendors, check and store it. Again: it goes on.

    Without --dataset it goes into `live`.
    """
    import msgspec

    from app.core.clock import system
    from app.services.fetching import Wish, fetch_lines
    from app.services.imports import dataset_name

    _refuse_kind(kind)
    frame = timeframe_of(timeframe)
    assert frame is not None
    until = (end or system.now()).replace(tzinfo=UTC)
    since = (
        start.replace(tzinfo=UTC)
        if start
        else until - timedelta(days=_USUALLY.get(str(frame), _USUAL_DAYS))
    )
    wish = Wish(
        dataset=dataset_name(dataset) if dataset else "live",
        start=since,
        end=until,
        timeframe=frame,
        exchange=exchange,
    )
    names = [name.upper() for text in symbols for name in text.split(",") if name]

    async def fetched(pool: "asyncpg.Pool") -> list["FetchReport"]:
        async with _chain(provider, providers, exchange) as chain:
            return [
                report for name in names for report in [await _one(pool, chain, name, kind, wish)]
            ]

    reports = run(fetched)
    show([msgspec.to_builtins(one) for one in reports], fetch_lines(reports), as_json=as_json)
    if not all(report.is_complete for report in reports):
        raise typer.Exit(1)


async def _one(
    pool: "asyncpg.Pool", chain: Sequence["DataProvider"], symbol: str, kind: str, wish: "Wish"
) -> "FetchReport":
    """One symbol, of the first provider that has such a thing; bars are asked of all."""
    from app.marketdata.ports import ActionSource, ChainSource, ProfileSource, TickSource
    from app.services import fetching

    if kind == "bars":
        with _progress(symbol) as progress:
            return await fetching.fetch_bars(pool, chain, symbol, wish, progress=progress)
    if kind in ("ticks", "quotes"):
        ticks: TickSource = _first(chain, TickSource, kind)
        with _progress(symbol) as progress:
            return await fetching.fetch_prints(pool, ticks, symbol, kind, wish, progress=progress)
    if kind == "options":
        return await fetching.fetch_options(pool, _first(chain, ChainSource, kind), symbol, wish)
    if kind == "profiles":
        known: ProfileSource = _first(chain, ProfileSource, kind)
        return await fetching.fetch_profile(pool, known, symbol, wish)
    source = _first(chain, ActionSource, kind)
    return await fetching.fetch_actions(pool, source, symbol, wish, audit_key=audit_key())


def _first(chain: Sequence["DataProvider"], protocol: type[Any], kind: str) -> Any:  # noqa: ANN401 - whatever the protocol says
    """The first provider that offers it. Raises InvalidInput when none does."""
    from app.core.errors import InvalidInput

    for provider in chain:
        if isinstance(provider, protocol):
            return provider
    names = ", ".join(one.name for one in chain)
    raise InvalidInput(
        f"{names} has no {kind}.",
        field="provider",
        remedy="Name another with --provider; `docs/data` says what each vendor has.",
    )


def _progress(symbol: str) -> AbstractContextManager[Any]:
    return progress_bar(symbol)


def _refuse_kind(kind: str) -> None:
    from app.core.errors import InvalidInput
    from app.core.registry import suggestion

    if kind not in KINDS:
        raise InvalidInput(
            f"{kind!r} cannot be fetched.", field="kind", remedy=suggestion(kind, KINDS)
        )


async def chain_of(provider: str | None, providers: str | None) -> list[str]:
    """Names of the providers that are meant. Raises InvalidInput when there is none."""
    from app import bootstrap
    from app.core.errors import InvalidInput

    named = [name.strip() for name in (providers or provider or "").split(",") if name.strip()]
    if provider and providers:
        raise InvalidInput("Use --provider or --providers, not both.", field="provider")
    names = named or list(await bootstrap.configured_feeds())
    if not names:
        raise InvalidInput(
            "No provider is named, and none has a key.",
            field="provider",
            remedy="Use --provider NAME (yfinance needs no key), or set a key in .env.",
        )
    return names


@asynccontextmanager
async def _chain(
    provider: str | None, providers: str | None, exchange: str
) -> AsyncIterator[list["DataProvider"]]:
    """The providers, opened. Raises what is missing where none of them can be had."""
    from app import bootstrap

    made, refused = bootstrap.chain(await chain_of(provider, providers), exchange)
    try:
        if not made:
            raise next(iter(refused.values()))
        for line in _left_out(refused):
            typer.echo(line, err=True)
        yield made
    finally:
        for one in made:
            await one.close()


def _left_out(refused: dict[str, Any]) -> Iterator[str]:
    yield from (f"Without {name}: {error}" for name, error in refused.items())
