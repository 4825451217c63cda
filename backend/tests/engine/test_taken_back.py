"""A fill that the broker took back while nobody listened: found where its list is whole."""

import msgspec

from app.domain.deployments import TradingState
from app.domain.events import ExecutionBusted, OrderFilled, ReconciliationDifference
from app.domain.orders import OrderStatus
from tests.books import Books, D, forgets_closed, kinds, names
from tests.trading import OPEN, make_execution


async def filled(*sizes: int) -> Books:
    """An order for ten, filled, and no longer among those that the broker lists."""
    books = Books(begins=OPEN)
    await books.order()
    for size in sizes:
        books.venue.print("AAPL", 100, size)
    await books.settle()
    assert books.held() == 10
    forgets_closed(books)
    return books


async def test_a_fill_that_the_whole_list_lacks_was_taken_back() -> None:
    books = await filled(4, 6)
    books.venue.exchange.bust(books.venue.exchange.fills[0])
    outcome = await books.settle()
    assert names(outcome) == ["ExecutionBusted", "OrderCanceled"]
    assert (outcome.differences, books.state) == ((), TradingState.ACTIVE)
    assert (books.held(), books.now().status) == (6, OrderStatus.CANCELED)
    assert books.engine.cash == books.venue.exchange.cash
    assert (await books.settle()).reports == ()


async def test_several_are_found_at_once_and_what_stays_stays() -> None:
    books = await filled(1, 2, 7)
    for fill in books.venue.exchange.fills[:2]:
        books.venue.exchange.bust(fill)
    await books.settle()
    assert len(books.of(ExecutionBusted)) == 2
    assert books.held() == 7


async def test_a_list_that_may_lack_some_proves_nothing_but_says_what_may_be() -> None:
    books = await filled(4, 6)
    books.venue.exchange.bust(books.venue.exchange.fills[0])
    books.venue.faults.forgets_fills = True
    outcome = await books.settle()
    assert (names(outcome), kinds(outcome)) == ([], ["position"])
    detail = outcome.differences[0].detail
    assert detail.startswith("AAPL: 10 held here, 6 at the broker. Fill ")
    assert detail.endswith("may have been taken back by the broker meanwhile.")
    assert books.of(ReconciliationDifference)[0].detail == detail
    assert books.state is TradingState.REDUCING


async def test_shares_that_no_fill_explains_are_a_difference_without_a_guess() -> None:
    books = await filled(4, 6)
    books.venue.exchange.positions["AAPL"] -= D(3)
    outcome = await books.settle()
    assert (names(outcome), kinds(outcome)) == ([], ["position"])
    assert outcome.differences[0].detail == "AAPL: 10 held here, 7 at the broker."


async def test_what_the_list_lacks_must_be_all_of_the_difference() -> None:
    books = await filled(4, 6)
    books.venue.exchange.bust(books.venue.exchange.fills[0])
    books.venue.exchange.positions["AAPL"] -= D(1)
    outcome = await books.settle()
    assert (names(outcome), kinds(outcome), books.held()) == ([], ["position"], 10)


async def test_the_broker_decides_about_orders_that_it_still_lists() -> None:
    books = await filled(4, 6)
    exchange = books.venue.exchange
    exchange.bust(exchange.fills[0])
    (ticket,) = exchange.tickets
    ticket.filled = ticket.quantity  # it still counts what no list and no position has
    del books.broker.book
    outcome = await books.settle()
    assert (names(outcome), books.held()) == ([], 10)
    assert kinds(outcome) == ["position"]


async def test_the_same_fill_under_another_id_is_no_bust() -> None:
    books = await filled(10)
    whole, name = books.broker.book, "x:fee1"

    async def book(since: object = None) -> object:
        found = await whole(since)  # type: ignore[arg-type]  # as it was given
        again = tuple(msgspec.structs.replace(e, execution_id=name) for e in found.executions)
        return msgspec.structs.replace(found, executions=again)

    books.broker.book = book  # type: ignore[method-assign]  # a new process names fills anew
    books.engine.desk.voided[name] = None  # heard of, and replaced
    books.venue.exchange.positions["AAPL"] -= D(10)
    outcome = await books.settle()
    assert names(outcome) == []
    assert not books.of(ExecutionBusted)


async def test_fills_of_others_and_of_long_ago_are_no_evidence() -> None:
    books = await filled(10)
    strange = make_execution(5, 100, execution_id="theirs", broker="reconciliation", at=OPEN)
    await books.learn(OrderFilled(execution=strange))
    outcome = await books.settle()
    assert (names(outcome), kinds(outcome)) == ([], ["position"])


async def test_a_trade_by_hand_is_taken_back_too_and_no_order_of_ours_ends() -> None:
    books = await filled(10)
    books.venue.by_hand("buy", 5, "AAPL")
    books.venue.print("AAPL", 100)
    await books.settle()
    books.venue.exchange.bust(books.venue.exchange.fills[-1])
    outcome = await books.settle()
    assert (names(outcome), books.held("external")) == (["ExecutionBusted"], 0)
    assert books.engine.cash == books.venue.exchange.cash
