"""Trade updates of Alpaca as reports about our orders."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from app.adapters.clients.alpaca_chains import Chains
from app.adapters.clients.alpaca_fills import Fills
from app.adapters.clients.alpaca_orders import (
    NAME,
    OVER_FOR_TODAY,
    OrderRow,
    Update,
    status_of,
    total,
)
from app.core.logging import get_logger
from app.domain.events import (
    BrokerReport,
    ChangeRejected,
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
)
from app.domain.orders import OrderStatus

log = get_logger("trading")
Told = list[BrokerReport]
_ENDS: Final[Mapping[str, Callable[..., BrokerReport]]] = {
    "canceled": OrderCanceled,
    "expired": OrderExpired,
    "rejected": OrderRejected,
}
_QUIET: Final = frozenset(
    {"held", "stopped", "pending_cancel", "pending_replace", "suspended", "pending_review"}
)
"Steps on the way that change nothing for us: the order is open before and after."


class Translator:
    """Says what an update means. Reads what it needs to know more: it may raise as a read does."""

    def __init__(self, chains: Chains, fills: Fills) -> None:
        self._chains, self._fills = chains, fills
        accepted, over = self._accepted, self._over
        self._by_event: Mapping[str, Callable[[Update, str, datetime], Awaitable[Told]]] = {
            **dict.fromkeys(("new", "accepted", "pending_new", "accepted_for_bidding"), accepted),
            **dict.fromkeys(("fill", "partial_fill"), self._filled),
            **dict.fromkeys((*_ENDS, *OVER_FOR_TODAY), over),
            **dict.fromkeys(("replaced", "restated"), self._replaced),
            **dict.fromkeys(("order_cancel_rejected", "order_replace_rejected"), self._refused),
            "trade_bust": self._busted,
            "trade_correct": self._corrected,
        }

    async def told(self, update: Update, now: datetime) -> Told:
        """Reports in the order in which they are to be learnt; () for what changes nothing."""
        row = update.order
        if not row.symbol:
            log.warning("alpaca_order_of_several_legs", order=row.id, event_type=update.event)
            return []
        self._chains.learn((row,))
        handle = self._by_event.get(update.event)
        if handle is None:
            if update.event not in _QUIET:
                log.warning("alpaca_event_unknown", event_type=update.event, order=row.id)
            return []
        return await handle(update, await self._chains.name(row), update.when(now))

    async def _accepted(self, update: Update, name: str, at: datetime) -> Told:
        if update.order.replaces is not None:
            return []  # told by `replaced`, which says that the old one is no more
        return [OrderAccepted(client_order_id=name, broker_order_id=update.order.id, at=at)]

    async def _filled(self, update: Update, name: str, at: datetime) -> Told:
        executions = await self._fills.filled(update, name, at)
        reports: Told = [OrderFilled(execution=execution) for execution in executions]
        is_first = update.qty == update.order.filled_qty
        return (await self._accepted(update, name, at) if is_first else []) + reports

    async def _over(self, update: Update, name: str, at: datetime) -> Told:
        row = update.order
        reason = update.reason or f"{update.event} at Alpaca"
        if update.event == "rejected" and row.replaces is not None:
            return [_no(name, "replace", reason, at)]
        kind = _ENDS.get(update.event)
        if kind is None and status_of(row) is OrderStatus.EXPIRED:
            kind = OrderExpired
        return [kind(client_order_id=name, reason=reason, at=at)] if kind else []

    async def _replaced(self, update: Update, name: str, at: datetime) -> Told:
        chain = await self._chains.back(update.order)
        chain = [*chain[:-1], *await self._chains.forth(chain[-1])]
        return [replaced(name, chain, at)]

    async def _refused(self, update: Update, name: str, at: datetime) -> Told:
        change = "cancel" if update.event == "order_cancel_rejected" else "replace"
        return [_no(name, change, update.reason or "refused by the exchange", at)]

    async def _busted(self, update: Update, name: str, at: datetime) -> Told:
        gone = await self._fills.busted(update, name, at)
        if gone is None:
            return []
        reason = update.reason or "busted by the exchange"
        return [
            ExecutionBusted(
                broker=NAME, execution_id=gone.execution_id, client_order_id=name,
                reason=reason, at=at,
            ),
            *_not_again(update.order, name, at),
        ]  # fmt: skip

    async def _corrected(self, update: Update, name: str, at: datetime) -> Told:
        found = await self._fills.corrected(update, name, at)
        if found is None:
            return []
        execution, corrects = found
        reason = update.reason or "corrected by the exchange"
        return [
            ExecutionCorrected(execution=execution, corrects=corrects, reason=reason, at=at),
            *_not_again(update.order, name, at),
        ]


def replaced(name: str, chain: list[OrderRow], at: datetime) -> OrderReplaced:
    """What became of an order, fills of its earlier forms included."""
    last = chain[-1]
    return OrderReplaced(
        client_order_id=name,
        broker_order_id=last.id,
        quantity=total(chain),
        limit_price=last.limit_price,
        stop_price=last.stop_price,
        trail=last.trail,
        at=at,
    )


def _not_again(row: OrderRow, name: str, at: datetime) -> Told:
    """An order that is over at Alpaca fills no more what a bust or a correction left open."""
    is_over = row.status in ("filled", "canceled", "expired")
    if not is_over or row.filled >= (row.qty or Decimal(0)):
        return []
    reason = "Alpaca does not fill an order again after a bust"
    return [OrderCanceled(client_order_id=name, reason=reason, at=at)]


def _no(name: str, change: Any, reason: str, at: datetime) -> ChangeRejected:  # noqa: ANN401
    return ChangeRejected(client_order_id=name, change=change, reason=reason, at=at)
