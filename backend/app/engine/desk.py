"""What the parts of the engine share: the book, the standing targets, and the events going out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.events import (
    AbilitiesSeen,
    CancelRequested,
    Event,
    OrderApproved,
    ReplaceRequested,
    SignalExpired,
    SignalRaised,
    TargetSet,
)
from app.domain.fills import Fills
from app.domain.market import stamp
from app.domain.orders import (
    PROTECTIVE,
    STOPS,
    Leg,
    Order,
    OrderChange,
    OrderType,
    PendingChange,
)
from app.domain.ports import BrokerAbilities
from app.domain.signals import Signal, Target
from app.engine.state import Act, Standing
from app.risk.book import Book
from app.risk.engine import RiskEngine

ZERO: Final = Decimal(0)
Key = tuple[str, str]
"""Ledger and symbol."""
EVERYTHING: Final = BrokerAbilities(links_orders=True)
"""What the paper broker can do, whose book is the engine's own fill model."""
RELEASED_AS: Final = {
    OrderType.STOP: OrderType.MARKET,
    OrderType.TRAILING_STOP: OrderType.MARKET,
    OrderType.STOP_LIMIT: OrderType.LIMIT,
}
"""What a stop is once the price has touched it."""


APART: Final = "/"
"Between the name of a position's group and whose part of it has a group of its own."


def on_their_way(orders: Sequence[Order]) -> Decimal:
    """Signed shares that these orders may still bring; of an OCO pair only one of the two."""
    total = ZERO
    if len(orders) == 1:
        return orders[0].signed_remaining
    pairs: dict[tuple[str, Leg], dict[str, Decimal]] = {}
    for order in orders:
        if order.group_id is None:
            total += order.signed_remaining
        else:
            both = pairs.setdefault((order.signal_id, order.leg), {})
            place = place_in_pair(order)
            both[place] = both.get(place, ZERO) + order.signed_remaining
    return sum((max(both.values(), key=abs) for both in pairs.values()), total)


def place_in_pair(order: Order) -> str:
    """What tells the two orders of a pair apart.

    All ways out beside the protection are in its group; of those of one signal a pair is a stop and
    a limit. Ways in have a group only as a pair, and a stop that we held is one no more when sent.
    """
    return order.client_order_id if order.leg is Leg.ENTRY else str(order.type in STOPS)


