"""Our books follow the broker's: whatever we missed is told once, the rest is said aloud."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest

from app.core.clock import ManualClock
from app.core.errors import BrokerUnavailable, Fenced
from app.domain.deployments import TradingState
from app.domain.events import (
    CashMoved,
    CashSeen,
    CommandReceived,
    Difference,
    ExecutionBusted,
    ExecutionCorrected,
    HoldingSeen,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    OrderUnknown,
    PositionAdjusted,
    Reconciled,
    ReconciliationDifference,
    TradeClosed,
    TradingHalted,
    TradingResumed,
)
from app.domain.limits import UNLIMITED
from app.domain.orders import BrokerOrder, Order, OrderStatus, OrderType, Side
from app.domain.ports import BrokerBook
from app.engine.driver import Driver
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.engine.journal import MemoryJournal
from app.engine.reconciler import Outcome, Reconciler, Scope, Timing
from app.engine.reconciliation import Choice, Kind, Policy, is_changed
from app.engine.suspicions import Doubts
from app.engine.takeover import Case, taken
from app.engine.unknowns import Misses, never_arrived
from tests.trading import OPEN, make_lean, make_order
from tests.venue import Venue, VenueBroker

D = Decimal
T = TypeVar("T")
SURE = Doubts(settle=0.0, looks=3, patience=0.0)
IDENTITY = "1-manual-AAPL-c1-e1"
EASY = Policy(positions=Choice.ADOPT, cash=Choice.ADOPT)


class Books:
    """An account that trades at a venue, and its reconciler. Nothing is told but by looking."""

    def __init__(self, policy: Policy | None = None, cash: int = 100_000, **given: Any) -> None:
        self.clock = ManualClock(OPEN)
        self.venue = Venue(self.clock, D(cash))
        self.broker = VenueBroker(self.venue)
        self.engine = Engine(
            AccountSetup(account_id=1, cash=D(cash), limits=UNLIMITED),
            strategies=make_lean,
            histories=Windows(),
        )
        self.journal = MemoryJournal()
        self.driver = Driver(self.engine, self.broker, self.journal, clock=self.clock.now)
        self.told: list[Outcome] = []
        self.reconciler = Reconciler(
            self.driver,
            self.broker,
            self.clock,
            policy=policy,
            doubts=SURE,
            told=self._tell,
            **{"since": OPEN, **given},
        )

    async def _tell(self, outcome: Outcome) -> None:
        self.told.append(outcome)

    async def learn(self, *events: Any) -> None:
        for event in events:
            await self.driver.step(event)

    async def order(self, status: OrderStatus = OrderStatus.ACCEPTED, **terms: Any) -> Order:
        """An order that is at the venue, and in our books in this status."""
        order = make_order(**terms)
        identity = order.client_order_id
        number = len(self.venue.exchange.tickets) + 1
        self.engine.book.approved(order)
        if status is not OrderStatus.APPROVED:
            await self.broker.submit(order, OPEN)
            await self.learn(OrderSubmitted(client_order_id=identity, at=OPEN))
        if status is OrderStatus.UNKNOWN:
            await self.learn(OrderUnknown(client_order_id=identity, reason="?", at=OPEN))
        elif status not in (OrderStatus.APPROVED, OrderStatus.SUBMITTED):
            taken = OrderAccepted(client_order_id=identity, broker_order_id=f"v{number}", at=OPEN)
            await self.learn(taken)
        return self.engine.book.records[identity].order

    async def settle(self, **given: Any) -> Outcome:
        return await asyncio.wait_for(self.reconciler.settle(**given), 10)

    def now(self, identity: str = IDENTITY) -> Order:
        return self.engine.book.records[identity].order

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.journal.events if isinstance(event, kind)]

    def held(self, ledger: str = "manual") -> int:
        return int(self.engine.book.held(ledger, "AAPL"))

    @property
    def state(self) -> TradingState:
        return self.engine.trading_state


def kinds(outcome: Outcome) -> list[str]:
    return [one.kind for one in outcome.differences]


def names(outcome: Outcome) -> list[str]:
    return [type(report).__name__ for report in outcome.reports]


# ----------------------------------------------------------------------------- orders and fills


async def test_books_that_agree_need_one_look() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    outcome = await books.settle()
    assert (outcome.reports, outcome.differences) == ((), ())
    (said,) = books.of(Reconciled)
    assert (said.open_orders, said.positions, said.differences) == (1, 0, ())
    assert books.state is TradingState.ACTIVE


async def test_fills_during_disconnect_are_recovered_and_twice_changes_nothing() -> None:
    books = Books()
    await books.order()
    books.venue.print("AAPL", 100, 4)
    books.venue.print("AAPL", 101, 6)
    outcome = await books.settle()
    assert names(outcome) == ["OrderFilled", "OrderFilled"]
    assert (books.now().status, books.held()) == (OrderStatus.FILLED, 10)
    assert books.engine.cash == books.venue.exchange.cash
    before = len(books.journal.events)
    again = await books.settle()
    assert (again.reports, again.differences) == ((), ())
    assert [type(one) for one in books.journal.events[before:]] == [Reconciled]


async def test_running_it_twice_by_timer_journals_nothing() -> None:
    books = Books()
    await books.order()
    books.venue.print("AAPL", 100)
    await books.settle()
    before = len(books.journal.events)
    for _ in range(5):
        books.clock.move_to(books.clock.now() + timedelta(seconds=61))
        await books.reconciler.turn()
    assert len(books.journal.events) == before


async def test_a_late_acceptance_is_adopted() -> None:
    books = Books()
    await books.order(OrderStatus.UNKNOWN, type=OrderType.LIMIT, limit_price=90)
    outcome = await books.settle()
    assert names(outcome) == ["OrderAccepted"]
    assert (books.now().status, books.now().broker_order_id) == (OrderStatus.ACCEPTED, "v1")


async def test_an_order_that_was_rejected_here_and_lives_at_the_broker_is_open_again() -> None:
    books = Books()
    await books.order(OrderStatus.SUBMITTED, type=OrderType.LIMIT, limit_price=90)
    await books.learn(OrderRejected(client_order_id=IDENTITY, reason="?", at=OPEN))
    await books.settle()
    assert books.now().status is OrderStatus.ACCEPTED


@pytest.mark.parametrize(
    ("state", "kind", "status"),
    [
        ("canceled", OrderCanceled, OrderStatus.CANCELED),
        ("expired", OrderExpired, OrderStatus.EXPIRED),
        ("rejected", OrderRejected, OrderStatus.REJECTED),
    ],
)
async def test_an_order_that_ended_while_nobody_listened_is_ended(
    state: Any, kind: type, status: OrderStatus
) -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    books.venue.exchange.end(books.venue.exchange.tickets[0], state, "so it is")
    outcome = await books.settle()
    assert [type(one) for one in outcome.reports] == [kind]
    assert books.now().status is status


async def test_an_order_ends_only_after_its_last_fill() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=100)
    books.venue.print("AAPL", 99, 4)
    books.venue.exchange.end(books.venue.exchange.tickets[0], "canceled", "by hand")
    outcome = await books.settle()
    assert names(outcome) == ["OrderFilled", "OrderCanceled"]
    assert (books.held(), books.now().status) == (4, OrderStatus.CANCELED)


async def test_an_order_changed_at_the_broker_is_changed_here() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    books.venue.exchange.change(books.venue.exchange.tickets[0], D(7), D(91), None, None)
    await books.settle()
    (report,) = books.of(OrderReplaced)
    assert (report.quantity, report.limit_price) == (7, 91)
    assert (books.now().quantity, books.now().limit_price) == (7, 91)


async def test_a_change_to_less_that_nobody_heard_of_ends_the_order_that_it_filled() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=100)
    books.venue.print("AAPL", 99, 4)
    await books.settle()
    books.venue.exchange.change(books.venue.exchange.tickets[0], D(4), D(100), None, None)
    assert names(await books.settle()) == ["OrderReplaced"]
    assert (books.now().status, books.now().quantity) == (OrderStatus.FILLED, 4)


async def test_not_found_is_not_canceled() -> None:
    """A start-up guard elsewhere closed what its list lacked."""
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    tickets = books.venue.exchange.tickets
    hidden, tickets[:] = list(tickets), []
    outcome = await books.settle()
    assert kinds(outcome) == [Kind.MISSING_ORDER]
    assert books.now().status is OrderStatus.ACCEPTED
    assert books.state is TradingState.REDUCING
    tickets[:] = hidden
    assert (await books.settle()).differences == ()
    assert books.state is TradingState.REDUCING  # until a person has looked


async def test_an_order_that_no_list_has_is_asked_for_by_its_id() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    books.venue.exchange.end(books.venue.exchange.tickets[0], "canceled", "by hand")
    forgets_closed(books)
    await books.settle()
    assert ("find", IDENTITY) in books.venue.requests
    assert books.now().status is OrderStatus.CANCELED


def forgets_closed(books: Books) -> None:
    """The broker's book has nothing of orders that ended."""
    whole = books.broker.book

    async def book(since: Any = None) -> BrokerBook:
        return msgspec.structs.replace(await whole(since), closed_orders=())

    books.broker.book = book  # type: ignore[method-assign]  # a broker that remembers less


