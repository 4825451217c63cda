"""Trading on the command line: deploy a strategy, and look at what became of it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from app.console.connection import Connected, NoKey, run
from app.console.output import Json
from app.console.words import (
    Account,
    Follow,
    Many,
    OfDeployment,
    Row,
    Symbol,
    event_type_of,
    money_of,
    names_in,
    parameter_of,
    report,
    show_list,
    status_of,
    timeframe_of,
    upper,
)
from app.core.environment import strategy_folders
from app.repositories import deployment_reports
from app.repositories import events as journaled
from app.repositories import orders as stored_orders
from app.repositories import positions as stored_positions
from app.repositories import signals as stored_signals
from app.repositories import trades as stored_trades
from app.repositories.deployment_reports import DeploymentFilter
from app.repositories.events import EventFilter
from app.repositories.orders import OrderFilter
from app.repositories.positions import PositionFilter
from app.repositories.signals import SignalFilter
from app.repositories.trades import TradeFilter
from app.services.deployments import Deployments, Wish
from app.strategies.catalog import Catalogue

_FOLLOW_SECONDS: Final = 0.5


# ------------------------------------------------------------------------------------- deploying


def deploy(
    strategy: Annotated[str, typer.Argument(help="Name, as `tradewright strategy list` shows.")],
    symbols: Annotated[str, typer.Option(help="Comma-separated, such as AAPL,SPY.")],
    timeframe: Annotated[str, typer.Option(help="1m, 5m, 15m, 1h or 1d.")] = "1m",
    account: Account = None,
    capital: Annotated[str | None, typer.Option(help="Money; default: what limits allow.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", help="A parameter as name=value; repeat it.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What you call it.")] = None,
    as_json: Json = False,
) -> None:
    """Put a strategy to work on an account."""
    parameters = dict(map(parameter_of, param or []))
    bars = timeframe_of(timeframe)
    money = None if capital is None else money_of(capital)

    async def work(at: Connected) -> dict[str, Any]:
        service = Deployments(at.pool, at.desk, Catalogue(strategy_folders()))
        wish = Wish(
            strategy=strategy,
            parameters=parameters,
            symbols=names_in(symbols),
            timeframe=bars,
            account_id=account,
            capital=money,
            name=name,
        )
        made = await service.create(at.caller, wish, start=True, once=NoKey())
        command = dict(made.command or {})
        return {
            "deployment_id": made.deployment_id,
            "command_id": command.get("id"),
            "status": command.get("status"),
            "result": command.get("result"),
        }

    report(run(work), "Deployment {deployment_id}", as_json=as_json)


# --------------------------------------------------------------------------------------- looking


def deployments(account: Account = None, limit: Many = 50, as_json: Json = False) -> None:
    """List the deployments."""

    async def work(at: Connected) -> Sequence[Row]:
        return (
            await deployment_reports.listing(at.pool, DeploymentFilter(account_id=account))(
                limit, None
            )
        ).items

    columns = ("id", "name", "strategy", "symbols", "timeframe", "state", "account_id")
    show_list("deployments", run(work), columns, as_json=as_json)


def signals(
    account: Account = None,
    deployment: OfDeployment = None,
    symbol: Symbol = None,
    limit: Many = 50,
    as_json: Json = False,
) -> None:
    """List the signals, the newest first."""

    async def work(at: Connected) -> Sequence[Row]:
        wanted = SignalFilter(account_id=account, deployment_id=deployment, symbol=upper(symbol))
        return (await stored_signals.listing(at.pool, wanted)(limit, None)).items

    columns = ("at", "signal_id", "symbol", "signal_type", "exposure", "price", "outcome")
    show_list("signals", run(work), columns, as_json=as_json)


def orders(
    account: Account = None,
    deployment: OfDeployment = None,
    symbol: Symbol = None,
    status: Annotated[str | None, typer.Option(help="open, closed or a status.")] = None,
    limit: Many = 50,
    as_json: Json = False,
) -> None:
    """List the orders, the newest first."""

    async def work(at: Connected) -> Sequence[Row]:
        wanted = OrderFilter(
            account_id=account,
            deployment_id=deployment,
            symbol=upper(symbol),
            status=[status_of(status)] if status else (),
        )
        found = (await stored_orders.listing(at.pool, wanted)(limit, None)).items
        return [{**row, "rests": _rests(row)} for row in found]

    columns = (
        "at", "client_order_id", "symbol", "side", "quantity", "type", "leg", "status", "pending",
        "rests",
    )  # fmt: skip
    show_list("orders", run(work), columns, as_json=as_json)


def _rests(row: Row) -> str:
    """Where an open order waits for its price."""
    if not row["is_open"]:
        return ""
    return "here, only while running" if row["is_held"] else "at the broker"


def positions(account: Account = None, symbol: Symbol = None, as_json: Json = False) -> None:
    """List what is held."""

    async def work(at: Connected) -> Sequence[Row]:
        wanted = PositionFilter(account_id=account, symbol=upper(symbol))
        found = (await stored_positions.listing(at.pool, wanted)(1000, None)).items
        return [{**row, "protection": _protection(row)} for row in found]

    columns = (
        "account_id", "ledger", "symbol", "quantity", "average_price", "unrealized_pnl",
        "protection",
    )  # fmt: skip
    show_list("positions", run(work), columns, as_json=as_json)


def _protection(row: Row) -> str:
    """Whether a working order ends the position when the price turns against it, or for it."""
    if row["is_protected_here"]:
        return "only while running"
    return "none" if row["stop_loss"] is row["take_profit"] is None else "at the broker"


def trades(
    account: Account = None,
    deployment: OfDeployment = None,
    symbol: Symbol = None,
    limit: Many = 50,
    as_json: Json = False,
) -> None:
    """List the round trips, the newest first."""

    async def work(at: Connected) -> Sequence[Row]:
        wanted = TradeFilter(account_id=account, deployment_id=deployment, symbol=upper(symbol))
        return (await stored_trades.listing(at.pool, wanted)(limit, None)).items

    columns = ("exit_at", "symbol", "quantity", "entry_price", "exit_price", "pnl", "exit_reason")
    show_list("trades", run(work), columns, as_json=as_json)


def events(
    account: Account = None,
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type; repeat it.")
    ] = None,
    limit: Many = 50,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """List the journal's events, the oldest of the newest first; with --follow as they come."""
    types = [event_type_of(name) for name in kind or []]

    async def work(at: Connected) -> None:
        shown = await _newest(at, account, types, limit)
        _print_events(shown, as_json=as_json, follow=follow)
        seen = {row["stream"]: row["seq"] for row in shown}
        while follow:
            await asyncio.sleep(_FOLLOW_SECONDS)
            fresh = await _fresh(at, account, types, seen)
            _print_events(fresh, as_json=as_json, follow=True)

    run(work)


