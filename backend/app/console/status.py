"""`tradewright status`: the state of trading, asked of the database itself."""

from typing import Any
from urllib.parse import urlsplit

from app.console.output import Json, show, table
from app.core.config import settings
from app.db import home as home_folder
from app.db.address import database_url
from app.db.loopback import ask_health
from app.db.overview import overview


def status(as_json: Json = False) -> None:
    """Show trading state, health, deployments, open orders and positions."""
    found = overview(database_url())
    result = {"trading_state": found["trading_state"], "health": health(), **found}
    show(result, _lines(result), as_json=as_json)


def health() -> dict[str, Any]:
    """Status and score as the running API says them; unhealthy when it does not answer."""
    running = home_folder.running(settings.home)
    address = urlsplit((running and running.api_url) or settings.api.url)
    certificate = settings.api.tls_certificate if address.scheme == "https" else None
    answer = ask_health(address.hostname or "127.0.0.1", address.port or 80, certificate)
    if answer is None:
        return {"status": "unhealthy", "score": 0, "detail": f"{address.geturl()} does not answer"}
    return {"status": answer["status"], "score": answer.get("score", 0), "detail": None}


def _lines(result: dict[str, Any]) -> list[str]:
    state = result["health"]
    note = f" ({state['detail']})" if state["detail"] else ""
    return [
        f"Trading is {result['trading_state']}.",
        f"Health: {state['status']}, {state['score']} of 100{note}.",
        f"Open orders: {result['open_orders']}.",
        f"Guardian: {result['guardian']}.",
        "",
        "Deployments",
        *table(
            result["deployments"], ("id", "strategy", "symbols", "timeframe", "state", "account")
        ),
        "",
        "Brokers",
        *table(result["brokers"], ("account", "broker", "mode", "state", "reconciled", "reason")),
        "",
        "Positions",
        *table(result["positions"], ("account", "ledger", "symbol", "quantity", "average_price")),
    ]
