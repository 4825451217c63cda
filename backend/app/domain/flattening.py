"""Getting out of an account from outside its engine: which orders, under which ids, whose they are.

The ids tell the ledger, so that the engine, when it lives again, books each fill where the position
was, and does not sell a second time what is gone.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from app.domain.deployments import EXTERNAL, MANUAL
from app.domain.orders import Leg, Order, Side

ZERO: Final = Decimal(0)
_ID: Final = re.compile(r"\d+-(?P<ledger>[^-]+)-.+-guardian\d+x\d+")


def order_id(account_id: int, ledger: str, symbol: str, incident: str, attempt: int) -> str:
    """The id of the guardian's order; the same question gives the same id, also after a crash."""
    return f"{account_id}-{ledger}-{symbol}-guardian{incident}x{attempt}"


def ledger_of(client_order_id: str) -> str | None:
    """The ledger that an order of the guardian belongs to; None for any other order."""
    found = _ID.fullmatch(client_order_id)
    return found["ledger"] if found else None


def orders(
    account_id: int,
    held: Mapping[str, Mapping[str, Decimal]],
    at_broker: Mapping[str, Decimal],
    incident: str,
    attempt: int,
    at: datetime,
) -> list[Order]:
    """Market orders that close what is ours: what the broker has but for the ledger `external`.

    `held`: signed quantity by ledger and symbol, as last known; the broker's word counts for more.
    """
    made: list[Order] = []
    for symbol, total in sorted(at_broker.items()):
        ours = _within(total - held.get(EXTERNAL, {}).get(symbol, ZERO), total)
        for ledger, quantity in _shared(symbol, ours, held):
            identity = order_id(account_id, ledger, symbol, incident, attempt)
            order = Order(
                client_order_id=identity,
                ledger=ledger,
                signal_id=f"{ledger}-{symbol}-guardian{incident}",
                symbol=symbol,
                side=Side.SELL if quantity > 0 else Side.BUY,
                quantity=abs(quantity),
                leg=Leg.FLATTEN,
                attempt=attempt,
                at=at,
            )
            made.append(order)
    return made


def _within(ours: Decimal, total: Decimal) -> Decimal:
    """Never more than there is, nor through zero: what we remember of others may be old."""
    return min(max(ours, ZERO), total) if total > 0 else max(min(ours, ZERO), total)


def _shared(
    symbol: str, ours: Decimal, held: Mapping[str, Mapping[str, Decimal]]
) -> Iterator[tuple[str, Decimal]]:
    """`ours` among the ledgers that hold it, by name; a rest goes to the first of them."""
    known = {
        ledger: symbols[symbol]
        for ledger, symbols in sorted(held.items())
        if ledger != EXTERNAL and symbols.get(symbol, ZERO) * ours > 0
    }
    shares: dict[str, Decimal] = {}
    left = ours
    for ledger, quantity in known.items():
        share = min(abs(quantity), abs(left)) * (1 if ours > 0 else -1)
        shares[ledger] = share
        left -= share
    if left:
        first = next(iter(known), MANUAL)
        shares[first] = shares.get(first, ZERO) + left
    return ((ledger, quantity) for ledger, quantity in shares.items() if quantity)