async def test_an_empty_list_is_not_trusted() -> None:
    books = Books(EASY)
    await books.order(type=OrderType.LIMIT, limit_price=90)
    await books.order(client_order_id="1-manual-AAPL-c2-e1")
    books.venue.print("AAPL", 100)
    await books.settle()
    books.venue.faults.empty = True
    with pytest.raises(BrokerUnavailable, match="lack 1-manual-AAPL-c1-e1"):
        await books.settle()
    assert (books.held(), books.now().status) == (10, OrderStatus.ACCEPTED)


async def test_a_broker_that_holds_nothing_any_more_is_not_believed() -> None:
    books = Books(EASY)
    await books.order()
    books.venue.print("AAPL", 100)
    await books.settle()
    books.venue.faults.empty = True
    assert kinds(await books.settle()) == [Kind.POSITION]
    assert (books.held(), books.state) == (10, TradingState.REDUCING)


async def test_a_broker_that_cannot_say_changes_nothing() -> None:
    books = Books()
    await books.order()
    books.venue.faults.book_fails = BrokerUnavailable("busy", api_name="venue")
    before = len(books.journal.events)
    with pytest.raises(BrokerUnavailable):
        await books.settle()
    assert len(books.journal.events) == before


async def test_fills_that_the_broker_owes_are_waited_for() -> None:
    """It says that more was filled than its executions show: nothing is made up."""
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=100)
    books.venue.faults.forgets_fills = True
    books.venue.print("AAPL", 99)
    outcome = await books.reconciler.look(Scope.WHOLE)
    assert [one.kind for one in outcome.suspects] == [Kind.FILLS]
    assert (outcome.reports, books.held()) == ((), 0)
    books.venue.faults.forgets_fills = False
    assert names(await books.settle()) == ["OrderFilled"]
    assert (books.held(), books.state) == (10, TradingState.ACTIVE)


