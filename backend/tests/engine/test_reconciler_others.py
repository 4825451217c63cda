"""What other people did at the broker, and holdings and cash that nothing explains."""

from datetime import timedelta
from typing import Any

import msgspec

from app.domain.deployments import TradingState
from app.domain.events import (
    CashMoved,
    OrderFilled,
    PositionAdjusted,
    Reconciled,
    ReconciliationDifference,
)
from app.domain.ports import BrokerBook
from app.engine.reconciler import Scope
from app.engine.reconciliation import Choice, Kind, Policy
from tests.books import (
    EASY,
    Books,
    D,
    kinds,
    names,
)
from tests.trading import OPEN

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
