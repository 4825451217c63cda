"""What follows from a look: who is told, who trades on, and what is left alone."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.core.errors import Fenced
from app.domain.deployments import TradingState
from app.domain.events import (
    CashMoved,
    CashSeen,
    CommandReceived,
    Difference,
    HoldingSeen,
    OrderAccepted,
    OrderCanceled,
    PositionAdjusted,
    TradeClosed,
    TradingHalted,
    TradingResumed,
)
from app.domain.orders import BrokerOrder, OrderStatus, OrderType, Side
from app.domain.ports import BrokerBook
from app.engine.reconciler import Reconciler, Scope, Timing
from app.engine.reconciliation import Kind, Policy, is_changed
from app.engine.suspicions import Doubts
from app.engine.takeover import Case, taken
from app.engine.unknowns import Misses, never_arrived
from tests.books import (
    EASY,
    IDENTITY,
    Books,
    D,
    answers_late,
    forgets_closed,
    kinds,
    names,
)
from tests.trading import OPEN, make_order

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
    async with asyncio.timeout(60):
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
    async with asyncio.timeout(60):
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