async def test_inferred_fill_versus_real_fill() -> None:
    """What a person had booked for want of executions counts once when they turn up."""
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=100)
    books.venue.faults.forgets_fills = True
    books.venue.print("AAPL", 99, 4)
    books.venue.print("AAPL", 98, 6)
    assert kinds(await books.settle()) == [Kind.FILLS]
    assert books.held() == 0
    assert books.state is TradingState.REDUCING
    asked = await books.settle(is_asked=True)
    assert asked.differences == ()
    assert (books.held(), books.engine.cash) == (10, books.venue.exchange.cash)
    books.venue.faults.forgets_fills = False
    await books.settle()
    assert [type(one) for one in books.of(ExecutionCorrected)] == [ExecutionCorrected]
    assert (books.held(), books.engine.cash) == (10, books.venue.exchange.cash)
    assert (await books.settle()).reports == ()


async def test_a_part_of_inferred_fills_that_turns_up_counts_already() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=100)
    books.venue.faults.forgets_fills = True
    books.venue.print("AAPL", 99, 4)
    books.venue.print("AAPL", 98, 6)
    await books.settle()
    await books.settle(is_asked=True)
    books.venue.exchange.fills.pop()
    books.venue.faults.forgets_fills = False
    assert (await books.settle()).reports == ()
    assert books.held() == 10


async def test_a_bust_that_nobody_heard_is_found() -> None:
    books = Books()
    await books.order()
    books.venue.print("AAPL", 100, 4)
    books.venue.print("AAPL", 101, 6)
    await books.settle()
    books.venue.exchange.bust(books.venue.exchange.fills[0])
    outcome = await books.settle()
    assert names(outcome) == ["ExecutionBusted"]
    assert books.held() == 6
    assert books.engine.cash == books.venue.exchange.cash
    assert (await books.settle()).reports == ()


async def test_a_correction_that_nobody_heard_is_found() -> None:
    books = Books()
    await books.order()
    books.venue.print("AAPL", 100)
    await books.settle()
    books.venue.exchange.correct(books.venue.exchange.fills[0], price=D(99))
    assert (await books.reconciler.look(Scope.WHOLE)).reports == ()
    assert books.held() == 10  # never twice, not even for a moment
    await books.settle()
    assert books.held() == 10
    assert books.engine.cash == books.venue.exchange.cash
    assert len(books.of(ExecutionBusted)) == 1


async def test_an_order_that_is_over_here_and_open_there_is_cancelled_and_said_aloud() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    await books.learn(OrderCanceled(client_order_id=IDENTITY, reason="?", at=OPEN))
    outcome = await books.settle()
    assert kinds(outcome) == [Kind.ENDED_ORDER]
    assert not books.venue.exchange.tickets[0].is_open
    assert books.state is TradingState.REDUCING
    assert (await books.settle()).differences == ()


async def test_what_changes_while_the_broker_answers_is_not_judged() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    whole = books.broker.book

    async def book(since: Any = None) -> BrokerBook:
        stale = await whole(since)
        await books.learn(OrderCanceled(client_order_id=IDENTITY, reason="?", at=OPEN))
        return stale

    books.broker.book = book  # type: ignore[method-assign]  # an answer that is old when it comes
    outcome = await books.reconciler.look(Scope.WHOLE)
    assert (outcome.reports, outcome.suspects) == ((), ())


