"""Our books follow the broker's: whatever we missed is told once, the rest is said aloud."""

from datetime import timedelta
from typing import Any

import pytest

from app.core.errors import BrokerUnavailable
from app.domain.deployments import TradingState
from app.domain.events import (
    ExecutionBusted,
    ExecutionCorrected,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    Reconciled,
)
from app.domain.orders import OrderStatus, OrderType
from app.domain.ports import BrokerBook
from app.engine.reconciler import Scope
from app.engine.reconciliation import Kind
from tests.books import (
    EASY,
    IDENTITY,
    Books,
    D,
    forgets_closed,
    kinds,
    names,
)
from tests.trading import OPEN

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
