"""Fills that Alpaca tells twice, in trade updates and in activities, under one identity."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from app.adapters.clients.alpaca_orders import (
    ZERO,
    FillRow,
    Update,
    execution,
    execution_id,
    streamed,
)
from app.core.logging import get_logger
from app.domain.executions import Execution

REACH: Final = timedelta(days=1)
"How far back activities are read for one order."
MOST_KEPT: Final = 10_000
Read = Callable[[datetime], Awaitable[Sequence[FillRow]]]
"Activities since an instant."
log = get_logger("trading")


class Fills:
    """Gives each fill the identity that both ways of learning of it can compute.

    That is the order and how much of it was filled with this fill, so it must be beyond doubt: an
    update whose numbers do not follow from what is known is not believed but looked up.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._levels: dict[str, set[Decimal]] = {}
        "How much was filled after each fill that is known, by Alpaca's order id."
        self._streamed: dict[str, Execution] = {}
        "By the execution id of the stream, which a bust refers to."
        self._gone: set[str] = set()
        "Identities that were busted or corrected."

    def learn(self, rows: Iterable[FillRow]) -> None:
        """Remember what activities told."""
        for row in rows:
            self._of(row.order_id).add(row.cum_qty)

    async def filled(self, update: Update, name: str, at: datetime) -> list[Execution]:
        """What was filled: this, and what was missed before it, if anything."""
        order, level = update.order, update.order.filled
        own = streamed(update, name, at, execution_id(order.id, level))
        levels = self._of(order.id)
        if level - own.quantity in levels:
            levels.add(level)
            self._remember(update.execution_id, own)
            return [own]
        rows = await self._activities(order.id, at - REACH)
        if level not in levels:
            log.warning("alpaca_fill_unexplained", order=name, filled=str(level))
        return [execution(row, name) for row in rows]

    async def busted(self, update: Update, name: str, at: datetime) -> Execution | None:
        """The fill that was taken back; None where nobody can say which it was."""
        original = await self._original(update, name, at, _is_alike)
        self._of(update.order.id).add(update.order.filled)
        return original

    async def corrected(
        self, update: Update, name: str, at: datetime
    ) -> tuple[Execution, str] | None:
        """What stands in the place of a fill, and that one's identity."""
        original = await self._original(update, name, at, _has_its_quantity)
        if original is None:
            return None
        self._of(update.order.id).add(update.order.filled)
        identity = f"{update.order.id}:{update.execution_id}"
        new = streamed(update, name, original.at, identity)
        self._remember(update.execution_id, new)
        return new, original.execution_id

    async def _original(
        self,
        update: Update,
        name: str,
        at: datetime,
        fits: Callable[[Update, Execution], bool],
    ) -> Execution | None:
        """By the id that the stream gave it; after a restart, by what activities tell of it."""
        previous = update.previous_execution_id or ""
        found = self._streamed.get(previous)
        if found is None:
            since = (update.order.submitted_at or at) - REACH
            rows = await self._activities(update.order.id, since)
            exact = [row for row in rows if row.id.endswith(f"::{previous}")]
            told = [execution(row, name) for row in exact or rows]
            left = [one for one in told if one.execution_id not in self._gone]
            alike = left if exact or len(left) == 1 else [o for o in left if fits(update, o)]
            found = alike[0] if alike else None
        if found is None:
            log.error("alpaca_amendment_unexplained", order=name, execution_id=previous)
            return None
        self._gone.add(found.execution_id)
        return found

    async def _activities(self, order_id: str, since: datetime) -> list[FillRow]:
        rows = [row for row in await self._read(since) if row.order_id == order_id]
        self.learn(rows)
        return sorted(rows, key=lambda row: row.cum_qty)

    def _of(self, order_id: str) -> set[Decimal]:
        levels = self._levels.get(order_id)
        if levels is None:
            levels = self._levels[order_id] = {ZERO}
            if len(self._levels) > MOST_KEPT:
                del self._levels[next(iter(self._levels))]
        return levels

    def _remember(self, said: str | None, own: Execution) -> None:
        if said is not None:
            self._streamed[said] = own
            if len(self._streamed) > MOST_KEPT:
                del self._streamed[next(iter(self._streamed))]


def _is_alike(update: Update, one: Execution) -> bool:
    """Fills of one order at one price and quantity are worth the same: any may be meant."""
    return (one.quantity, one.price) == (abs(update.qty or ZERO), update.price)


def _has_its_quantity(update: Update, one: Execution) -> bool:
    return one.quantity == update.qty