# ---------------------------------------------------------------------------- unknown orders


async def test_an_unknown_order_is_rejected_only_after_it_was_asked_for_long_enough() -> None:
    books = Books()
    await books.order(OrderStatus.UNKNOWN, type=OrderType.LIMIT, limit_price=90)
    books.venue.exchange.tickets.clear()
    statuses = []
    for _ in range(25):
        books.clock.move_to(books.clock.now() + timedelta(seconds=2))
        await books.reconciler.turn()
        statuses.append(books.now().status)
    assert statuses.index(OrderStatus.REJECTED) in (20, 21)  # 40 s after the first miss
    assert "asked" in books.of(OrderRejected)[0].reason


async def test_inflight_timeout_is_not_a_reject() -> None:
    """It was taken after all, and a lagging copy of the broker's did not know it at first."""
    books = Books()
    await books.order(OrderStatus.UNKNOWN, type=OrderType.LIMIT, limit_price=90)
    hidden = list(books.venue.exchange.tickets)
    books.venue.exchange.tickets.clear()
    for _ in range(10):
        books.clock.move_to(books.clock.now() + timedelta(seconds=2))
        await books.reconciler.turn()
    assert books.now().status is OrderStatus.UNKNOWN
    books.venue.exchange.tickets[:] = hidden
    books.clock.move_to(books.clock.now() + timedelta(seconds=2))
    await books.reconciler.turn()
    assert books.now().status is OrderStatus.ACCEPTED


async def test_a_hung_submit_is_asked_for_and_found() -> None:
    books = Books()
    await books.order(OrderStatus.SUBMITTED, type=OrderType.LIMIT, limit_price=90)
    await books.reconciler.ask_for_unanswered()
    books.clock.move_to(books.clock.now() + timedelta(seconds=3))
    await books.reconciler.ask_for_unanswered()
    assert books.now().status is OrderStatus.ACCEPTED


async def test_an_order_that_was_just_sent_is_left_alone() -> None:
    books = Books()
    await books.order(OrderStatus.SUBMITTED, type=OrderType.LIMIT, limit_price=90)
    await books.reconciler.ask_for_unanswered()
    assert ("find", IDENTITY) not in books.venue.requests


async def test_a_hung_submit_that_is_not_found_stays_as_it_is() -> None:
    books = Books()
    await books.order(OrderStatus.SUBMITTED, type=OrderType.LIMIT, limit_price=90)
    await books.reconciler.ask_for_unanswered()
    books.venue.exchange.tickets.clear()
    books.clock.move_to(books.clock.now() + timedelta(minutes=3))
    await books.reconciler.ask_for_unanswered()
    assert books.now().status is OrderStatus.SUBMITTED


async def test_an_unknown_order_that_filled_brings_its_fills() -> None:
    books = Books()
    await books.settle()
    await books.order(OrderStatus.UNKNOWN)
    books.venue.print("AAPL", 100)
    books.clock.move_to(books.clock.now() + timedelta(seconds=3))
    await books.reconciler.turn()
    assert books.now().status is OrderStatus.ACCEPTED
    await books.reconciler.turn()
    assert (books.held(), books.now().status) == (10, OrderStatus.FILLED)


# ------------------------------------------------------------------------------ other people


async def test_an_order_by_hand_is_adopted_with_its_fills() -> None:
    books = Books()
    books.venue.by_hand("buy", 5, limit=99)
    books.venue.print("AAPL", 98, 2)
    outcome = await books.settle()
    assert names(outcome)[:2] == ["OrderSeen", "OrderFilled"]
    (order,) = books.engine.open_orders
    assert (order.ledger, order.quantity, order.filled_quantity) == ("external", 5, 2)
    assert (books.held("external"), books.engine.cash) == (2, books.venue.exchange.cash)
    books.venue.print("AAPL", 97)
    await books.settle()
    assert (books.held("external"), books.engine.open_orders) == (5, [])
    assert books.state is TradingState.ACTIVE


async def test_of_an_order_that_began_before_us_the_rest_is_adopted() -> None:
    began = OPEN + timedelta(minutes=1)
    books = Books(EASY, since=began, begins=began)
    books.venue.by_hand("buy", 5, limit=99)
    books.venue.print("AAPL", 98, 2)
    books.clock.move_to(OPEN + timedelta(minutes=2))
    await books.settle()
    (order,) = books.engine.open_orders
    assert (order.quantity, order.filled_quantity, books.held("external")) == (3, 0, 2)
    books.venue.print("AAPL", 97)
    await books.settle()
    assert (books.held("external"), books.engine.open_orders) == (5, [])
    assert (await books.settle()).reports == ()


