"""Bugs that the simulation must find: each puts something wrong in the place of one part.

They show that the checks see; production code knows nothing of them. Every one is a mistake that
somebody made somewhere (see the reliability page).
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from app.core.errors import BrokerRejected
from app.domain.events import (
    BrokerReport,
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderApproved,
    OrderCanceled,
    OrderFilled,
    OrderReplaced,
)
from app.domain.orders import Order, OrderStatus
from app.domain.portfolio import Ledger
from app.domain.ports import Entry
from app.risk.book import Book
from app.simulation.broker import SimBroker
from app.simulation.process import Production, SimGate
from app.simulation.store import MemoryStore, MemoryStream

_CENT: Final = Decimal("0.01")
_DEFINITE: Final = (BrokerRejected,)


class Bug(NamedTuple):
    """A mistake: what is put where, and where it shows best."""

    what: str
    parts: type[Production]
    profile: str = "chaos"
    patch: Callable[[], Any] | None = None
    "A context in which something deeper is wrong, too."


class Dropping(Production.driver):  # type: ignore[misc]  # whatever the driver is
    """A driver that some reports do not reach."""

    async def step(self, item: Any) -> None:  # noqa: ANN401 - any item
        if not self.drops(item):
            await super().step(item)

    def drops(self, item: Any) -> bool:  # noqa: ANN401 - as above
        return False

    def order(self, identity: str) -> Order | None:
        record = self.engine.book.records.get(identity)
        return record.order if record else None


# --------------------------------------------------------------------------------- identities


class _RetryingBroker(SimBroker):
    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        try:
            return await super().submit(order, at)
        except _DEFINITE:
            raise
        except Exception:  # noqa: BLE001  that is the bug
            other = msgspec.structs.replace(order, client_order_id=f"{order.client_order_id}-2")
            return await super().submit(other, at)


class NewIdOnRetry(Production):
    broker = _RetryingBroker


class _Resubmitting(Production.driver):  # type: ignore[misc]  # whatever the driver is
    def ready(self, *, is_ready: bool) -> None:
        super().ready(is_ready=is_ready)
        if is_ready:
            for order in self.engine.open_orders:
                if order.status is OrderStatus.UNKNOWN:
                    asyncio.get_running_loop().create_task(self._again(order))

    async def _again(self, order: Order) -> None:
        with suppress(Exception):
            await self.broker.submit(order, self.at())


class ResubmitAfterRestart(Production):
    driver = _Resubmitting


class _ForgetfulStream(MemoryStream):
    async def append(self, entries: Sequence[Entry]) -> int:
        if any(isinstance(entry.event, OrderApproved) for entry in entries):
            entries = [Entry(e.event) for e in entries if not isinstance(e.event, OrderApproved)]
        return await super().append(entries)


class NoIntentRow(Production):
    stream = _ForgetfulStream


# ------------------------------------------------------------------------------------ reports


class _CountingTwice(Production.driver):  # type: ignore[misc]  # whatever the driver is
    async def step(self, item: Any) -> None:  # noqa: ANN401 - any item
        if isinstance(item, OrderFilled):
            told = self.__dict__.setdefault("told", {})
            identity = item.execution.execution_id
            told[identity] = told.get(identity, 0) + 1
            if told[identity] > 1:
                again = f"{identity}-{told[identity]}"
                other = msgspec.structs.replace(item.execution, execution_id=again)
                item = OrderFilled(execution=other)
        await super().step(item)


class NoFillDedupe(Production):
    driver = _CountingTwice


class _ImpatientBroker(SimBroker):
    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        try:
            return await super().submit(order, at)
        except TimeoutError:
            raise BrokerRejected("no answer in time", api_name="venue") from None


class _DeafToLateAccepts(Dropping):
    def drops(self, item: Any) -> bool:  # noqa: ANN401 - any item
        if not isinstance(item, OrderAccepted):
            return False
        order = self.order(item.client_order_id)
        return order is not None and order.status is OrderStatus.REJECTED


class LateAcceptDropped(Production):
    broker = _ImpatientBroker
    driver = _DeafToLateAccepts


class _DeafToEarlyFills(Dropping):
    def drops(self, item: Any) -> bool:  # noqa: ANN401 - any item
        if not isinstance(item, OrderFilled):
            return False
        order = self.order(item.execution.client_order_id)
        is_early = order is not None and order.status is OrderStatus.SUBMITTED
        if is_early:
            record = self.engine.book.records[item.execution.client_order_id]
            record.executions.append(item.execution.execution_id)
        return is_early


class FillBeforeAckLost(Production):
    driver = _DeafToEarlyFills


class _DeafToAmendments(Dropping):
    def drops(self, item: Any) -> bool:  # noqa: ANN401 - any item
        return isinstance(item, OrderReplaced | ExecutionBusted | ExecutionCorrected)


class AmendmentLost(Production):
    driver = _DeafToAmendments


class _Trusting(Production.reconciler):  # type: ignore[misc]  # whatever the reconciler is
    async def look(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        theirs = {one.client_order_id for one in (await self._broker.book()).open_orders}
        for order in list(self._driver.engine.open_orders):
            if order.status is OrderStatus.ACCEPTED and order.client_order_id not in theirs:
                gone = OrderCanceled(
                    client_order_id=order.client_order_id,
                    reason="not at the broker",
                    at=self._clock.now(),
                )
                await self._driver.step(gone)
        return await super().look(*arguments, **options)


class TrustingAnEmptyList(Production):
    reconciler = _Trusting


# -------------------------------------------------------------------------------------- halts


class _OpenGate(SimGate):
    def __call__(self, order: Order) -> str | None:
        return None


class NoHaltCheck(Production):
    gate = _OpenGate


class _AnswersOnce(SimGate):
    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*arguments)
        self._passed: set[str] = set()

    def __call__(self, order: Order) -> str | None:
        if order.client_order_id in self._passed:
            return None
        reason = super().__call__(order)
        if reason is None:
            self._passed.add(order.client_order_id)
        return reason


class HaltCheckSkippedOnRetry(Production):
    gate = _AnswersOnce


# ------------------------------------------------------------------------------ risk and cash


@contextmanager
def late_reservation() -> Iterator[None]:
    """An approval counts against the limits only when something else has happened meanwhile."""
    approved, mark = Book.approved, Book.mark

    def approve(self: Book, order: Order) -> None:
        approved(self, order)
        self.moving.pop(order.client_order_id, None)

    def marked(self: Book, symbol: str, value: float, at: datetime) -> None:
        for order in self.open.values():
            if not order.leg.is_protective:
                self.moving[order.client_order_id] = order
        mark(self, symbol, value, at)

    with _replaced(Book, "approved", approve), _replaced(Book, "mark", marked):
        yield


@contextmanager
def rounded_cash() -> Iterator[None]:
    """Cash is kept in whole cents."""
    apply = Ledger.apply

    def round_it(self: Ledger, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        result = apply(self, *arguments, **options)
        self.cash = self.cash.quantize(_CENT)
        return result

    with _replaced(Ledger, "apply", round_it):
        yield


@contextmanager
def _replaced(owner: type, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


# ------------------------------------------------------------------------------------ journal


class _Hasty(MemoryStream):
    """Tells whoever follows the journal of what it is about to commit."""

    async def append(self, entries: Sequence[Entry]) -> int:
        told = self._store.told_early
        for number in range(len(entries)):
            told(self._store.seq + number + 1)
        return await super().append(entries)


class PublishedBeforeCommit(Production):
    stream = _Hasty


class _Unfenced(MemoryStream):
    async def append(self, entries: Sequence[Entry]) -> int:
        self._epoch = self._store.epoch
        return await super().append(entries)


class _Careless(SimGate):
    def __call__(self, order: Order) -> str | None:
        self.held_until = self._monotonic() + 1.0
        return super().__call__(order)


@contextmanager
def deaf_heartbeat() -> Iterator[None]:
    """Nobody who lost the lease is told by the heartbeat either."""
    with _replaced(MemoryStore, "renew_lease", lambda *_: True):
        yield


class NoFencing(Production):
    stream = _Unfenced
    gate = _Careless


BUGS: Final = {
    "new_id_on_retry": Bug("a retry goes out under an id of its own", NewIdOnRetry, "broker"),
    "resubmit_after_restart": Bug(
        "what was submitted is sent again after a restart", ResubmitAfterRestart
    ),
    "no_intent_row": Bug("an order is sent that no row tells of", NoIntentRow, "mixed"),
    "no_fill_dedupe": Bug("the same fill counts as often as it is told", NoFillDedupe, "broker"),
    "no_halt_check": Bug("nobody looks at the latch before the wire", NoHaltCheck, "people"),
    "halt_check_skipped_on_retry": Bug(
        "the latch is looked at once, and not again before the wire",
        HaltCheckSkippedOnRetry,
        "people",
    ),
    "await_between_check_and_reservation": Bug(
        "an approval counts against the limits too late", Production, "mixed", late_reservation
    ),
    "late_accept_dropped": Bug(
        "a time-out counts as a no, and the late yes is dropped", LateAcceptDropped, "broker"
    ),
    "fill_before_ack_lost": Bug(
        "a fill that comes before the acknowledgement is dropped", FillBeforeAckLost, "broker"
    ),
    "amendment_lost": Bug("busts, corrections and changes are dropped", AmendmentLost, "broker"),
    "cash_rounded": Bug("cash is kept in whole cents", Production, "mixed", rounded_cash),
    "trusting_an_empty_list": Bug(
        "an order that a list lacks is taken for cancelled", TrustingAnEmptyList, "chaos"
    ),
    "published_before_commit": Bug(
        "events are published before they are committed", PublishedBeforeCommit, "process"
    ),
    "no_fencing": Bug(
        "a process that lost its lease goes on writing", NoFencing, "process", deaf_heartbeat
    ),
}
"""Every planted bug by name."""
