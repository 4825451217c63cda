"""Whether IBKR has shares of a stock to lend, for a short sale: its `shortable` tick."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from app.adapters.clients.ibkr import IbkrSession
from app.adapters.clients.ibkr_errors import NAME
from app.core.errors import TradewrightError, TransientError

SHORTABLE: Final = "236"
"The generic tick to ask for; https://interactivebrokers.github.io/tws-api/tick_types.html"
SHORTABLE_TICK: Final = 46
AVAILABLE_ABOVE: Final = 2.5
"Above 1.5 IBKR looks for shares, above 2.5 it has at least 1000; below it has none."


class Ear:
    """Waits for the tick of one symbol."""

    def __init__(self) -> None:
        self.value: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def hear(self, what: str, *said: Any) -> None:  # noqa: ANN401
        if self.value.done():
            return
        if what == "tickGeneric" and said[0] == SHORTABLE_TICK:
            self.value.set_result(float(said[1]))
        elif what == "error":
            said_no = f"IBKR says ({said[0]}): {said[1]}"
            self.value.set_exception(TransientError(said_no, api_name=NAME))


async def lent(session: IbkrSession, symbols: Iterable[str], *, seconds: float) -> dict[str, bool]:
    """By symbol; one that IBKR says nothing of within `seconds` is left out."""
    found: dict[str, bool] = {}
    for symbol in symbols:
        with suppress(TradewrightError, TimeoutError):
            found[symbol] = await _is_lent(session, symbol, seconds)
    return found


async def _is_lent(session: IbkrSession, symbol: str, seconds: float) -> bool:
    contract, ear = await session.contract(symbol), Ear()
    number = session.subscribe(
        ear, lambda client, n: client.reqMktData(n, contract, SHORTABLE, False, False, [])
    )
    try:
        async with asyncio.timeout(seconds):
            return await ear.value > AVAILABLE_ABOVE
    finally:
        session.unsubscribe(number, lambda client, n: client.cancelMktData(n))