async def test_an_order_by_hand_is_adopted_once_its_fills_are_listed() -> None:
    books = Books()
    books.venue.by_hand("buy", 17, limit=99)
    books.venue.print("AAPL", 98, 12)
    books.venue.faults.forgets_fills = True
    outcome = await books.reconciler.look(Scope.WHOLE)
    assert [one.kind for one in outcome.suspects] == [Kind.FILLS]
    assert (outcome.reports, books.engine.open_orders) == ((), [])
    books.venue.faults.forgets_fills = False
    assert names(await books.settle()) == ["OrderSeen", "OrderFilled"]
    (order,) = books.engine.open_orders
    assert (order.quantity, order.filled_quantity, books.held("external")) == (17, 12, 12)
    books.venue.print("AAPL", 97)
    assert (await books.settle()).differences == ()
    assert (books.held("external"), books.engine.cash) == (17, books.venue.exchange.cash)


async def test_fills_from_before_an_adoption_that_come_to_light_later_count_once() -> None:
    books = Books(EASY)
    books.venue.by_hand("buy", 17, limit=99)
    books.venue.print("AAPL", 98, 12)
    books.venue.faults.forgets_fills = True
    assert names(await books.settle())[0] == "OrderSeen"
    (order,) = books.engine.open_orders
    assert (order.quantity, books.held("external")) == (5, 12), "taken over as it is held"
    books.venue.print("AAPL", 97)
    books.venue.faults.forgets_fills = False
    assert (await books.settle()).differences == ()
    assert books.held("external") == 17
    assert (await books.settle()).reports == ()


async def test_a_fill_by_hand_that_came_before_its_order_counts_once() -> None:
    books = Books()
    books.venue.by_hand("buy", 5, limit=99)
    books.venue.print("AAPL", 98, 2)
    (fill,) = (await books.broker.book()).executions
    await books.learn(OrderFilled(execution=fill))
    await books.settle()
    assert books.held("external") == 2
    assert (await books.settle()).reports == ()
    assert books.held("external") == 2


async def test_an_order_by_hand_is_flagged_when_the_policy_says_so() -> None:
    books = Books(Policy(foreign_orders=Choice.FLAG))
    books.venue.by_hand("buy", 5, limit=99)
    outcome = await books.settle()
    assert kinds(outcome) == [Kind.FOREIGN_ORDER]
    assert (books.engine.open_orders, books.state) == ([], TradingState.REDUCING)
    (told,) = books.of(ReconciliationDifference)
    assert told.kind == Kind.FOREIGN_ORDER
    await books.settle()
    assert len(books.of(ReconciliationDifference)) == 1  # told once


async def test_a_trade_by_hand_that_is_over_explains_the_position() -> None:
    books = Books()
    books.venue.print("AAPL", 100)
    books.venue.by_hand("sell", 3)
    outcome = await books.settle()
    assert (outcome.differences, books.held("external")) == ((), -3)
    assert books.engine.cash == books.venue.exchange.cash
    assert books.state is TradingState.ACTIVE


# ------------------------------------------------------------------------ positions and cash


async def test_shares_that_nothing_explains_mean_reduce_only() -> None:
    books = Books()
    books.venue.hold("MSFT", 7, 300)
    outcome = await books.settle()
    assert kinds(outcome) == [Kind.POSITION]
    assert "MSFT: 0 held here, 7 at the broker." in books.of(Reconciled)[-1].differences
    assert books.state is TradingState.REDUCING
    asked = await books.settle(is_asked=True)
    assert asked.differences == ()
    position = books.engine.book.position("external", "MSFT")
    assert (position.quantity, position.average_price) == (7, 300)
    assert books.engine.cash == 100_000


async def test_shares_are_adopted_when_the_policy_says_so() -> None:
    books = Books(EASY)
    books.venue.hold("MSFT", 7, 300)
    outcome = await books.settle()
    assert names(outcome) == ["HoldingSeen"]
    assert (outcome.differences, books.state) == ((), TradingState.ACTIVE)
    books.venue.hold("MSFT", 0)
    books.venue.hold("AAPL", 1)
    await books.settle()
    assert books.engine.book.held("external", "MSFT") == 0
    assert len(books.of(PositionAdjusted)) == 3
    assert (await books.settle()).reports == ()


async def test_one_look_is_not_enough_to_believe_a_difference() -> None:
    books = Books()
    books.venue.hold("MSFT", 7)
    first = await books.reconciler.look(Scope.WHOLE)
    assert (first.differences, len(first.suspects)) == ((), 1)
    books.venue.hold("MSFT", 0)
    assert (await books.settle()).differences == ()
    assert books.state is TradingState.ACTIVE


