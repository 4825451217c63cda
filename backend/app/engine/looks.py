"""One look at a broker's books beside ours: what was missed, and what seems to differ. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.events import (
    BrokerReport,
    Difference,
    ExecutionCorrected,
    OrderFilled,
)
from app.domain.executions import Execution
from app.domain.orders import CLOSED, BrokerOrder, Order, OrderStatus
from app.domain.ports import BrokerBook
from app.engine.desk import Desk
from app.engine.reconciliation import (
    Choice,
    Policy,
    base_of,
    cash,
    ended_order,
    foreign_order,
    is_over,
    lacking_fills,
    match,
    positions,
    unlisted_fills,
)
from app.engine.takeover import INFERRED, adoption
from app.risk.book import Book

ZERO: Final = Decimal(0)
_AT_THE_BROKER: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
Reports = tuple[BrokerReport, ...]


class Before(msgspec.Struct, frozen=True):
    """What our books were when the broker was asked: what moved since cannot be compared."""

    orders: Mapping[str, Order]
    net: Mapping[str, Decimal]

    @classmethod
    def of(cls, book: Book) -> "Before":
        orders = {identity: record.order for identity, record in book.records.items()}
        return cls(orders, dict(book.net))

    def stirred(self, book: Book) -> set[str]:
        """Orders that changed while the broker was answering."""
        known = self.orders
        return {i for i, one in book.records.items() if known.get(i) is not one.order}


class Seen(msgspec.Struct, frozen=True):
    """What the orders and fills of one look say."""

    reports: tuple[Reports, ...]
    "By order, in the order in which they must be told."
    suspects: tuple[Difference, ...]
    absent: tuple[Order, ...]
    "Orders that we think are open, and no list has: to be asked for one by one."
    excused: frozenset[str]
    "Symbols whose holdings cannot be judged by this look."


def see(desk: Desk, theirs: BrokerBook, before: Before, policy: Policy, at: datetime) -> Seen:
    """Match every order and fill of the broker's with ours."""
    return _Look(desk, theirs, before.stirred(desk.book), policy, at).run()


class _Look:
    def __init__(
        self, desk: Desk, theirs: BrokerBook, stirred: set[str], policy: Policy, at: datetime
    ) -> None:
        self._desk, self._book, self._stirred = desk, desk.book, stirred
        self._policy, self._at = policy, at
        self._orders = {o.identity: o for o in (*theirs.open_orders, *theirs.closed_orders)}
        self._listed = theirs.executions
        self._fills = _unheard(desk, theirs.executions)
        self._suspects: list[Difference] = []
        self._excused = {self._book.records[identity].order.symbol for identity in stirred}

    def run(self) -> Seen:
        reports = [self._of(identity, one) for identity, one in self._orders.items()]
        reports += [
            _told(self._desk, identity, fills)
            for identity, fills in self._fills.items()
            if identity not in self._orders and identity not in self._stirred
        ]
        absent = [
            order
            for identity, order in self._book.open.items()
            if order.status in _AT_THE_BROKER
            and not order.is_held
            and identity not in self._orders
            and identity not in self._stirred
            and identity not in self._fills
        ]
        return Seen(
            tuple(one for one in reports if one),
            tuple(self._suspects),
            tuple(absent),
            frozenset(self._excused),
        )

    def _of(self, identity: str, theirs: BrokerOrder) -> Reports:
        if identity in self._stirred:
            return ()
        record = self._book.records.get(identity)
        fills = self._fills.get(identity, [])
        if record is None:
            return self._foreign(theirs, fills)
        return self.known(record.order, theirs, fills)

    def known(self, order: Order, theirs: BrokerOrder, fills: list[Execution]) -> Reports:
        """One of our orders, as the broker has it."""
        if not fills and is_over(order, theirs):
            return ()
        if fills and _inferred(self._desk, order.client_order_id):
            # The real ones stand in the place of what was inferred.
            return _told(self._desk, order.client_order_id, fills)
        matched = match(order, theirs, fills, self._at, base=base_of(order, theirs))
        if matched.lacking:
            self._suspects.append(lacking_fills(order, theirs))
            self._excused.add(order.symbol)
        has_ended = order.status in CLOSED and order.status is not OrderStatus.REJECTED
        if has_ended and theirs.status not in CLOSED and not matched.lacking and not fills:
            self._suspects.append(ended_order(order, theirs))
        return matched.reports

    def _foreign(self, theirs: BrokerOrder, fills: list[Execution]) -> Reports:
        """An order that we did not make: taken over while it is open, or flagged."""
        filled: Reports = tuple(OrderFilled(execution=one) for one in fills)
        if theirs.status in CLOSED:
            return filled
        if self._policy.foreign_orders is Choice.FLAG:
            self._suspects.append(foreign_order(theirs))
            return filled
        listed = _sum(one for one in self._listed if one.client_order_id == theirs.identity)
        if listed < theirs.filled_quantity:
            # The rest that is taken over is known only once its fills are: they may be late.
            self._suspects.append(unlisted_fills(theirs, listed))
            self._excused.add(theirs.symbol)
            return filled
        before = max(theirs.filled_quantity - _sum(fills), ZERO)
        return (adoption(theirs, before, self._at), *filled)


def _sum(executions: Iterable[Execution]) -> Decimal:
    return sum((one.quantity for one in executions), ZERO)


def _unheard(desk: Desk, executions: Iterable[Execution]) -> dict[str, list[Execution]]:
    """Fills that we have not heard of, by order, oldest first."""
    found: dict[str, list[Execution]] = {}
    new = [one for one in executions if not is_heard(desk, one)]
    for one in sorted(new, key=lambda one: one.at):
        found.setdefault(one.client_order_id, []).append(one)
    return found


def is_heard(desk: Desk, execution: Execution) -> bool:
    """Whether the fill is in our books, or was and was taken back.

    One of an order by hand may have come before the order was taken over.
    """
    record, identity = desk.book.records.get(execution.client_order_id), execution.execution_id
    known = record is not None and identity in record.executions
    return known or identity in desk.book.foreign or identity in desk.voided


def _told(desk: Desk, identity: str, fills: list[Execution]) -> Reports:
    """New fills as reports. Those that were inferred before they were known count once."""
    inferred = _inferred(desk, identity)
    if not inferred:
        return tuple(OrderFilled(execution=one) for one in fills)
    booked = desk.fills.find(inferred[0])
    if booked is None or _sum(fills) != booked.execution.quantity:
        return ()  # a part of them: the rest comes, or they are counted already
    first, *others = fills
    reason = "the broker found the executions"
    corrected = ExecutionCorrected(
        execution=first, corrects=inferred[0], reason=reason, at=first.at
    )
    return (corrected, *(OrderFilled(execution=one) for one in others))


def _inferred(desk: Desk, identity: str) -> list[str]:
    record = desk.book.records.get(identity)
    known = record.executions if record else []
    return [one for one in known if INFERRED in one and one not in desk.voided]


def holdings(
    book: Book, theirs: BrokerBook, before: Before, excused: frozenset[str], currency: str
) -> Iterator[Difference]:
    """Positions and cash that differ; not judged where something moved meanwhile."""
    if theirs.positions is None:
        return
    moved = {s for s in book.net if book.net[s] != before.net.get(s, ZERO)}
    found = positions(book.net, theirs.positions, excused | moved)
    yield from found
    # Cash follows from fills: while one of them may be on its way nothing can be said of it.
    if not found and not excused and not moved and theirs.cash is not None:
        other = cash(book.cash, theirs.cash, currency)
        if other is not None:
            yield other
