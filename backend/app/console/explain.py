"""`tradewright explain`: why there was, or was not, a trade."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from app.console.connection import Connected, run
from app.console.output import Json, show
from app.console.words import Account, instant_of
from app.core.clock import now
from app.services.explanations import Explanations
from app.services.timeline import Timeline


def explain(
    symbol: Annotated[str, typer.Argument(help="Of which symbol.")],
    at_instant: Annotated[
        str | None,
        typer.Option("--at", help="When, such as 2026-01-05T15:00Z; default: now."),
    ] = None,
    account: Account = None,
    deployment: Annotated[
        int | None, typer.Option(help="Only the newest order of this deployment, up to then.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why there was, or was not, a trade of a symbol at an instant, from stored facts."""
    at = instant_of(at_instant)
    if deployment is None:
        found = run(lambda connected: _instant(connected, symbol, at or now(), account))
        show(found, _lines(found), as_json=as_json)
    else:
        found = run(lambda connected: _newest(connected, deployment, symbol, at))
        show(found, _order_lines(found), as_json=as_json)


async def _instant(
    connected: Connected, symbol: str, at: datetime, account: int | None
) -> dict[str, Any]:
    return await Explanations(connected.pool).explain(connected.caller, symbol, at, account)


async def _newest(
    connected: Connected, deployment: int, symbol: str, at: datetime | None
) -> dict[str, Any]:
    whole = await Timeline(connected.pool).explain(connected.caller, deployment, symbol, at)
    whole.pop("bars", None)
    return whole


def _lines(found: dict[str, Any]) -> list[str]:
    bar = found["bar"]
    lines = [f"{found['symbol']} at {found['slice_end']}, account {found['account_id']}"]
    if bar:
        prices = " ".join(f"{name} {bar[name]:g}" for name in ("open", "high", "low", "close"))
        lines.append(f"Bar: {prices} volume {bar['volume']:g}")
    lines.append(f"Trading: {found['trading_state']}")
    lines += found["answer"]
    for one in found["deployments"]:
        lines += _decider(one)
    return lines


def _decider(one: dict[str, Any]) -> list[str]:
    name = one["ledger"] if one["deployment_id"] is None else f"Deployment {one['deployment_id']}"
    values = ", ".join(f"{key} {value:g}" for key, value in one["indicator_values"].items())
    lines = [f"{name} held {one['held']}"]
    if values:
        lines.append(f"  values: {values}")
    if one["sizing"] is not None:
        sizing = one["sizing"]
        lines.append(
            f"  sizing: exposure {sizing['exposure']:+g} at {sizing['price']}"
            f" is {sizing['target_quantity']} shares"
        )
    lines += [f"  {_check(check)}" for check in one["checks"]]
    lines += [
        f"  filled {_plain(fill['quantity'])} at {_plain(fill['price'])}, {fill['at']}"
        for fill in one["executions"]
    ]
    return lines


def _check(check: dict[str, Any]) -> str:
    said = "passed" if check["passed"] else "no"
    whose = f" ({check['scope']})" if check.get("scope") else ""
    if check["value"] is None or check["limit"] is None:
        return f"{check['rule']}{whose}: {said}"
    return f"{check['rule']}{whose}: {said}, {_plain(check['value'])} of {_plain(check['limit'])}"


def _plain(number: Decimal) -> str:
    """Without the zeros that the tables pad it with."""
    return f"{number.normalize():f}"


def _order_lines(found: dict[str, Any]) -> list[str]:
    signal = found["signal"]
    values = ", ".join(f"{name} {value:g}" for name, value in found["indicator_values"].items())
    lines = [
        f"{signal['at']}  {signal['symbol']}: wanted {signal['exposure']:+g} at {signal['price']}.",
        f"Because: {'; '.join(signal['reasons'])} ({values})." if values else "",
        *(f"{step['at']}  {step['title']}" for step in found["steps"]),
    ]
    if found.get("denial"):
        lines.append(f"Denied: {found['denial_detail']}")
    return [line for line in lines if line]