async def test_what_an_order_look_does_not_see_stays_as_it_was_believed() -> None:
    books = Books()
    books.venue.hold("MSFT", 7)
    await books.settle()
    outcome = await books.reconciler.look(Scope.ORDERS)
    assert kinds(outcome) == [Kind.POSITION]


async def test_small_costs_are_booked_and_a_deposit_waits_for_a_person() -> None:
    books = Books()
    books.venue.pay(-3.25)
    assert (await books.settle()).differences == ()
    (moved,) = books.of(CashMoved)
    assert (moved.kind, moved.amount, moved.ledger) == ("broker", D("-3.25"), "external")
    books.venue.pay(5_000)
    assert kinds(await books.settle()) == [Kind.CASH]
    start = books.engine.book.day_start
    assert (await books.settle(is_asked=True)).differences == ()
    assert books.of(CashMoved)[-1].kind == "deposit"
    assert books.engine.book.day_start == start + 5_000
    books.venue.pay(-1_000)
    await books.settle(is_asked=True)
    assert books.of(CashMoved)[-1].kind == "withdrawal"
    assert books.engine.cash == books.venue.exchange.cash


async def test_less_than_a_cent_is_no_difference() -> None:
    books = Books()
    books.venue.pay(0.004)
    assert (await books.settle()).reports == ()


async def test_a_broker_whose_book_is_ours_is_compared_by_orders_alone() -> None:
    books = Books()
    whole = books.broker.book

    async def book(since: Any = None) -> BrokerBook:
        return msgspec.structs.replace(await whole(since), positions=None, cash=None)

    books.broker.book = book  # type: ignore[method-assign]  # as paper answers
    books.venue.hold("MSFT", 7)
    assert (await books.settle()).differences == ()


async def test_positions_without_cash_are_compared() -> None:
    books = Books(EASY)
    whole = books.broker.book

    async def book(since: Any = None) -> BrokerBook:
        return msgspec.structs.replace(await whole(since), cash=None)

    books.broker.book = book  # type: ignore[method-assign]  # a broker that does not say
    books.venue.pay(500)
    assert (await books.settle()).reports == ()


# ------------------------------------------------------------------------------- what follows


async def test_trading_goes_on_by_itself_only_where_the_policy_says_so() -> None:
    books = Books(Policy(resume=True))
    books.venue.hold("MSFT", 7)
    await books.settle()
    assert books.state is TradingState.REDUCING
    books.venue.hold("MSFT", 0)
    await books.settle()
    assert books.state is TradingState.ACTIVE
    assert books.of(TradingResumed)[0].actor == "reconciliation"


async def test_what_a_restart_found_of_our_own_waits_for_a_person() -> None:
    books = Books(Policy(resume=True))
    await books.settle(ours=["input 7 of the journal led to another order"])
    assert books.state is TradingState.REDUCING
    await books.settle()
    assert books.state is TradingState.REDUCING


async def test_what_a_person_restricted_is_not_resumed() -> None:
    books = Books(Policy(resume=True))
    books.venue.hold("MSFT", 7)
    await books.settle()
    await books.learn(command("trading_reduce", {"reason": "lunch"}))
    books.venue.hold("MSFT", 0)
    await books.settle()
    assert books.state is TradingState.REDUCING


async def test_an_unexplained_difference_does_not_loosen_a_halt() -> None:
    books = Books()
    await books.learn(command("trading_halt", {"reason": "stop"}))
    books.venue.hold("MSFT", 7)
    await books.settle()
    assert books.state is TradingState.HALTED


async def test_a_person_who_resumes_too_early_is_told_again_within_one_look() -> None:
    books = Books()
    books.venue.hold("MSFT", 7)
    await books.settle()
    await books.learn(command("trading_resume", {}))
    assert books.state is TradingState.ACTIVE
    books.clock.move_to(books.clock.now() + timedelta(seconds=11))
    await books.reconciler.turn()
    assert books.state is TradingState.REDUCING
    assert len(books.of(TradingHalted)) == 2


def command(kind: str, payload: dict[str, Any]) -> Any:
    return CommandReceived(command_id=1, kind=kind, payload=payload, actor="anna", at=OPEN)


async def test_a_missing_order_is_given_up_when_a_person_says_so() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    books.venue.exchange.tickets.clear()
    await books.settle()
    assert (await books.settle(is_asked=True)).differences == ()
    assert books.now().status is OrderStatus.CANCELED


async def test_a_dry_run_says_what_would_be_done_and_changes_nothing() -> None:
    books = Books(EASY)
    await books.order()
    books.venue.print("AAPL", 100, 4)
    books.venue.hold("MSFT", 7, 300)
    before = len(books.journal.events)
    outcome = await books.reconciler.dry_run()
    assert names(outcome) == ["OrderFilled", "HoldingSeen"]
    books.reconciler.policy = Policy()
    assert kinds(await books.reconciler.dry_run()) == [Kind.POSITION]
    asked = await books.reconciler.dry_run(is_asked=True)
    assert names(asked) == ["OrderFilled", "HoldingSeen"]
    assert (len(books.journal.events), books.held()) == (before, 0)


