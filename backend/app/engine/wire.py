"""The one owner of a real broker's wire: what waits in the outbox is sent, answers are learnt.

Only the writing happens under the driver's lock. A request that gets no answer for a long time
holds up neither steps nor other requests. What was decided stays in the outbox until the broker
has answered: cancels and replaces are asked for again, a submit never is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import datetime
from typing import Final, Protocol

import msgspec

from app.core.errors import BrokerRejected, BrokerUnavailable
from app.core.failpoints import Point, failpoint
from app.core.logging import get_logger
from app.core.tasks import end
from app.core.timing import timing_seconds
from app.domain.events import (
    BrokerReport,
    ChangeRejected,
    Input,
    OrderCanceled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    OrderUnknown,
)
from app.domain.orders import HEARD, BrokerOrder, Order, OrderStatus, PendingChange
from app.domain.ports import Broker
from app.engine.engine import Engine
from app.engine.state import Act

S = OrderStatus
Gate = Callable[[Order], str | None]
Key = tuple[str, str]
"Kind of the act, and order."
log = get_logger("trading")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited for what, in seconds."""

    answer: float = 10.0
    "For a submit, before the order counts as unknown; its late answer is still heard,"
    abandon: float = 25.0
    "up to this: then the request is given up, so that it cannot go out any more."
    change: float = 10.0
    "For the answer to a cancel or a replace."
    again: float = 1.0
    "Before an unanswered cancel or replace is asked for again; twice as long each time,"
    longest: float = 30.0
    "up to this."
    tells: int = 4
    "So many attempts without an answer are worth an alarm."


PACE: Final = Pace()


class Drives(Protocol):
    """What the wire needs of the driver."""

    engine: Engine
    broker: Broker
    lock: asyncio.Lock

    def gate(self, order: Order) -> str | None: ...

    def fence(self) -> str | None: ...

    def sending(self) -> AbstractContextManager[None]: ...

    def at(self) -> datetime: ...

    async def learn(self, inputs: Iterable[Input]) -> None: ...

    async def alarm(self, title: str, detail: str) -> None: ...


class Tries(msgspec.Struct):
    """How a request has gone so far that is not answered yet."""

    count: int = 0
    due: float = 0.0
    "By the loop's clock."
    status: OrderStatus | None = None
    "The order's, when it was asked for last: when that changes it is worth asking at once."
    is_doubtful: bool = False
    "It may have been carried out: look before asking again."


