"""Prints and quotes of the past: a thousand a request, under the strict pacing rules."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import numpy as np

from app.adapters.clients.ibkr import IbkrSession
from app.adapters.clients.ibkr_lines import print_label, side
from app.core.clock import to_ns
from app.core.errors import NotFound
from app.marketdata.batch import QUOTE, TICK, QuoteBatch, TickBatch, TickLabel

What = Literal["TRADES", "BID_ASK"]
PAGE: Final = 1_000
"The most of a request; of its last second, IBKR gives all."


async def pages(
    session: IbkrSession, symbol: str, what: What, start: datetime, end: datetime
) -> AsyncGenerator[Sequence[Any]]:
    """The library's ticks with start <= time < end, oldest first. Raises what `ask_history` does.

    Times are whole seconds. A page may have less than a thousand although more follow.
    """
    second = start.astimezone(UTC).replace(microsecond=0)
    while second < end:
        found = await _page(session, symbol, what, second)
        wanted = [tick for tick in found if start <= tick.time < end]
        if wanted:
            yield wanted
        if not found:
            return
        second = found[-1].time.astimezone(UTC) + timedelta(seconds=1)


async def _page(session: IbkrSession, symbol: str, what: What, second: datetime) -> Sequence[Any]:
    """One request, from `second` on; empty where nothing follows."""
    contract, asked = await session.contract(symbol), f"{second:%Y%m%d-%H:%M:%S}"
    try:
        found: Sequence[Any] = await session.ask_history(
            lambda client, number: client.reqHistoricalTicks(
                number, contract, asked, "", PAGE, what, False, False, []
            ),
            (symbol, what, asked),
            symbol,
            is_small=True,
        )
    except NotFound as error:
        if error.context.get("no_data"):
            return ()
        raise
    return found


def prints(symbol: str, ticks: Sequence[Any]) -> TickBatch:
    """As columns."""
    labels: dict[TickLabel, int] = {}
    rows = np.empty(len(ticks), dtype=TICK)
    for at, tick in enumerate(ticks):
        label = print_label(
            tick.exchange, tick.specialConditions, counts=not tick.tickAttribLast.unreported
        )
        known = labels.setdefault(label, len(labels))
        rows[at] = (to_ns(tick.time), 0, 0, tick.price, tick.size, known)
    return TickBatch((symbol,), rows, tuple(labels))


def tops(symbol: str, ticks: Sequence[Any]) -> QuoteBatch:
    """As columns."""
    rows = np.empty(len(ticks), dtype=QUOTE)
    for at, tick in enumerate(ticks):
        bid, ask = side(tick.priceBid, tick.sizeBid), side(tick.priceAsk, tick.sizeAsk)
        rows[at] = (to_ns(tick.time), 0, 0, *bid, *ask)
    return QuoteBatch((symbol,), rows)