class Desk:
    """One account's trading desk. Everything that happens on it goes through `emit`."""

    def __init__(
        self, book: Book, risk: RiskEngine, abilities: BrokerAbilities = EVERYTHING
    ) -> None:
        self.book, self.risk, self.abilities = book, risk, abilities
        book.takes_both_sides = abilities.takes_both_sides
        self.told_abilities: AbilitiesSeen | None = None
        "Where the abilities are from the stream."
        self.standings: dict[Key, Standing] = {}
        self.out: Final[list[Event]] = []
        self.emit: Final[Callable[[Event], None]] = self.out.append
        self.outbox: list[Act] = []
        "What the driver has to do at the broker, first come first served."
        self.fills = Fills()
        "The last days' fills: a broker may take them back."
        self.voided: dict[str, None] = {}
        "Fills that were busted or corrected, by execution id: they never count again."
        self.rejections: dict[str, int] = {}
        "Orders in a row that the broker rejected, by ledger."
        self.failing: dict[str, str] = {}
        "Ledgers of deployments that must not go on, and why."
        self.unchangeable: dict[str, None] = {}
        "Orders that the broker refused to change: they are canceled and made anew."
        self.unexplained: dict[str, tuple[str, str]] = {}
        "What our books and the broker's do not agree on: by kind and subject, ours and theirs."
        self.is_held_for_books = False
        "Whether it is for such a difference, and nothing else, that only reductions pass."

    def place(self, approved: OrderApproved, *, is_held: bool = False) -> None:
        """The order is made: it waits for the wire, or here where the broker cannot have it."""
        order = approved.order
        if is_held or order.type not in self.abilities.types:
            order = msgspec.structs.replace(order, is_held=True)
            self.book.put(order)
            self.emit(msgspec.structs.replace(approved, order=order))
            return
        self.emit(approved)
        self.outbox.append(Act("submit", order.client_order_id))

    def can_have(self, order_type: OrderType) -> bool:
        """Whether the broker takes orders of this type, or we can watch the price for it."""
        types = self.abilities.types
        if order_type in STOPS:
            sent_as = RELEASED_AS[order_type]
            return order_type in types or sent_as in types
        return order_type in types

    def done(self, client_order_id: str, kind: str | None = None) -> None:
        """The order was submitted or is closed: there is nothing left to do about it."""
        if self.outbox:
            self.outbox = [
                act
                for act in self.outbox
                if act.client_order_id != client_order_id or kind not in (None, act.kind)
            ]

    def taken(self) -> list[Event]:
        """The events since the last time, in order."""
        events = self.out.copy()
        if events:
            self.out.clear()
        return events

    def cancel(self, order: Order, reason: str, at: datetime) -> None:
        """Ask the broker to cancel, once. A replace that waits is given up."""
        identity = order.client_order_id
        order = self.book.open.get(identity, order)  # as it is by now
        if order.pending is not PendingChange.CANCEL:
            if order.pending is PendingChange.REPLACE:
                self.done(identity, "replace")
            self.book.put(msgspec.structs.replace(order, pending=PendingChange.CANCEL))
            self.emit(CancelRequested(client_order_id=identity, reason=reason, at=at))
            self.outbox.append(Act("cancel", identity))

    def replace(self, order: Order, change: OrderChange, reason: str, at: datetime) -> bool:
        """Ask the broker to change an open order; False while another change is unanswered.

        The order stays what it is until the broker says yes (`pending`, `wanted`); what it may
        still fill counts as the larger of both. OrderReplaced or ChangeRejected comes of it.
        """
        order = self.book.open.get(order.client_order_id, order)  # as it is by now
        if order.pending is not PendingChange.NONE or order.wanted is not None:
            return False
        if change == order.change:
            return True
        identity = order.client_order_id
        self.book.put(msgspec.structs.replace(order, pending=PendingChange.REPLACE, wanted=change))
        self.emit(
            ReplaceRequested(
                client_order_id=identity,
                quantity=change.quantity,
                limit_price=change.limit_price,
                stop_price=change.stop_price,
                trail=change.trail,
                reason=reason,
                at=at,
            )
        )
        self.outbox.append(Act("replace", identity))
        return True

    def take_up(
        self, signal: Signal, quantity: Decimal, *, is_once: bool = False, is_flatten: bool = False
    ) -> Standing:
        """A signal's target replaces the one that stood before."""
        self.emit(SignalRaised(signal=signal))
        key = signal.ledger, signal.symbol
        before = self.standings.get(key)
        if before is not None:
            self.expire(before, signal.at)
        full = before.full if before else 0.0
        if signal.exposure and quantity:
            full = float(quantity) / signal.exposure
        standing = self.standings[key] = Standing(
            target=Target(
                ledger=signal.ledger,
                symbol=signal.symbol,
                signal_id=signal.signal_id,
                exposure=signal.exposure,
                quantity=quantity,
                attempt=0,
                valid_until=signal.valid_until,
                stop_loss=signal.stop_loss,
                take_profit=signal.take_profit,
                stop_trail=signal.stop_trail,
                terms=signal.terms,
                oco=signal.oco,
            ),
            is_once=is_once,
            is_flatten=is_flatten,
            since=signal.at,
            full=full,
        )
        self.emit(TargetSet(target=standing.target, at=signal.at))
        return standing

    def can_change(self, order: Order) -> bool:
        """Whether its quantity and prices may be changed, without a new order."""
        return order.is_held or (
            self.abilities.can_replace and order.client_order_id not in self.unchangeable
        )

    def not_changeable(self, order: Order) -> None:
        """The broker refused to change it: what is to be otherwise is canceled and made anew."""
        self.unchangeable = {one: None for one in self.unchangeable if one in self.book.open}
        self.unchangeable[order.client_order_id] = None

    def rename_legs(
        self, standing: Standing, named: Mapping[str, Decimal | None], at: datetime
    ) -> None:
        """Somebody moved the protection: the target names these prices from now on."""
        standing.target = msgspec.structs.replace(standing.target, **named)
        standing.is_guarded = True
        self.emit(TargetSet(target=standing.target, at=at))

    def retarget(self, standing: Standing, quantity: Decimal, at: datetime) -> None:
        """The same signal now stands for another quantity."""
        target = standing.target
        exposure = target.exposure if quantity else 0.0
        is_met = quantity == self.projected(standing) and not self.entries(standing)
        changed = msgspec.structs.replace(
            target, quantity=quantity, exposure=exposure, attempt=standing.attempt, is_met=is_met
        )
        if changed != target:
            standing.target = changed
            self.emit(TargetSet(target=changed, at=at))

    def expire(self, standing: Standing, at: datetime) -> None:
        """A signal that has come to nothing yet has now expired: its first outcome."""
        if standing.outcome_due:
            standing.outcome_due = False
            self.emit(SignalExpired(signal_id=standing.target.signal_id, at=at))

    # ------------------------------------------------------------------------ what there is

    def entries(self, standing: Standing) -> list[Order]:
        """Open orders on their way for this target; protective legs are not."""
        working = self.book.by_key.get((standing.target.ledger, standing.target.symbol))
        if not working:
            return []
        return [order for order in working.values() if order.leg not in PROTECTIVE]

    def legs(self, ledger: str, symbol: str) -> list[Order]:
        """Open protective legs."""
        working = self.book.by_key.get((ledger, symbol))
        return [o for o in working.values() if o.leg in PROTECTIVE] if working else []

    def group(self, ledger: str, symbol: str, at: datetime) -> str:
        """Name of the orders that share the position of now: of two legs one may fill at a time."""
        return f"{ledger}-{symbol}-{stamp(self.book.position(ledger, symbol).opened_at or at)}"

    def projected(self, standing: Standing) -> Decimal:
        """Held and on its way."""
        target = standing.target
        quantity = self.book.held(target.ledger, target.symbol)
        working = self.book.by_key.get((target.ledger, target.symbol))
        if working:
            moving = [order for order in working.values() if order.leg not in PROTECTIVE]
            if moving:
                quantity += on_their_way(moving)
        return quantity

    def held_exposure(self, ledger: str, symbol: str) -> float:
        """Filled part of the wanted exposure, -1 .. +1: what `decide` is told."""
        held = self.book.held(ledger, symbol)
        standing = self.standings.get((ledger, symbol))
        if not held or standing is None or not standing.full:
            return 0.0
        return float(held) / standing.full
