"""The one loop that does I/O: learn, decide, remember, and only then act.

Backtest, paper and live differ in what is passed in. Every input is journaled in one transaction
with what follows from it; then each approved order goes through the wire gate: OrderSubmitted is
committed before the wire is written, and what the broker answers is the next input.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from app.core.errors import BrokerRejected
from app.domain.events import (
    BrokerReport,
    CancelRequested,
    ClockTicked,
    CorporateActionDue,
    Input,
    OrderAdjusted,
    OrderCanceled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    OrderUnknown,
    SessionClosed,
    SliceClosed,
    TradingResumed,
    occurred_at,
)
from app.domain.market import SliceOpened
from app.domain.orders import Order, OrderChange, OrderStatus
from app.domain.ports import Broker, Entry, Journal
from app.engine.engine import Engine
from app.engine.state import Act

Item = SliceOpened | Input
"""What a feed yields. Commands are items like any other."""
Gate = Callable[[Order], str | None]
"""Why this order must not be sent now; None when it may. Read synchronously before the wire."""
_SEEN_BY_BROKERS: Final = (SliceOpened, SliceClosed, SessionClosed, CorporateActionDue)
Hook = Callable[[Item], Awaitable[None]]


def open_gate(order: Order) -> str | None:
    """Lets everything through: nobody else can halt or fence a backtest."""
    return None


class Driver:
    """Drives one engine. Never run two steps at the same time."""

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        journal: Journal,
        *,
        gate: Gate = open_gate,
        clock: Callable[[], datetime] | None = None,
        before: Hook | None = None,
        resumed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`clock` stamps what we do ourselves; without one, event time does.

        `before` is awaited before each item, to load what the engine will need (histories).
        `resumed` is awaited when a resume is journaled, so that the gate knows before we act on it.
        """
        self.engine, self.broker, self.journal = engine, broker, journal
        self._gate, self._clock, self._before, self._resumed = gate, clock, before, resumed
        self._now: datetime | None = None
        self._asked: set[str] = set()
        "Orders whose cancel was asked for in this life of the process."
        self._is_working = False

    async def step(self, item: Item) -> None:
        """One item of the feed, or one command, with everything that follows from it."""
        at = item.at if isinstance(item, SliceOpened) else occurred_at(item)
        due = self.engine.deadline
        if due is not None and due <= at:
            await self.tick(at)
        if self._before is not None:
            await self._before(item)
        self._now = at
        if isinstance(item, _SEEN_BY_BROKERS):
            if type(item) is CorporateActionDue and item.action_id in self.engine.book.actions:
                return  # given again after a restart
            reports = self.broker.observe(item)
            if reports:
                await self._learn(reports)
        if not isinstance(item, SliceOpened):
            await self._learn((item,))

    async def tick(self, at: datetime) -> None:
        """Let the clock strike where an order timed out before `at`."""
        struck: datetime | None = None
        while (due := self.engine.deadline) is not None and due <= at and due != struck:
            self._now = struck = due
            await self._learn((ClockTicked(at=due),))

    async def recover(self, at: datetime) -> None:
        """Finish what a crash interrupted; call after the engine and the broker were restored.

        A submitted order without an answer is submitted again on paper, where a known id is placed
        once; elsewhere it is unknown until reconciliation has asked. Then the outbox is emptied as
        if nothing had been: approved orders were never sent, so they are sent now, but for those
        of a real broker that are older than the order time-out: they are cancelled, and their
        targets pursued anew. Cancels are asked for again.
        """
        self._now = at
        for order in self.engine.open_orders:
            if order.status is OrderStatus.SUBMITTED:
                await self._recover_submitted(order, at)
        patience = timedelta(seconds=self.engine.limits.order_timeout_seconds)
        for order in self.engine.open_orders:
            is_old = at - order.at > patience and not self.broker.is_simulated
            if order.status is OrderStatus.APPROVED and is_old:
                await self._withdraw(order, "approved before an outage, never sent")
        await self._work()

    async def _recover_submitted(self, order: Order, at: datetime) -> None:
        if self.broker.is_simulated:
            await self._learn(await self.broker.submit(order, at))
        else:
            reason = "no answer before the restart"
            unknown = OrderUnknown(client_order_id=order.client_order_id, reason=reason, at=at)
            await self._learn((unknown,))

    # -------------------------------------------------------------------------------- inside

    async def _learn(self, inputs: Iterable[Input]) -> None:
        """Journal the inputs with their consequences, in one transaction; then empty the outbox."""
        entries: list[Entry] = []
        for event in inputs:
            cause = len(entries)
            entries.append(Entry(event))
            facts = self.engine.handle(event)
            if facts:
                entries += [Entry(fact, cause) for fact in facts]
            if self._asked:
                wanted = {f.client_order_id for f in facts if isinstance(f, CancelRequested)}
                self._asked -= wanted
        if entries:
            await self.journal.append(entries)
            if type(entries[0].event) is CorporateActionDue:
                self._adjust(entries)
            if self._resumed is not None and _resumes(entries):
                await self._resumed()
        if self.engine.outbox and not self._is_working:
            await self._work()

    def _adjust(self, entries: Iterable[Entry]) -> None:
        """A simulated broker's orders follow what a corporate action made of them here."""
        for entry in entries:
            if isinstance(entry.event, OrderAdjusted):
                self.broker.observe(entry.event)

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
        finally:
            self._is_working = False

    def _next_act(self) -> Act | None:
        """A cancel stays in the outbox until the order is closed, but it is asked for once."""
        for act in self.engine.outbox:
            if act.kind == "submit" or act.client_order_id not in self._asked:
                return act
        return None

    async def _submit(self, order: Order) -> None:
        reason = self._gate(order)
        if reason is None:
            identity = order.client_order_id
            await self._learn((OrderSubmitted(client_order_id=identity, at=self._at()),))
            # Read again: the journal took its time, and from here to the wire nothing waits.
            reason = self._gate(order)
        if reason is not None:
            await self._withdraw(order, reason)
            return
        await self._learn(await self._sent(order))

    async def _sent(self, order: Order) -> Iterable[BrokerReport]:
        identity = order.client_order_id
        try:
            return await self.broker.submit(order, self._at())
        except BrokerRejected as error:
            reason = str(error)
            return (OrderRejected(client_order_id=identity, reason=reason, at=self._at()),)
        except Exception as error:  # noqa: BLE001  anything else means: nobody knows
            reason = f"{type(error).__name__}: {error}"
            return (OrderUnknown(client_order_id=identity, reason=reason, at=self._at()),)

    async def _cancel(self, client_order_id: str) -> None:
        order = self.engine.book.open.get(client_order_id)
        if order is not None and order.is_held:
            await self._withdraw(order, "held here: the broker never had it")
            return
        self._asked.add(client_order_id)
        try:
            reports = await self.broker.cancel(client_order_id, self._at())
        except BrokerRejected:
            return  # too late to cancel: the fill is on its way to us
        except Exception as error:  # noqa: BLE001  nobody knows whether it was cancelled
            reason = f"cancel: {type(error).__name__}: {error}"
            reports = (OrderUnknown(client_order_id=client_order_id, reason=reason, at=self._at()),)
        await self._learn(reports)

    async def _replace(self, order: Order) -> None:
        change = order.wanted or order.change
        if order.is_held:
            await self._learn((_changed_here(order, change, self._at()),))
            return
        await self._learn(await self.broker.replace(order.changed(change), self._at()))

    async def _withdraw(self, order: Order, reason: str) -> None:
        identity = order.client_order_id
        await self._learn((OrderCanceled(client_order_id=identity, reason=reason, at=self._at()),))

    def _at(self) -> datetime:
        if self._clock is not None:
            return self._clock()
        if self._now is None:
            raise RuntimeError("nothing has happened yet")
        return self._now


def _changed_here(order: Order, change: OrderChange, at: datetime) -> OrderReplaced:
    """Nobody need be asked about an order that we hold."""
    return OrderReplaced(
        client_order_id=order.client_order_id,
        broker_order_id="",
        quantity=change.quantity,
        limit_price=change.limit_price,
        stop_price=change.stop_price,
        trail=change.trail,
        at=at,
    )


def _resumes(entries: Iterable[Entry]) -> bool:
    return any(type(entry.event) is TradingResumed for entry in entries)


async def drive(feed: AsyncIterable[Item], driver: Driver) -> None:
    """Step through a feed until it ends."""
    async for item in feed:
        await driver.step(item)