async def test_somebody_is_told_of_what_was_found() -> None:
    books = Books()
    await books.settle()
    books.clock.move_to(books.clock.now() + timedelta(seconds=11))
    books.venue.by_hand("buy", 5, limit=99)
    await books.reconciler.turn()
    assert [len(one.reports) for one in books.told] == [0, 1]


async def test_it_looks_for_ever_whatever_the_broker_answers() -> None:
    failures: list[Exception] = []
    books = Books(timing=Timing(flight=0.0, orders=0.0, whole=0.0))
    books.venue.faults.book_fails = TimeoutError("slow")
    task = asyncio.create_task(books.reconciler.run(failures.append))
    async with asyncio.timeout(10):
        while not failures:  # noqa: ASYNC110 - asks a list
            await asyncio.sleep(0)
        books.venue.faults.book_fails = None
        while books.reconciler.looked_at is None:  # noqa: ASYNC110 - asks a value
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --------------------------------------------------------------------------- what is left over


async def test_what_is_seen_twice_changes_nothing() -> None:
    books = Books()
    held = HoldingSeen(symbol="MSFT", quantity=D(7), reason="held", at=OPEN)
    counted = CashSeen(cash=D(100_500), is_flow=True, reason="paid in", at=OPEN)
    await books.learn(held, counted, held, counted)
    assert len(books.of(PositionAdjusted)) == len(books.of(CashMoved)) == 1
    assert (books.engine.book.held("external", "MSFT"), books.engine.cash) == (7, 100_500)


async def test_an_adopted_position_that_goes_again_is_a_round_trip() -> None:
    books = Books()
    for quantity in (7, 0):
        seen = HoldingSeen(
            symbol="MSFT", quantity=D(quantity), average_price=D(300), reason="held", at=OPEN
        )
        await books.learn(seen)
    (trade,) = books.of(TradeClosed)
    assert (trade.trade.ledger, trade.trade.quantity, trade.trade.pnl) == ("external", 7, 0)
    assert (books.engine.cash, books.engine.equity) == (100_000, 100_000)


async def test_an_order_that_is_heard_of_while_it_is_asked_for_is_left_alone() -> None:
    books = Books()
    await books.order(type=OrderType.LIMIT, limit_price=90)
    books.venue.exchange.end(books.venue.exchange.tickets[0], "canceled", "by hand")
    forgets_closed(books)
    answers_late(books, OrderCanceled(client_order_id=IDENTITY, reason="told", at=OPEN))
    await books.reconciler.look(Scope.WHOLE)
    assert [one.reason for one in books.of(OrderCanceled)] == ["told"]


def answers_late(books: Books, event: Any) -> None:
    """Something is told about an order while the broker is asked for it."""
    ask = books.broker.find

    async def find(identity: str) -> Any:
        found = await ask(identity)
        await books.learn(event)
        return found

    books.broker.find = find  # type: ignore[method-assign]  # a slow answer


async def test_an_answer_that_comes_while_it_is_asked_for_counts() -> None:
    books = Books()
    await books.order(OrderStatus.UNKNOWN, type=OrderType.LIMIT, limit_price=90)
    answers_late(books, OrderAccepted(client_order_id=IDENTITY, broker_order_id="v1", at=OPEN))
    books.clock.move_to(OPEN + timedelta(seconds=3))
    await books.reconciler.ask_for_unanswered()
    assert len(books.of(OrderAccepted)) == 1


async def test_an_order_that_the_lists_have_after_all_is_no_miss() -> None:
    books = Books()
    await books.order(OrderStatus.UNKNOWN, type=OrderType.LIMIT, limit_price=90)
    books.venue.faults.unfindable = 1
    books.clock.move_to(OPEN + timedelta(seconds=3))
    await books.reconciler.ask_for_unanswered()
    assert books.now().status is OrderStatus.ACCEPTED


async def test_a_journal_that_refuses_ends_the_looking() -> None:
    books = Books(timing=Timing(flight=0.0, orders=0.0, whole=0.0))
    books.venue.faults.book_fails = Fenced("another process has the account")
    with pytest.raises(Fenced):
        await asyncio.wait_for(books.reconciler.run(), 10)


async def test_without_a_beginning_all_that_the_broker_remembers_is_asked_for() -> None:
    books = Books(since=None)
    await books.order()
    books.venue.print("AAPL", 100)
    assert names(await books.settle()) == ["OrderFilled"]


