"""Holds our books against the broker's: at the start, after each reconnection, and on timers.

Everything found is told to the engine as ordinary reports, through the driver, so that it is
journaled before anyone acts on it. A difference counts only when several looks agree on it. Runs in
the simulation too: no database, and no clock but the given one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, Protocol

import msgspec

from app.core.clock import Clock
from app.core.errors import BrokerUnavailable, JournalError
from app.core.timing import timed_seconds
from app.domain.deployments import TradingState
from app.domain.events import Difference, Input, OrderFilled, OrderRejected, Reconciled
from app.domain.orders import CLOSED, Order, OrderStatus
from app.domain.ports import Broker, BrokerBook
from app.engine.desk import Desk
from app.engine.engine import Engine
from app.engine.looks import Before, holdings, see
from app.engine.reconciliation import (
    Kind,
    Policy,
    base_of,
    lacking_fills,
    match,
    missing_order,
    sentences,
)
from app.engine.suspicions import Doubts, Suspicions
from app.engine.takeover import Case, explained, taken
from app.engine.unknowns import Misses, never_arrived

_IN_FLIGHT: Final = frozenset({OrderStatus.SUBMITTED, OrderStatus.UNKNOWN})
_MARGIN: Final = timedelta(minutes=1)


class Scope(IntEnum):
    """How much of the books is compared."""

    FLIGHT = 0
    "Orders without an answer, one by one."
    ORDERS = 1
    "All orders and fills."
    WHOLE = 2
    "Positions and cash too."


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between looks."""

    flight: float = 2.0
    orders: float = 10.0
    whole: float = 60.0
    overlap: timedelta = timedelta(minutes=10)
    "Fills are asked for from so long before the last look on."


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found and did."""

    scope: Scope
    at: datetime
    reports: tuple[Input, ...] = ()
    "Told to the engine; of a dry run, what would be."
    differences: tuple[Difference, ...] = ()
    "Believed, and explained by nothing."
    suspects: tuple[Difference, ...] = ()
    "Not certain yet: looked at again soon."
    open_orders: int = 0
    positions: int = 0

    @property
    def is_settled(self) -> bool:
        """Nothing was missed, and nothing is left to be looked at again."""
        return not self.reports and not self.suspects


class Drives(Protocol):
    """What is needed of the driver."""

    engine: Engine

    async def step(self, item: Input) -> None: ...


Told = Callable[[Outcome], Awaitable[None]]
Compared = Callable[[BrokerBook, Sequence[Difference]], None]


async def _nobody(outcome: Outcome) -> None:
    """Nobody wants to hear of it."""


def _ignore(error: Exception) -> None:
    """Nobody wants to hear of failures."""


def _unread(theirs: BrokerBook, doubtful: Sequence[Difference]) -> None:
    """Nobody wants to read both books."""


class Reconciler:
    """Of one account. `settle` makes it reconciled; `run` keeps it so for ever."""

    def __init__(
        self,
        driver: Drives,
        broker: Broker,
        clock: Clock,
        *,
        policy: Policy | None = None,
        timing: Timing | None = None,
        doubts: Doubts | None = None,
        currency: str = "USD",
        since: datetime | None = None,
        begins: datetime | None = None,
        told: Told = _nobody,
        compared: Compared = _unread,
    ) -> None:
        """`since`: from where on fills may have been missed; what is older is in our books.

        `begins`: when the account became ours; fills before it are in what it held and had then.
        `told` is awaited after each look that found something; `compared` gets the broker's books
        and what is doubtful after each whole one, when ours have heard of everything.
        """
        self.policy = policy or Policy()
        self.looked_at: datetime | None = None
        "When all of the books were last read and compared."
        self._driver, self._broker, self._clock = driver, broker, clock
        self._timing, self._doubts = timing or Timing(), doubts or Doubts()
        self._currency, self._told, self._compared = currency, told, compared
        self._since, self._begins = since, begins
        self._suspicions = Suspicions(self._doubts)
        self._is_ours = False
        "A restart found something of our own: trading goes on only when a person says so."
        self._misses: dict[str, Misses] = {}
        self._flying: dict[str, float] = {}
        "Orders that were sent and not answered, and since when we have seen them so."
        self._lock = asyncio.Lock()
        self._due = dict.fromkeys(Scope, 0.0)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What is unexplained now."""
        return self._suspicions.believed

    # -------------------------------------------------------------------------------- looking

    async def settle(self, *, is_asked: bool = False, ours: Sequence[str] = ()) -> Outcome:
        """Look until nothing is left to wait for; then say that we are reconciled.

        `is_asked`: a person says that what the broker has is right. `ours`: what a restart found
        unexplained of our own; a person has to look at that. Raises what the broker raises: without
        its books nothing is reconciled.
        """
        found: list[Input] = []
        while True:
            outcome = await self.look(Scope.WHOLE, is_asked=is_asked)
            found += outcome.reports
            if outcome.is_settled:
                break
            if not outcome.reports:
                await asyncio.sleep(self._doubts.settle)
        self._is_ours = self._is_ours or bool(ours)
        await self._say(outcome, ours)
        outcome = msgspec.structs.replace(outcome, reports=tuple(found))
        await self._told(outcome)
        return outcome

    async def dry_run(self, *, is_asked: bool = False) -> Outcome:
        """What a look would do if it were certain at once; nothing is told, nothing changes."""
        async with self._lock:
            at, before = self._clock.now(), Before.of(self._desk.book)
            theirs = await self._broker.book(self._from(Scope.WHOLE))
            seen = see(self._desk, theirs, before, self.policy, at)
            reports: list[Input] = [one for order in seen.reports for one in order]
            found = [*seen.suspects, *map(missing_order, seen.absent)]
            excused = seen.excused | {
                one.execution.symbol for one in reports if isinstance(one, OrderFilled)
            }
            found += holdings(self._desk.book, theirs, before, excused, self._currency)
        left = []
        for one in found:
            inputs = taken(self._desk, self._case(one, theirs, at, is_asked=is_asked))
            reports += inputs
            left += [] if inputs else [explained(self._desk, one)]
        return _outcome(Scope.WHOLE, at, theirs, reports, left, [])

    @timed_seconds("reconciliation_look")
    async def look(self, scope: Scope, *, is_asked: bool = False) -> Outcome:
        """Read the broker's books once, and tell the engine what it missed. One at a time."""
        async with self._lock:
            at, before = self._clock.now(), Before.of(self._desk.book)
            theirs = await self._broker.book(self._from(scope))
            seen = see(self._desk, theirs, before, self.policy, at)
            told = await self._tell(one for order in seen.reports for one in order)
            suspects = [*seen.suspects, *await self._ask(seen.absent, told)]
            if scope is Scope.WHOLE:
                excused = seen.excused | {order.symbol for order in seen.absent}
                suspects += holdings(self._desk.book, theirs, before, excused, self._currency)
            doubtful = await self._judge(suspects, scope, theirs, told, is_asked=is_asked)
            self._move_on(scope, at, bool(doubtful or told))
            if scope is Scope.WHOLE:
                self._compared(theirs, doubtful)
        return _outcome(scope, at, theirs, told, self.differences, doubtful)

    async def _tell(self, reports: Iterable[Input]) -> list[Input]:
        told: list[Input] = []
        for report in reports:
            await self._driver.step(report)
            told.append(report)
        return told

    async def _ask(self, absent: Iterable[Order], told: list[Input]) -> list[Difference]:
        """Orders that no list has are asked for by their id: absence alone closes nothing.

        Raises BrokerUnavailable when one is open after all: such lists are not to be trusted.
        """
        missing: list[Difference] = []
        for order in absent:
            theirs = await self._broker.find(order.client_order_id)
            if self._desk.book.open.get(order.client_order_id) is not order:
                continue  # something was heard of it meanwhile
            if theirs is None:
                missing.append(missing_order(order))
                continue
            if theirs.status not in CLOSED:
                raise BrokerUnavailable(
                    f"The broker's open orders lack {order.client_order_id}, which it has.",
                    api_name=self._broker.name,
                )
            matched = match(order, theirs, (), self._clock.now(), base=base_of(order, theirs))
            told += await self._tell(matched.reports)
            if matched.lacking:
                missing.append(lacking_fills(order, theirs))
        return missing

    async def _judge(
        self,
        suspects: list[Difference],
        scope: Scope,
        theirs: BrokerBook,
        told: list[Input],
        *,
        is_asked: bool,
    ) -> list[Difference]:
        """Take over of what is certain what may be, believe the rest; returns the doubtful."""
        now, at = self._clock.monotonic(), self._clock.now()
        is_whole = scope is Scope.WHOLE
        patience = 0.0 if is_asked else self._doubts.patience
        certain, doubtful = self._suspicions.judge(
            suspects, now, is_whole=is_whole, patience=patience
        )
        for one in certain:
            inputs = taken(self._desk, self._case(one, theirs, at, is_asked=is_asked))
            told += await self._tell(inputs)
            if inputs:
                self._suspicions.drop(one)
                continue
            if one.kind == Kind.ENDED_ORDER and one not in self.differences:
                await self._broker.cancel(one.subject, at)  # a cancel can do no harm
            self._suspicions.believe(explained(self._desk, one))
        return doubtful

    def _case(self, one: Difference, theirs: BrokerBook, at: datetime, *, is_asked: bool) -> Case:
        return Case(
            one=one,
            theirs=theirs,
            policy=self.policy.adopting if is_asked else self.policy,
            is_asked=is_asked,
            currency=self._currency,
            broker=self._broker.name,
            at=at,
        )

    async def _say(self, outcome: Outcome, ours: Sequence[str] = ()) -> None:
        """Journal what the comparison came to."""
        await self._driver.step(
            Reconciled(
                at=self._clock.now(),
                open_orders=outcome.open_orders,
                positions=outcome.positions,
                differences=(*ours, *sentences(outcome.differences)),
                found=outcome.differences,
                may_resume=self.policy.resume and not self._is_ours,
            )
        )

    # ---------------------------------------------------------------------- orders in flight

    async def ask_for_unanswered(self) -> None:
        """Ask for each order that nobody answered for, by its id."""
        missed = [order for order in self._unanswered() if await self._is_missing(order)]
        if not missed:
            return
        # "Not found" counts only when the lists of orders and fills have nothing of it either.
        await self.look(Scope.ORDERS)
        at = self._clock.now()
        for order in missed:
            if self._desk.book.open.get(order.client_order_id) is order:
                await self._miss(order, at)

    def _unanswered(self) -> list[Order]:
        """Unknown ones, and those whose answer has taken a while."""
        orders = self._desk.book.open.values()
        if not orders:
            self._flying.clear()
            return []
        now = self._clock.monotonic()
        sent = [one.client_order_id for one in orders if one.status is OrderStatus.SUBMITTED]
        self._flying = {identity: self._flying.get(identity, now) for identity in sent}
        late = {i for i, since in self._flying.items() if now - since >= self._timing.flight}
        return [
            order
            for order in orders
            if order.status is OrderStatus.UNKNOWN or order.client_order_id in late
        ]

    async def _is_missing(self, order: Order) -> bool:
        """Whether the broker has no such order; what it has of it is told."""
        theirs = await self._broker.find(order.client_order_id)
        if self._desk.book.open.get(order.client_order_id) is not order:
            return False
        if theirs is None:
            return order.status is OrderStatus.UNKNOWN
        self._misses.pop(order.client_order_id, None)
        matched = match(order, theirs, (), self._clock.now())
        await self._tell(matched.reports)
        if matched.lacking:
            self._due[Scope.ORDERS] = 0.0  # its executions are in the book
        return False

    async def _miss(self, order: Order, at: datetime) -> None:
        identity = order.client_order_id
        misses, now = self._misses.get(identity), self._clock.monotonic()
        if misses is None:
            misses = self._misses[identity] = Misses(now, now)
        else:
            misses.again(now)
        if never_arrived(order, misses, now):
            reason = f"the broker has no such order: asked {misses.count} times"
            self._misses.pop(identity)
            await self._tell((OrderRejected(client_order_id=identity, reason=reason, at=at),))

    # -------------------------------------------------------------------------------- timers

    async def run(self, failed: Callable[[Exception], None] = _ignore) -> None:
        """Look for ever, each scope in its time; `failed` hears of what could not be looked at."""
        while True:
            await asyncio.sleep(self._timing.flight / 2)
            try:
                await self.turn()
            except JournalError:
                raise
            except Exception as error:  # noqa: BLE001 - a broker may fail in any way
                failed(error)

    async def turn(self) -> Outcome | None:
        """One turn of the timers: the widest look that is due, then what is in flight."""
        now, outcome = self._clock.monotonic(), None
        for scope in (Scope.WHOLE, Scope.ORDERS):
            if now >= self._due[scope]:
                outcome = await self._timed(scope)
                break
        if now >= self._due[Scope.FLIGHT]:
            self._due[Scope.FLIGHT] = now + self._timing.flight
            await self.ask_for_unanswered()
        return outcome

    async def _timed(self, scope: Scope) -> Outcome:
        outcome = await self.look(scope)
        if self._is_news():
            await self._say(outcome)
            await self._told(outcome)
        elif outcome.reports:
            await self._told(outcome)
        return outcome

    def _is_news(self) -> bool:
        """Whether other things are unexplained than the engine knows, or trading goes on anyhow."""
        found = {f"{one.kind}:{one.subject}": (one.ours, one.theirs) for one in self.differences}
        is_active = self._desk.book.trading_state is TradingState.ACTIVE
        return found != self._desk.unexplained or (bool(found) and is_active)

    def _move_on(self, scope: Scope, at: datetime, is_unsettled: bool) -> None:
        """Remember what was looked at, and when to look again."""
        now = self._clock.monotonic()
        self._due[Scope.ORDERS] = now + self._timing.orders
        if scope is Scope.WHOLE:
            self._due[Scope.WHOLE] = now + self._timing.whole
            self.looked_at = at
        if is_unsettled:
            self._due[Scope.WHOLE] = min(self._due[Scope.WHOLE], now + self._doubts.settle)
        self._since = at - self._timing.overlap

    def _from(self, scope: Scope) -> datetime | None:
        """From where on fills are asked for: of what is not clear all that there are.

        Times of fills are the broker's; ours may have been wrong when we wrote down where we were.
        """
        if self._since is None or (scope is Scope.WHOLE and self._suspicions.is_doubtful):
            return self._begins
        doubted = [self._desk.book.records.get(one) for one in self._suspicions.orders]
        unclear = [one.order for one in doubted if one is not None]
        unclear += [o for o in self._desk.book.open.values() if o.status in _IN_FLIGHT]
        wanted = min([self._since, *(order.at - _MARGIN for order in unclear)])
        return wanted if self._begins is None else max(wanted, self._begins)

    @property
    def _desk(self) -> Desk:
        return self._driver.engine.desk


def _outcome(
    scope: Scope,
    at: datetime,
    theirs: BrokerBook,
    reports: Iterable[Input],
    differences: Iterable[Difference],
    suspects: Iterable[Difference],
) -> Outcome:
    return Outcome(
        scope=scope,
        at=at,
        reports=tuple(reports),
        differences=tuple(differences),
        suspects=tuple(suspects),
        open_orders=len(theirs.open_orders),
        positions=sum(1 for quantity in (theirs.positions or {}).values() if quantity),
    )
