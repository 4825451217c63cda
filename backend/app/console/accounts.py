"""`tradewright accounts`: list them, or open one on live data."""

import asyncio
from typing import Annotated, Any

import typer

from app.console.connection import Connected, run
from app.console.output import Json, show
from app.console.words import money_of, names_in, show_list
from app.core.clock import system
from app.core.errors import InvalidInput
from app.core.live import FEED_ORDER

app = typer.Typer(
    help="List the accounts, or add one.", add_completion=False, invoke_without_command=True
)


@app.callback()
def listing(context: typer.Context, as_json: Json = False) -> None:
    """List the accounts, or add one."""
    if context.invoked_subcommand is not None:
        return

    async def work(at: Connected) -> list[dict[str, Any]]:
        from app.repositories import account_reports

        return (await account_reports.listing(at.pool)(1000, None)).items

    columns = ("id", "name", "dataset", "equity", "cash", "trading_state", "is_running")
    show_list("accounts", run(work), columns, as_json=as_json)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    feeds: Annotated[
        str, typer.Option(help="Comma-separated providers, the best first: alpaca,twelve_data.")
    ],
    symbols: Annotated[str, typer.Option(help="Comma-separated, such as AAPL,SPY.")],
    cash: Annotated[str, typer.Option(help="Money to begin with.")] = "100000",
    as_json: Json = False,
) -> None:
    """Open a paper account on live data. Each provider but the first steps in for those before."""
    from app.services.live_accounts import LiveAccounts

    chain = [one.lower() for one in feeds.replace(" ", "").split(",") if one]
    money = money_of(cash)
    check_feeds(chain)

    async def work(at: Connected) -> dict[str, Any]:
        service = LiveAccounts(at.pool, at.audit_key, system)
        account = await service.open("console", name, chain, names_in(symbols), cash=money)
        return {
            "id": account.id,
            "name": account.name,
            "dataset": account.dataset,
            "feeds": list(account.settings.chain),
            "symbols": list(account.settings.symbols),
        }

    row = run(work)
    line = f"Account {row['id']} {row['name']!r} gets its prices from {', then '.join(chain)}."
    show(row, line, as_json=as_json)


def check_feeds(names: list[str]) -> None:
    """Raises NotFound with the nearest name, ConfigurationError with the variable of a key."""
    from app import bootstrap

    async def work() -> None:
        made, refused = bootstrap.chain(names, "XNYS")
        for provider in made:
            await provider.close()
        for error in refused.values():
            raise error

    not_live = sorted(set(names) & {"simulator", "replay", "csv"})
    if not_live:
        raise InvalidInput(
            f"{not_live[0]} has no live data.",
            field="feeds",
            remedy=f"There are: {', '.join(FEED_ORDER)}, ibkr, yfinance.",
        )
    asyncio.run(work())