async def test_two_looks_at_once_count_as_one() -> None:
    books = Books()
    books.reconciler = Reconciler(
        books.driver, books.broker, books.clock, doubts=Doubts(settle=2.0, looks=2), since=OPEN
    )
    books.venue.hold("MSFT", 7)
    for _ in range(3):
        assert (await books.reconciler.look(Scope.WHOLE)).differences == ()
    books.clock.move_to(OPEN + timedelta(seconds=2))
    assert kinds(await books.reconciler.look(Scope.WHOLE)) == [Kind.POSITION]


async def test_failures_are_nobodys_business_unless_somebody_asks() -> None:
    books = Books(timing=Timing(flight=0.0, orders=0.0, whole=0.0))
    books.venue.faults.book_fails = TimeoutError("slow")
    task = asyncio.create_task(books.reconciler.run())
    async with asyncio.timeout(10):
        while len(books.venue.requests) < 2:  # noqa: ASYNC110 - asks a list
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("ours", "theirs", "is_other"),
    [
        ({"type": OrderType.LIMIT, "limit_price": 90}, {"limit_price": D(90)}, False),
        ({"type": OrderType.LIMIT, "limit_price": 90}, {"limit_price": D(91)}, True),
        ({"type": OrderType.STOP, "stop_price": 90}, {"stop_price": D(89)}, True),
        ({"type": OrderType.TRAILING_STOP, "trail": D(2)}, {"trail": D(2)}, False),
        ({"type": OrderType.TRAILING_STOP, "trail": D(2)}, {"trail": D(3)}, True),
        ({"type": OrderType.TRAILING_STOP, "trail": D(2)}, {"stop_price": D(80)}, False),
        ({}, {"quantity": D(9)}, True),
        ({}, {"limit_price": D(0)}, False),
    ],
)
def test_an_order_is_changed_where_a_value_that_it_has_is_another(
    ours: dict[str, Any], theirs: dict[str, Any], is_other: bool
) -> None:
    order = make_order(**ours)
    fields = {"quantity": order.quantity, "type": order.type, **theirs}
    other = BrokerOrder(
        broker_order_id="v1",
        client_order_id=IDENTITY,
        symbol="AAPL",
        side=Side.BUY,
        status=OrderStatus.ACCEPTED,
        **fields,
    )
    assert is_changed(order, other) is is_other


def test_only_an_unknown_order_can_have_never_arrived() -> None:
    often = Misses(0.0, 900.0, 99)
    assert not never_arrived(make_order(status=OrderStatus.SUBMITTED), often, 999.0)
    assert never_arrived(make_order(status=OrderStatus.UNKNOWN), often, 999.0)


async def test_what_cannot_be_taken_over_is_left() -> None:
    """Books that changed between a look and its verdict."""
    books = Books()
    case = {
        "theirs": BrokerBook(open_orders=(), executions=()),
        "policy": EASY,
        "is_asked": True,
        "currency": "USD",
        "broker": "venue",
        "at": OPEN,
    }
    for kind in (Kind.CASH, Kind.FILLS, Kind.ENDED_ORDER):
        one = Difference(kind=kind, subject="?", ours="", theirs="", detail="")
        assert taken(books.engine.desk, Case(one=one, **case)) == ()


async def test_fills_of_an_order_that_the_broker_no_longer_lists_are_told() -> None:
    books = Books()
    await books.order()
    books.venue.print("AAPL", 100)
    forgets_closed(books)
    assert names(await books.settle()) == ["OrderFilled"]
    assert books.now().status is OrderStatus.FILLED


async def test_owed_executions_are_waited_for_as_long_as_patience_lasts() -> None:
    books = Books()
    patient = Doubts(settle=0.0, looks=1, patience=60.0)
    books.reconciler = Reconciler(
        books.driver, books.broker, books.clock, doubts=patient, since=OPEN
    )
    await books.order(type=OrderType.LIMIT, limit_price=100)
    books.venue.faults.forgets_fills = True
    books.venue.print("AAPL", 99)
    assert (await books.reconciler.look(Scope.WHOLE)).differences == ()
    books.clock.move_to(OPEN + timedelta(seconds=61))
    assert kinds(await books.reconciler.look(Scope.WHOLE)) == [Kind.FILLS]


async def test_fills_are_found_whatever_our_clock_said_when_we_stopped() -> None:
    """It was an hour ahead: what is asked for since then is in the broker's future."""
    books = Books(since=OPEN + timedelta(hours=1), begins=OPEN - timedelta(days=1))
    await books.order()
    forgets_closed(books)
    books.venue.print("AAPL", 100)
    assert names(await books.settle()) == ["OrderFilled"]
    assert (books.held(), books.state) == (10, TradingState.ACTIVE)


@pytest.mark.parametrize("part", ["-0.1", "1.5"])
def test_a_tolerance_is_a_part_of_the_equity(part: str) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Policy(cash_tolerance=D(part))