async def _newest(
    at: Connected, account: int | None, types: Sequence[str], limit: int
) -> list[Row]:
    wanted = EventFilter(account_id=account, type=types)
    return list(reversed((await journaled.listing(at.pool, wanted)(limit, None)).items))


async def _fresh(
    at: Connected, account: int | None, types: Sequence[str], seen: dict[str, int]
) -> list[Row]:
    """What came since; `seen` moves on. A stream that was never seen is followed from its end."""
    fresh: list[Row] = []
    for stream, head in (await journaled.heads(at.pool)).items():
        if account is not None and stream != f"account:{account}":
            continue
        known = seen.setdefault(stream, head)
        if head > known:
            wanted = EventFilter(stream=stream, type=types, after_seq=known, ascending=True)
            fresh += (await journaled.listing(at.pool, wanted)(1000, None)).items
            seen[stream] = head
    return fresh


def _print_events(rows: Sequence[Row], *, as_json: bool, follow: bool) -> None:
    if follow and as_json:
        for row in rows:
            print(json.dumps(row, default=str), flush=True)
    elif follow:
        for row in rows:
            print(f"{row['occurred_at']}  {row['stream']}:{row['seq']}  {row['type']}", flush=True)
    else:
        columns = ("occurred_at", "stream", "seq", "type", "actor", "caused_by")
        show_list("events", rows, columns, as_json=as_json)
