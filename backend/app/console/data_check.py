"""`tradewright data check` and `data gaps`: verdicts, the ledger of gaps, and its repair."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.console.output import Json, show, table
from app.console.stored import Dataset, Frame, Symbol, progress_bar, run, timeframe_of

if TYPE_CHECKING:
    import asyncpg

    from app.domain.market import Timeframe

_MOST: Final = 100_000
_CHECKED: Final = (
    "dataset", "symbol", "timeframe", "bars", "completeness", "gaps", "bad", "suspicious",
    "verdict",
)  # fmt: skip
_GAPS: Final = ("dataset", "symbol", "timeframe", "start", "end", "bars", "state", "detail")


def check(
    dataset: Dataset = None,
    symbol: Symbol = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only series with bars that no check has seen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge every stored series: how whole, how believable, with a fingerprint."""
    import msgspec

    from app.services import data_quality
    from app.services.imports import known_dataset

    async def judged(pool: "asyncpg.Pool") -> list[dict[str, Any]]:
        name = await known_dataset(pool, dataset) if dataset else None
        with progress_bar("data check") as progress:
            found = data_quality.check(pool, name, symbol, changed=changed, progress=progress)
            return [msgspec.to_builtins(verdict) async for verdict in found]

    rows = run(judged)
    show(rows, table(rows, _CHECKED), as_json=as_json)


def gaps(
    dataset: Dataset = None,
    symbol: Symbol = None,
    timeframe: Frame = None,
    every: Annotated[bool, typer.Option("--all", help="Explained and repaired ones too.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Ask providers about open gaps first.")
    ] = False,
    providers: Annotated[
        str | None,
        typer.Option("--providers", help="Whom to ask, the best first: alpaca,twelve_data."),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Also what each provider said.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the gaps that checks entered in the ledger, with their states and the evidence."""
    from app.marketdata.gap_ledger import OPEN
    from app.repositories import data_gaps, paging
    from app.services.imports import known_dataset

    frame = timeframe_of(timeframe)

    async def listed(pool: "asyncpg.Pool") -> list[dict[str, Any]]:
        name = await known_dataset(pool, dataset) if dataset else None
        if repair:
            await _repair(pool, name, symbol, frame, providers)
        symbols = [symbol] if symbol else []
        states = [] if every or repair else OPEN
        fetch = data_gaps.listing(pool, name, symbols, frame, states)
        return [_plain(row) async for row in paging.every(fetch, _MOST)]

    rows = run(listed)
    lines = table(rows, _GAPS)
    if evidence and rows:
        lines += [line for row in rows for line in _evidence(row)]
    show(rows, lines, as_json=as_json)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(row)
    return plain


def _evidence(row: dict[str, Any]) -> Sequence[str]:
    return [
        f"{row['symbol']} {row['start']}  {one['provider']}: {one['answer']},"
        f" {one['bars']} bars in it, {one['around']} around it. {one['detail']}".rstrip()
        for one in row["evidence"]
    ]


async def _repair(
    pool: "asyncpg.Pool",
    dataset: str | None,
    symbol: str | None,
    timeframe: "Timeframe | None",
    providers: str | None,
) -> None:
    """Ask about every open gap of live series, one after the other."""
    from app import bootstrap
    from app.console.data_fetch import chain_of
    from app.core.errors import InvalidInput
    from app.domain.deployments import LIVE_DATASET
    from app.services import data_quality

    if dataset not in (None, LIVE_DATASET):
        raise InvalidInput(
            f"Gaps of {dataset} cannot be fetched: it is what was imported or replayed.",
            field="dataset",
            remedy="Only the data set live is repaired.",
        )
    names = await chain_of(None, providers)
    chain, refused = bootstrap.chain(names, "XNYS")
    try:
        if not chain:
            raise next(iter(refused.values()))
        with progress_bar("repair") as progress:
            await data_quality.repair(pool, chain, symbol, timeframe, progress=progress)
    finally:
        for provider in chain:
            await provider.close()
