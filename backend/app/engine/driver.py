"""The one loop that does I/O: learn, decide, remember, and only then act.

Backtest, paper and live differ in what is passed in. Every input is journaled in one transaction
with what follows from it; then each approved order goes through the wire gate: OrderSubmitted is
committed before the wire is written, and what the broker answers is the next input.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from app.core import failpoints
from app.core.errors import BrokerRejected
from app.core.failpoints import Point, failpoint
from app.domain.events import (
    BrokerReport,
    CancelRequested,
    ClockTicked,
    CorporateActionDue,
    Event,
    ExecutionCorrected,
    Input,
    OrderAdjusted,
    OrderApproved,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderSeen,
    OrderSubmitted,
    OrderUnknown,
    ReplaceRequested,
    SessionClosed,
    SliceClosed,
    TradingResumed,
    occurred_at,
)
from app.domain.flattening import ledger_of
from app.domain.market import SliceOpened
from app.domain.orders import Order, OrderStatus
from app.domain.ports import Broker, Entry, Journal
from app.engine.engine import Engine
from app.engine.state import Act
from app.engine.wire import PACE, Gate, Pace, Wire, replaced

Item = SliceOpened | Input
"""What a feed yields. Commands are items like any other."""
Fence = Callable[[], str | None]
"""Why nothing at all may be sent; None when it may. Read synchronously before the wire."""
Sending = Callable[[], AbstractContextManager[None]]
"""Entered while an order may be on its way to a real broker."""
Alarm = Callable[[str, str], Awaitable[None]]
"""Title and detail of what a person must hear of."""
_SEEN_BY_BROKERS: Final = (SliceOpened, SliceClosed, SessionClosed, CorporateActionDue)
Hook = Callable[[Item], Awaitable[None]]
Ahead = Callable[[SliceClosed], Awaitable[Sequence[Input]]]


def unfenced() -> str | None:
    """The account is ours, for certain: nobody shares a backtest."""
    return None


def open_gate(order: Order) -> str | None:
    """Lets everything through: nobody else can halt or fence a backtest."""
    return None


class Driver:
    """Drives one engine. Steps are taken one at a time; a real broker's answers are not waited for.

    Simulated brokers are asked within the step, so that the same inputs give the same events. A
    real one is asked by `wire`, whose `run` must be going on beside the steps.
    """

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        journal: Journal,
        *,
        gate: Gate = open_gate,
        fence: Fence = unfenced,
        sending: Sending = nullcontext,
        clock: Callable[[], datetime] | None = None,
        before: Hook | None = None,
        ahead: Ahead | None = None,
        resumed: Callable[[], Awaitable[None]] | None = None,
        alarm: Alarm | None = None,
        pace: Pace = PACE,
    ) -> None:
        """`clock` stamps what we do ourselves; without one, event time does.

        `before` is awaited before each item, to load what the engine will need (histories).
        `ahead` is awaited right before a slice is handled, after what it filled was learned: so
        strategies of other processes have their answers ready. The inputs it returns come first.
        `resumed` is awaited when a resume is journaled, so that the gate knows before we act on it.
        `fence` says why even cancels must not be sent: the account may not be ours any more.
        `sending` is entered before the gate is read and left when the broker has answered: a stop
        is not in force while something that passed before it may still be on its way.
        """
        self.engine, self.broker, self.journal = engine, broker, journal
        self.gate, self.fence, self._clock, self._before = gate, fence, clock, before
        self.sending = sending
        self._ahead, self._resumed, self._alarm = ahead, resumed, alarm
        self.lock = asyncio.Lock()
        "Held by whoever journals; a simulated broker's driver has no need of it."
        self.wire = None if broker.is_simulated else Wire(self, pace)
        self._now: datetime | None = None
        self._asked: set[Act] = set()
        "Changes that a simulated broker was asked for in this life of the process."
        self._is_working = False

    def linked(self, *, is_up: bool) -> None:
        """The broker's connection came or went (its BrokerLink); before that nothing is sent."""
        if self.wire is not None:
            self.wire.linked(is_up=is_up)

    def ready(self, *, is_ready: bool) -> None:
        """Our books were held against the broker's since it is connected: orders may be sent."""
        if self.wire is not None:
            self.wire.ready(is_ready=is_ready)

    async def step(self, item: Item) -> None:
        """One item of the feed, one command or one report, with everything that follows from it."""
        if self.wire is None:
            await self._step(item)
        else:
            async with self.lock:
                await self._step(item)

    async def _step(self, item: Item) -> None:
        at = item.at if isinstance(item, SliceOpened) else occurred_at(item)
        due = self.engine.deadline
        if due is not None and due <= at:
            await self._strike(at)
        if self._before is not None:
            await self._before(item)
        self._now = at
        if isinstance(item, _SEEN_BY_BROKERS):
            if type(item) is CorporateActionDue and item.action_id in self.engine.book.actions:
                return  # given again after a restart
            reports = self.broker.observe(item)
            if reports:
                await self.learn(reports)
        if not isinstance(item, SliceOpened):
            if self._ahead is not None:
                await self._look_ahead(item)
            await self.learn((item,))

    async def _look_ahead(self, item: Input) -> None:
        if isinstance(item, SliceClosed) and self._ahead is not None:
            for first in await self._ahead(item):
                await self.learn((first,))

    async def tick(self, at: datetime) -> None:
        """Let the clock strike where an order timed out before `at`."""
        due = self.engine.deadline
        if due is None or due > at:
            return
        if self.wire is None:
            await self._strike(at)
        else:
            async with self.lock:
                await self._strike(at)

    async def _strike(self, at: datetime) -> None:
        struck: datetime | None = None
        while (due := self.engine.deadline) is not None and due <= at and due != struck:
            self._now = struck = due
            await self.learn((ClockTicked(at=due),))

    async def recover(self, at: datetime) -> None:
        """Finish what a crash interrupted; call after the engine and the broker were restored.

        A submitted order without an answer is submitted again on paper, where a known id is placed
        once; elsewhere it is unknown until reconciliation has asked. Then the outbox is emptied as
        if nothing had been: approved orders were never sent, so they are sent now, but for those
        of a real broker that are older than the order time-out: they are cancelled, and their
        targets pursued anew. Cancels and replaces are asked for again.
        """
        if self.wire is None:
            await self._recover(at)
            await self._work()
        else:
            async with self.lock:
                await self._recover(at)
            self.wire.wake()

    async def _recover(self, at: datetime) -> None:
        self._now = at
        for order in self.engine.open_orders:
            if order.status is OrderStatus.SUBMITTED:
                await self._recover_submitted(order, at)
        patience = timedelta(seconds=self.engine.limits.order_timeout_seconds)
        for order in self.engine.open_orders:
            is_old = at - order.at > patience and not self.broker.is_simulated
            if order.status is OrderStatus.APPROVED and is_old and not order.is_held:
                await self._withdraw(order, "approved before an outage, never sent")

    async def _recover_submitted(self, order: Order, at: datetime) -> None:
        if self.broker.is_simulated:
            await self.learn(await self.broker.submit(order, at))
        else:
            reason = "no answer before the restart"
            unknown = OrderUnknown(client_order_id=order.client_order_id, reason=reason, at=at)
            await self.learn((unknown,))

    # -------------------------------------------------------------------------------- inside

    async def learn(self, inputs: Iterable[Input]) -> None:
        """Journal the inputs with their consequences, in one transaction; then act on the outbox.

        With a real broker the caller holds the lock.
        """
        entries = self._handled(inputs)
        if entries:
            await self._append(entries)
            if type(entries[0].event) is CorporateActionDue:
                self._adjust(entries)
            if self._resumed is not None and _resumes(entries):
                await self._resumed()
        if self.wire is not None:
            self.wire.wake()
        elif self.engine.outbox and not self._is_working:
            await self._work()

    def _handled(self, inputs: Iterable[Input]) -> list[Entry]:
        """The inputs, each followed by what the engine makes of it."""
        entries: list[Entry] = []
        for given in inputs:
            event = given if self.wire is None else self._attributed(given)
            cause = len(entries)
            entries.append(Entry(event))
            facts = self.engine.handle(event)
            if facts:
                entries += [Entry(fact, cause) for fact in facts]
            if self._asked and facts:
                self._asked -= {act for act in map(_wish, facts) if act}
        return entries

    async def _append(self, entries: Sequence[Entry]) -> None:
        if failpoints.armed is None:
            await self.journal.append(entries)
            return
        is_intent = any(type(entry.event) is OrderApproved for entry in entries)
        failpoint(Point.BEFORE_APPEND)
        if is_intent:
            failpoint(Point.BEFORE_INTENT_COMMIT)
        await self.journal.append(entries)
        if is_intent:
            failpoint(Point.AFTER_INTENT_COMMIT)
        failpoint(Point.AFTER_APPEND)

    def _attributed(self, event: Input) -> Input:
        """A fill says whose it is: a broker knows the order, not our ledger. Of an order that is
        taken over, what was filled meanwhile is not left to fill."""
        if isinstance(event, OrderSeen):
            return self._left(event)
        if not isinstance(event, OrderFilled | ExecutionCorrected):
            return event
        execution = event.execution
        record = self.engine.book.records.get(execution.client_order_id)
        known = record.order.ledger if record else ledger_of(execution.client_order_id)
        if known is None or known == execution.ledger:
            return event
        owned = msgspec.structs.replace(execution, ledger=known)
        return msgspec.structs.replace(event, execution=owned)

    def _left(self, event: OrderSeen) -> OrderSeen:
        heard = self.engine.desk.fills.of_order(event.client_order_id)
        filled = sum((one.quantity for one in heard), Decimal(0))
        if filled <= event.order.filled_quantity:
            return event
        order = msgspec.structs.replace(event.order, filled_quantity=filled)
        return msgspec.structs.replace(event, order=order)

    def _adjust(self, entries: Iterable[Entry]) -> None:
        """A simulated broker's orders follow what a corporate action made of them here."""
        for entry in entries:
            if isinstance(entry.event, OrderAdjusted):
                self.broker.observe(entry.event)

    async def alarm(self, title: str, detail: str) -> None:
        """A person must hear of it."""
        if self._alarm is not None:
            await self._alarm(title, detail)

    # -------------------------------------------------------------- a simulated broker's wire

    async def _work(self) -> None:
        """Act on the outbox in order; what comes of it is learned, and may add to it."""
        self._is_working = True
        try:
            while (act := self._next_act()) is not None:
                if act.kind == "submit":
                    await self._submit(self.engine.book.open[act.client_order_id])
                elif act.kind == "replace":
                    await self._replace(self.engine.book.open[act.client_order_id])
                else:
                    await self._cancel(act.client_order_id)
            if not self.engine.outbox:
                self._asked.clear()
        finally:
            self._is_working = False

    def _next_act(self) -> Act | None:
        """A change stays in the outbox until it is answered, but it is asked for once."""
        for act in self.engine.outbox:
            if act.kind == "submit" or act not in self._asked:
                return act
        return None

    async def _submit(self, order: Order) -> None:
        reason = self.gate(order)
        if reason is None:
            identity = order.client_order_id
            failpoint(Point.BEFORE_SUBMITTED_COMMIT)
            await self.learn((OrderSubmitted(client_order_id=identity, at=self.at()),))
            failpoint(Point.AFTER_SUBMITTED_COMMIT)
            # Read again: the journal took its time, and from here to the wire nothing waits.
            reason = self.gate(order)
        if reason is not None:
            await self._withdraw(order, reason)
            return
        reports = await self._sent(order)
        failpoint(Point.AFTER_WIRE)
        await self.learn(reports)
        failpoint(Point.AFTER_ANSWER_COMMIT)

    async def _sent(self, order: Order) -> Iterable[BrokerReport]:
        identity = order.client_order_id
        try:
            return await self.broker.submit(order, self.at())
        except BrokerRejected as error:
            return (OrderRejected(client_order_id=identity, reason=str(error), at=self.at()),)

    async def _cancel(self, client_order_id: str) -> None:
        order = self.engine.book.open.get(client_order_id)
        if order is not None and order.is_held:
            await self._withdraw(order, "held here: the broker never had it")
            return
        self._asked.add(Act("cancel", client_order_id))
        failpoint(Point.BEFORE_CANCEL)
        reports = await self.broker.cancel(client_order_id, self.at())
        failpoint(Point.AFTER_CANCEL)
        await self.learn(reports)

    async def _replace(self, order: Order) -> None:
        changed = order.changed(order.wanted or order.change)
        if order.is_held:
            await self.learn((replaced(changed, "", self.at()),))
            return
        self._asked.add(Act("replace", order.client_order_id))
        failpoint(Point.BEFORE_REPLACE)
        reports = await self.broker.replace(changed, self.at())
        failpoint(Point.AFTER_REPLACE)
        await self.learn(reports)

    async def _withdraw(self, order: Order, reason: str) -> None:
        identity = order.client_order_id
        await self.learn((OrderCanceled(client_order_id=identity, reason=reason, at=self.at()),))

    def at(self) -> datetime:
        """Now: by the clock, or else the time of the item that is being handled."""
        if self._clock is not None:
            return self._clock()
        if self._now is None:
            raise RuntimeError("nothing has happened yet")
        return self._now


def _wish(event: Event) -> Act | None:
    """The change that is asked for anew."""
    if isinstance(event, CancelRequested):
        return Act("cancel", event.client_order_id)
    return Act("replace", event.client_order_id) if isinstance(event, ReplaceRequested) else None


def _resumes(entries: Iterable[Entry]) -> bool:
    return any(type(entry.event) is TradingResumed for entry in entries)


async def drive(feed: AsyncIterable[Item], driver: Driver) -> None:
    """Step through a feed until it ends."""
    async for item in feed:
        await driver.step(item)
