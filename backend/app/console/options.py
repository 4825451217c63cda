"""`tradewright options`: the option chain on a stock."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final

import asyncpg
import msgspec
import typer

from app.console.connection import Connected, run
from app.console.output import Json, show, table
from app.core.clock import system
from app.core.errors import InvalidInput, NotFound
from app.core.registry import suggestion
from app.domain.options import OptionType, option_type_of, strike_of
from app.repositories import options_data
from app.repositories.paging import Row
from app.services.imports import dataset_name
from app.services.options import ChainPage, ChainWish, Options

_MOST: Final = 5_000
_ROUNDED: Final = {
    "implied_volatility": 4, "delta": 3, "gamma": 4, "theta": 3, "vega": 3, "rho": 3,
}  # fmt: skip
_COLUMNS: Final = (
    "strike", "type", "bid", "ask", "last", "volume", "open_interest", *_ROUNDED,
)  # fmt: skip


def options(
    symbol: Annotated[str, typer.Argument(help="The underlying, as GOOG.")],
    expiry: Annotated[str | None, typer.Option(help="As 2026-12-18; default: the nearest.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="call or put; default: both.")] = None,
    min_strike: Annotated[str | None, typer.Option(help="From this strike on.")] = None,
    max_strike: Annotated[str | None, typer.Option(help="Up to this strike.")] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="NAME of import:NAME, or a full name; default: the only one."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the option chain on a stock: quotes, implied volatility and greeks of one expiry."""
    wish = ChainWish(
        expiry=expiry_of(expiry),
        option_type=None if kind is None else OptionType(option_type_of(kind)),
        min_strike=None if min_strike is None else strike_of(min_strike),
        max_strike=None if max_strike is None else strike_of(max_strike),
        limit=_MOST,
    )

    async def work(at: Connected) -> ChainPage:
        name = await chain_dataset(at.pool, dataset)
        reader = Options(at.pool, None, system)
        if wish.expiry is None:
            first = await reader.chain(symbol, name, ChainWish(limit=1))
            nearest = first.expiries[0] if first.expiries else None
            return await reader.chain(symbol, name, msgspec.structs.replace(wish, expiry=nearest))
        return await reader.chain(symbol, name, wish)

    page = run(work)
    found = msgspec.structs.asdict(page)
    found["options"] = found.pop("items")
    del found["next_cursor"], found["datasets"]
    show(found, chain_lines(page), as_json=as_json)


def chain_lines(page: ChainPage) -> list[str]:
    """The chain for a person."""
    if page.at is None:
        return [f"{page.dataset} has no option chain on {page.symbol}."]
    shown = sorted({str(row["expiry"]) for row in page.items})
    price = "unknown" if page.underlying_price is None else f"{page.underlying_price:,.2f}"
    return [
        f"{page.symbol} in {page.dataset} at {page.at:%Y-%m-%d %H:%M:%S} UTC,"
        f" underlying {price}, expiry {', '.join(shown) or 'none'}",
        *table([_rounded(row) for row in page.items], _COLUMNS),
        f"Expiries: {', '.join(map(str, page.expiries))}",
    ]


async def chain_dataset(pool: asyncpg.Pool, given: str | None) -> str:
    """The data set that is meant. Raises NotFound, or InvalidInput where it is one of many."""
    known = await options_data.datasets(pool)
    if given is not None:
        return _known(dataset_name(given), known)
    if not known:
        raise NotFound(
            "No option chain is stored.",
            remedy="Import one: tradewright data import FILE --kind options.",
        )
    if len(known) > 1:
        raise InvalidInput(
            "There are several data sets with option chains.",
            field="dataset",
            remedy=f"Name one with --dataset: {', '.join(known)}.",
        )
    return known[0]


def expiry_of(text: str | None) -> date | None:
    """A day as 2026-12-18. Raises InvalidInput."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no day.", field="expiry", remedy="Write it as 2026-12-18."
        ) from None


def _known(name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise NotFound(f"No option chain is stored in {name}.", remedy=suggestion(name, known))
    return name


def _rounded(row: Row) -> dict[str, Any]:
    return {
        name: round(value, _ROUNDED[name]) if name in _ROUNDED and value is not None else value
        for name, value in row.items()
    }
