"""One small account for tests: an engine, its driver, a paper broker, and bars by hand."""

from collections.abc import Coroutine
from typing import Any

from app.domain.events import CommandReceived
from app.research.market import Market
from tests.markets import PARAMETERS


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine waited for something")


def start_command(strategy: str, market: Market) -> CommandReceived:
    """Deployment 1 on all symbols of a market, at its first open."""
    return CommandReceived(
        command_id=1,
        kind="deployment_start",
        payload={
            "deployment_id": 1,
            "strategy": strategy,
            "parameters": dict(PARAMETERS[strategy]),
            "symbols": list(market.tracks),
            "timeframe": market.timeframe.value,
            "capital": None,
        },
        actor="backtest",
        at=market.days[0].open,
    )
