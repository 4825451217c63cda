"""The paper broker: the backtest's fill model behind the broker port.

Its book is a fold of the account's stream, so that nothing of it needs saving: `restore` reads the
journaled events and has the same book again.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from app.domain.corporate_actions import ActionKind, ratio_of
from app.domain.events import (
    BrokerReport,
    ChangeRejected,
    CorporateActionDue,
    Event,
    OrderAccepted,
    OrderAdjusted,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    SessionClosed,
    SliceClosed,
)
from app.domain.executions import Execution
from app.domain.instruments import Instrument
from app.domain.market import SliceOpened
from app.domain.matching import FillModel, Matcher, adjusted
from app.domain.orders import Order, OrderStatus
from app.domain.ports import BrokerAbilities, BrokerBook, BrokerLink, BrokerOrder
from app.domain.resting import BookState, Resting

_KNOWN: Final = 10_000
"How many order ids a checkpoint keeps to recognise a resubmission."


class PaperBroker:
    """Accepts orders and fills them from the bars that it is shown."""

    is_simulated = True
    abilities = BrokerAbilities(links_orders=True, is_fractional=True)

    def __init__(
        self,
        model: FillModel | None = None,
        instruments: Mapping[str, Instrument] | None = None,
        name: str = "paper",
    ) -> None:
        self.name = name
        self.matcher = Matcher(model, dict(instruments or {}), name)
        self._known: dict[str, None] = {}
        self._executions: list[Execution] = []
        self._approved: dict[str, Order] = {}
        self._folds: Final[dict[type, Callable[[Any], None]]] = {
            OrderApproved: self._fold_approved,
            OrderSubmitted: self._fold_submitted,
            OrderFilled: self._fold_filled,
            OrderCanceled: self._fold_closed,
            OrderExpired: self._fold_closed,
            OrderRejected: self._fold_closed,
            OrderReplaced: self._fold_replaced,
            OrderAdjusted: self._fold_adjusted,
            CorporateActionDue: self._fold_action,
            SliceClosed: self.matcher.look,
        }

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        """Into the book; the same client_order_id is placed once, however often it comes."""
        identity = order.client_order_id
        if self.matcher.model.refuses(identity):
            self.matcher.remove(identity)
            reason = "refused, as the fill model's reject_rate asks"
            return (OrderRejected(client_order_id=identity, reason=reason, at=at),)
        if identity not in self._known:
            self._known[identity] = None
            self.matcher.add(order)
        elif identity not in self.matcher.resting:
            return ()
        return (
            OrderAccepted(
                client_order_id=identity, broker_order_id=f"{self.name}-{identity}", at=at
            ),
        )

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        """Out of the book; nothing to report when it is not there any more."""
        if not self.matcher.remove(client_order_id):
            return ()
        return (OrderCanceled(client_order_id=client_order_id, reason="as asked", at=at),)

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        """Change what rests, at once."""
        identity, change = order.client_order_id, order.change
        refused = self.matcher.replace(identity, change, at)
        if refused is not None:
            no = ChangeRejected(client_order_id=identity, change="replace", reason=refused, at=at)
            return (no,)
        return (
            OrderReplaced(
                client_order_id=identity,
                broker_order_id=f"{self.name}-{identity}",
                quantity=change.quantity,
                limit_price=change.limit_price,
                stop_price=change.stop_price,
                trail=change.trail,
                at=at,
            ),
        )

    def observe(
        self, seen: SliceOpened | SliceClosed | SessionClosed | CorporateActionDue | OrderAdjusted
    ) -> Sequence[BrokerReport]:
        if isinstance(seen, SliceOpened):
            reports = self.matcher.opened(seen)
        elif isinstance(seen, SliceClosed):
            reports = self.matcher.closed(seen)
        elif isinstance(seen, SessionClosed):
            return self.matcher.session_closed(seen)
        else:
            self._folds[type(seen)](seen)
            return ()
        if reports:
            self._executions += [r.execution for r in reports if isinstance(r, OrderFilled)]
        return reports

    async def reports(self) -> AsyncIterator[BrokerReport | BrokerLink]:
        """Nothing comes unasked: what happens follows from the bars that it is shown."""
        return
        yield

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """The order if it still rests; what ended is told by the stream, not remembered here."""
        one = self.matcher.resting.get(client_order_id)
        return None if one is None else self._as_reported(one)

    async def book(self, since: datetime | None = None) -> BrokerBook:
        """What rests, with what was filled of it, and every fill since the start or checkpoint."""
        return BrokerBook(
            open_orders=tuple(self._as_reported(one) for one in self.matcher.resting.values()),
            executions=tuple(one for one in self._executions if since is None or one.at >= since),
        )

    async def cancel_all(self) -> None:
        """Empty the book."""
        for identity in list(self.matcher.resting):
            self.matcher.remove(identity)

    async def close(self) -> None:
        """There is no connection."""

    def _as_reported(self, one: Resting) -> BrokerOrder:
        order = one.order
        return BrokerOrder(
            broker_order_id=f"{self.name}-{order.client_order_id}",
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            status=OrderStatus.PARTIALLY_FILLED if one.filled else OrderStatus.ACCEPTED,
            type=order.type,
            limit_price=order.limit_price,
            stop_price=one.stop,
            trail=order.trail,
            time_in_force=order.time_in_force,
            filled_quantity=one.filled,
            at=order.at,
        )

    # ------------------------------------------------------------------------------ restart

    def state(self) -> BookState:
        """The book as a value, for a checkpoint."""
        matcher = self.matcher
        return BookState(
            resting={k: msgspec.structs.replace(one) for k, one in matcher.resting.items()},
            known=list(self._known)[-_KNOWN:],
            volumes=dict(matcher.volumes),
            opened=dict(matcher.opened_at),
            used=dict(matcher.used),
            closed_until=matcher.closed_until,
            volume_factors=dict(matcher.volume_factors),
        )

    def restore(self, events: Iterable[Event], book: BookState | None = None) -> None:
        """The book again: `book` of a checkpoint, then the events of the stream after it.

        The checkpoint must have been taken between two steps of the driver.
        """
        if book is not None:
            matcher = self.matcher
            matcher.resting = {k: msgspec.structs.replace(r) for k, r in book.resting.items()}
            matcher.volumes, matcher.opened_at = dict(book.volumes), dict(book.opened)
            matcher.used, matcher.closed_until = dict(book.used), book.closed_until
            matcher.volume_factors = dict(book.volume_factors)
            self._known = dict.fromkeys(book.known)
        for event in events:
            fold = self._folds.get(type(event))
            if fold is not None:
                fold(event)

    def _fold_approved(self, event: OrderApproved) -> None:
        self._approved[event.order.client_order_id] = event.order

    def _fold_submitted(self, event: OrderSubmitted) -> None:
        order = self._approved.pop(event.client_order_id, None)
        if order is not None and order.client_order_id not in self._known:
            self._known[order.client_order_id] = None
            self.matcher.add(order)

    def _fold_filled(self, event: OrderFilled) -> None:
        if event.execution.broker == self.name:
            self._executions.append(event.execution)
            self.matcher.refill(event.execution)

    def _fold_closed(self, event: OrderCanceled | OrderExpired | OrderRejected) -> None:
        self.matcher.remove(event.client_order_id)

    def _fold_replaced(self, event: OrderReplaced) -> None:
        self.matcher.replace(event.client_order_id, event.change, event.at)

    def _fold_adjusted(self, event: OrderAdjusted) -> None:
        self.matcher.adjust(event)
        waiting = self._approved.get(event.client_order_id)
        if waiting is not None:
            self._approved[event.client_order_id] = adjusted(waiting, event)

    def _fold_action(self, event: CorporateActionDue) -> None:
        if event.kind == ActionKind.SPLIT and event.ratio is not None:
            self.matcher.rescale(event.symbol, float(ratio_of(event.ratio)))