class Wire:
    """Sends what one account's engine decided. `run` is its one task."""

    def __init__(self, driver: Drives, pace: Pace) -> None:
        self.is_up = False
        "Whether the broker is connected, as its own reports say: cancels are sent."
        self.is_ready = False
        "Whether our books were held against its since: orders are sent, and changes of them."
        self._driver, self._pace = driver, pace
        self._wake: asyncio.Event | None = None
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._doubts: set[asyncio.Task[None]] = set()
        self._tries: dict[Key, Tries] = {}
        self._held_until, self._refused = 0.0, 0
        self._failed: BaseException | None = None

    # ---------------------------------------------------------------------------------- outside

    def linked(self, *, is_up: bool) -> None:
        """The connection came or went; what waits is asked for at once when it is back."""
        self.is_up = is_up
        self.is_ready = self.is_ready and is_up
        if is_up:
            self._held_until, self._refused = 0.0, 0
            for tries in self._tries.values():
                tries.due = 0.0
        self.wake()

    def ready(self, *, is_ready: bool) -> None:
        """Our books agree with the broker's, or must be compared again before anything is sent."""
        if is_ready and not self.is_up:
            self.linked(is_up=True)
        self.is_ready = is_ready
        self.wake()

    def wake(self) -> None:
        """There may be something to send."""
        if self._wake is not None:
            self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, and nothing could be sent now."""
        return not self._tasks and not self._doubts and not self._ready(self._time())[0]

    async def run(self) -> None:
        """Until cancelled. Raises what a request raised that must not: Fenced above all."""
        self._wake = asyncio.Event()
        self._failed = None
        try:
            while self._failed is None:
                self._wake.clear()
                acts, due = self._ready(self._time())
                for act in acts:
                    self._start(act)
                wait = None if due is None else max(due - self._time(), 0.0)
                if wait is None:
                    await self._wake.wait()
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
            raise self._failed
        finally:
            self._wake = None
            await end([*self._tasks.values(), *self._doubts])
            self._tasks.clear()
            self._doubts.clear()

    # ----------------------------------------------------------------------------- what is next

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    def _ready(self, now: float) -> tuple[list[Act], float | None]:
        """Acts that can be started now, in order, and when the next of the others can be."""
        self._forget()
        acts, next_due = [], None
        for act in self._driver.engine.outbox:
            key = act.kind, act.client_order_id
            order = self._driver.engine.book.open.get(act.client_order_id)
            if order is None or key in self._tasks or not self._is_possible(act, order):
                continue
            due = self._due(act, order)
            if due <= now:
                acts.append(act)
            elif next_due is None or due < next_due:
                next_due = due
        return acts, next_due

    def _forget(self) -> None:
        """What was answered, by whatever report, is as new when it is wanted again."""
        if self._tries:
            wanted = {(act.kind, act.client_order_id) for act in self._driver.engine.outbox}
            for key in self._tries.keys() - wanted:
                del self._tries[key]

    def _is_possible(self, act: Act, order: Order) -> bool:
        """What never reached the broker needs no connection to be taken back."""
        is_wanted = act.kind == "submit" or order.pending == act.kind
        if not is_wanted:
            return False
        if act.kind == "cancel" and (order.status is S.APPROVED or order.is_held):
            return True
        if act.kind == "replace" and order.is_held:
            return True
        if act.kind == "cancel":
            return self.is_up
        return self.is_ready and (act.kind == "submit" or order.status in HEARD)

    def _due(self, act: Act, order: Order) -> float:
        if act.kind == "submit":
            return self._held_until
        tries = self._tries.get((act.kind, act.client_order_id))
        return 0.0 if tries is None or tries.status is not order.status else tries.due

    def _start(self, act: Act) -> None:
        key = act.kind, act.client_order_id
        work: dict[str, Callable[[str], Awaitable[None]]] = {
            "submit": self._submit, "cancel": self._cancel, "replace": self._replace,
        }  # fmt: skip
        task = asyncio.create_task(
            self._guarded(work[act.kind](act.client_order_id)), name=str(key)
        )
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._ended(key))

    def _ended(self, key: Key) -> None:
        self._tasks.pop(key, None)
        self.wake()

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  what must not happen ends the account's work
            self._failed = self._failed or error
            self.wake()

    def _order(self, client_order_id: str) -> Order | None:
        return self._driver.engine.book.open.get(client_order_id)

    # ---------------------------------------------------------------------------------- submit

    async def _submit(self, identity: str) -> None:
        driver = self._driver
        with ExitStack() as until_answered:
            async with driver.lock:
                until_answered.enter_context(driver.sending())
                order = await self._submitted(identity)
            # From the gate to the adapter nothing waits: leaving the lock does not either.
            if order is not None:
                await self._send(order)

    async def _submitted(self, identity: str) -> Order | None:
        """The order with its submission on disk and the gate open; None when it must not go."""
        driver, order = self._driver, self._order(identity)
        if order is None or order.status is not S.APPROVED:
            return None
        if order.pending is PendingChange.CANCEL:
            await self._withdraw(order, "canceled before it was sent")
            return None
        if driver.fence() is not None:
            self._held_until = self._time() + self._pace.again
            return None  # it waits: either the lease is renewed, or another process does it
        reason = driver.gate(order)
        if reason is None:
            failpoint(Point.BEFORE_SUBMITTED_COMMIT)
            await driver.learn((OrderSubmitted(client_order_id=identity, at=driver.at()),))
            failpoint(Point.AFTER_SUBMITTED_COMMIT)
            # Read again: the journal took its time.
            lost = driver.fence()
            if lost is not None:
                await self._unsent(identity, lost)
                return None
            reason = driver.gate(order)
        if reason is not None:
            await self._withdraw(order, reason)
            return None
        if not self.is_ready:
            await self._unsent(identity, "the connection was lost")
            return None
        return driver.engine.book.open[identity]

    async def _send(self, order: Order) -> None:
        identity, driver = order.client_order_id, self._driver
        watch = asyncio.get_running_loop().call_later(self._pace.answer, self._doubt, identity)
        reports: Sequence[BrokerReport]
        try:
            async with asyncio.timeout(self._pace.abandon):
                with timing_seconds("order_submit"):
                    reports = await driver.broker.submit(order, driver.at())
        except BrokerRejected as error:
            no = OrderRejected(client_order_id=identity, reason=str(error), at=driver.at())
            reports = (no,)
        except BrokerUnavailable as error:
            self._hold(error)
            async with driver.lock:
                await self._unsent(identity, str(error))
            return
        except Exception as error:  # noqa: BLE001  anything else means: nobody knows
            reason = f"{type(error).__name__}: {error}"
            reports = (OrderUnknown(client_order_id=identity, reason=reason, at=driver.at()),)
        finally:
            watch.cancel()
        self._held_until, self._refused = 0.0, 0
        failpoint(Point.AFTER_WIRE)
        await self._learn(reports)
        failpoint(Point.AFTER_ANSWER_COMMIT)

    def _hold(self, error: BrokerUnavailable) -> None:
        """Nothing more is submitted for a while: the broker cannot be reached, or said to wait."""
        self._refused += 1
        asked = error.context.get("retry_after")
        wait = float(asked) if isinstance(asked, int | float) else self._wait(self._refused)
        self._held_until = self._time() + wait

    def _wait(self, count: int) -> float:
        doubled: float = self._pace.again * 2 ** min(count - 1, 10)
        return min(doubled, self._pace.longest)

    def _doubt(self, identity: str) -> None:
        task = asyncio.create_task(self._guarded(self._unanswered(identity)))
        self._doubts.add(task)
        task.add_done_callback(self._doubts.discard)

    async def _unanswered(self, identity: str) -> None:
        """A submit hangs: from here on nobody knows. Its answer is heard when it comes."""
        async with self._driver.lock:
            order = self._order(identity)
            if order is not None and order.status is S.SUBMITTED:
                reason = f"no answer within {self._pace.answer:g} s"
                at = self._driver.at()
                await self._driver.learn(
                    (OrderUnknown(client_order_id=identity, reason=reason, at=at),)
                )

    async def _withdraw(self, order: Order, reason: str) -> None:
        canceled = OrderCanceled(
            client_order_id=order.client_order_id, reason=reason, at=self._driver.at()
        )
        await self._driver.learn((canceled,))

    async def _unsent(self, identity: str, reason: str) -> None:
        """Certainly not sent. The order ends, so that its id is never used twice; what it was for
        is asked for anew, under a new one."""
        order = self._order(identity)
        if order is not None and order.status in (S.SUBMITTED, S.UNKNOWN):
            canceled = OrderCanceled(
                client_order_id=identity,
                reason=f"not sent: {reason}",
                at=self._driver.at(),
                is_unsent=True,
            )
            await self._driver.learn((canceled,))

    async def _learn(self, reports: Sequence[BrokerReport]) -> None:
        if reports:
            async with self._driver.lock:
                await self._driver.learn(reports)

    # ------------------------------------------------------------------------- cancel, replace

    async def _cancel(self, identity: str) -> None:
        driver = self._driver
        async with driver.lock:
            order = self._order(identity)
            if order is None or order.pending is not PendingChange.CANCEL:
                return
            if order.status is S.APPROVED or order.is_held:
                await self._withdraw(order, "canceled before it was sent")
                return
            lost = driver.fence()
        tries = self._try("cancel", order)
        if lost is not None:
            return  # another process has the account, or nobody knows: not ours to cancel
        failpoint(Point.BEFORE_CANCEL)
        try:
            async with asyncio.timeout(self._pace.change):
                reports = await driver.broker.cancel(identity, driver.at())
        except BrokerRejected as error:
            reports = (_refused(identity, "cancel", error, driver.at()),)
        except Exception as error:  # noqa: BLE001  asking again does no harm
            await self._tell("cancel", order, tries, error)
            return
        failpoint(Point.AFTER_CANCEL)
        await self._learn(reports)

    async def _replace(self, identity: str) -> None:
        driver = self._driver
        async with driver.lock:
            order = self._order(identity)
            if order is None or order.pending is not PendingChange.REPLACE or order.wanted is None:
                return
            if order.is_held:
                changed = order.changed(order.wanted)
                await driver.learn((replaced(changed, "", driver.at()),))
                return
            if driver.fence() is not None:
                self._try("replace", order)
                return  # not ours to change now
            reason = None if order.only_shrinks else driver.gate(order)
            if reason is not None:
                await driver.learn((_refused(identity, "replace", reason, driver.at()),))
                return
        tries = self._try("replace", order)
        try:
            with driver.sending():
                async with asyncio.timeout(self._pace.change):
                    reports = await self._replaced(order, tries)
        except BrokerRejected as error:
            reports = (_refused(identity, "replace", error, driver.at()),)
        except Exception as error:  # noqa: BLE001  whether it was changed is looked up first
            await self._tell("replace", order, tries, error)
            return
        failpoint(Point.AFTER_REPLACE)
        await self._learn(reports)

    async def _replaced(self, order: Order, tries: Tries) -> Sequence[BrokerReport]:
        """Ask for the change; where it was asked for before, look first what the broker has."""
        driver, wanted = self._driver, order.wanted or order.change
        if tries.is_doubtful:
            seen = await driver.broker.find(order.client_order_id)
            if seen is not None and seen.change != order.change:
                return (_as_seen(order, seen, driver.at()),)
            tries.is_doubtful = False
        failpoint(Point.BEFORE_REPLACE)
        try:
            reports = await driver.broker.replace(order.changed(wanted), driver.at())
        except (BrokerRejected, BrokerUnavailable):
            raise
        except BaseException:
            tries.is_doubtful = True
            raise
        tries.is_doubtful = not reports
        return reports

    def _try(self, kind: str, order: Order) -> Tries:
        tries = self._tries.setdefault((kind, order.client_order_id), Tries())
        tries.count += 1
        tries.status = order.status
        tries.due = self._time() + self._wait(tries.count)
        return tries

    async def _tell(self, kind: str, order: Order, tries: Tries, error: Exception) -> None:
        identity = order.client_order_id
        detail = f"{type(error).__name__}: {error}"
        log.warning("change_not_answered", change=kind, client_order_id=identity, error=detail)
        if tries.count == self._pace.tells:
            title = f"The broker does not answer the {kind} of order {identity}"
            await self._driver.alarm(title, detail)


def replaced(order: Order, broker_order_id: str, at: datetime) -> OrderReplaced:
    """The report that an order is now as `order` says."""
    return OrderReplaced(
        client_order_id=order.client_order_id,
        broker_order_id=broker_order_id,
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        trail=order.trail,
        at=at,
    )


def _as_seen(order: Order, seen: BrokerOrder, at: datetime) -> OrderReplaced:
    return replaced(order.changed(seen.change), seen.broker_order_id, at)


def _refused(identity: str, change: str, reason: object, at: datetime) -> ChangeRejected:
    kind = msgspec.convert(change, type=ChangeRejected.__annotations__["change"])
    return ChangeRejected(client_order_id=identity, change=kind, reason=str(reason), at=at)
