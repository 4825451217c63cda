"""Fills that the broker takes back or corrects: whatever follows from a fill follows from that."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.events import (
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderSeen,
    OrderSubmitted,
    PositionChanged,
    StrategyNoted,
    TradeClosed,
    TradeVoided,
)
from app.domain.orders import BrokerOrder, OrderStatus, PendingChange, Side
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from tests.trading import MINUTE, OPEN, SilentBroker, World, make_execution, make_lean

D = Decimal
S = OrderStatus
ID = "1-d1-AAPL-20240301T143100-e1"
HAND = "external-hand"


@pytest.fixture
def world() -> World:
    """A submitted order for 90 AAPL of a deployment."""
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    return world


def fill(quantity: float, name: str, price: float = 110, identity: str = ID) -> OrderFilled:
    execution = make_execution(
        quantity, price, client_order_id=identity, execution_id=name, commission=1
    )
    return OrderFilled(execution=execution)


def bust(name: str, identity: str = ID) -> ExecutionBusted:
    return ExecutionBusted(
        broker="paper", execution_id=name, client_order_id=identity, reason="clearly wrong", at=OPEN
    )


def correct(name: str, by: OrderFilled) -> ExecutionCorrected:
    return ExecutionCorrected(
        execution=by.execution, corrects=name, reason="price", at=by.execution.at
    )


def order(world: World, identity: str = ID) -> Any:
    return world.engine.book.records[identity].order


def cash(world: World) -> Decimal:
    assert world.engine.cash == 100_000 + sum(one.cash for one in world.engine.ledgers.values())
    return world.engine.cash


def test_a_busted_fill_never_was(world: World) -> None:
    world.step(fill(40, "x1", 109))
    world.step(fill(50, "x2", 110))
    assert order(world).status is S.FILLED
    world.step(bust("x1"))
    assert (world.held(), world.position().average_price) == (50, 110)
    assert cash(world) == 100_000 - 5_501
    assert (order(world).status, order(world).filled_quantity) == (S.PARTIALLY_FILLED, 50)
    assert order(world).average_price == 110
    assert world.engine.book.net["AAPL"] == 50
    assert world.of(PositionChanged)[-1].position.quantity == 50
    assert "taken back" in world.of(StrategyNoted)[-1].message


def test_a_bust_that_is_told_twice_counts_once_and_so_does_its_fill(world: World) -> None:
    world.step(fill(40, "x1"))
    for _ in range(2):
        world.step(bust("x1"))
        world.step(fill(40, "x1"))
    assert world.held() == 0
    assert cash(world) == 100_000
    assert order(world).filled_quantity == 0
    assert order(world).average_price is None


def test_a_fill_that_is_told_after_its_bust_is_not_booked(world: World) -> None:
    world.step(bust("x1"))
    world.step(fill(40, "x1"))
    world.step(fill(10, "x2"))
    assert world.held() == 10


def test_a_corrected_fill_counts_as_it_is_now(world: World) -> None:
    world.step(fill(90, "x1", 110))
    world.step(correct("x1", fill(90, "x1b", 109)))
    world.step(fill(90, "x1b", 109))
    world.step(correct("x1", fill(90, "x1b", 109)))
    assert (world.held(), world.position().average_price) == (90, 109)
    assert cash(world) == 100_000 - 90 * 109 - 1
    assert (order(world).status, order(world).average_price) == (S.FILLED, 109)
    assert "corrected" in world.of(StrategyNoted)[-1].message


def test_a_correction_changes_how_much_was_filled_too(world: World) -> None:
    world.step(fill(90, "x1"))
    world.step(correct("x1", fill(80, "x1b")))
    assert (order(world).status, world.held()) == (S.PARTIALLY_FILLED, 80)
    world.step(correct("x1b", fill(90, "x1c")))
    assert (order(world).status, world.held()) == (S.FILLED, 90)


def test_a_correction_of_a_fill_that_nobody_told_is_a_fill(world: World) -> None:
    world.step(correct("x1", fill(40, "x1b")))
    world.step(fill(40, "x1"))
    assert world.held() == 40
    assert order(world).status is S.PARTIALLY_FILLED


def test_a_correction_that_was_told_as_a_fill_already_only_busts(world: World) -> None:
    """The broker's list of fills has the new one; the news of it comes later."""
    world.step(fill(40, "x1", 110))
    world.step(fill(40, "x1b", 109))
    world.step(correct("x1", fill(40, "x1b", 109)))
    assert (world.held(), world.position().average_price) == (40, 109)


def test_a_fill_that_is_too_old_is_left_to_a_person(world: World) -> None:
    world.step(fill(40, "x1"))
    world.engine.desk.fills.forget(OPEN + MINUTE)
    world.step(bust("x1"))
    assert world.held() == 40
    assert "too old" in world.of(StrategyNoted)[-1].message
    world.step(bust("x1"))
    world.step(correct("x1", fill(40, "x1b")))
    assert world.held() == 40


def test_a_correction_of_an_old_fill_is_not_booked_beside_it(world: World) -> None:
    world.step(fill(40, "x1"))
    world.engine.desk.fills.forget(OPEN + MINUTE)
    world.step(correct("x1", fill(40, "x1b")))
    assert world.held() == 40


def test_a_finished_round_trip_is_undone_with_its_fill(world: World) -> None:
    world.step(fill(90, "x1", 110))
    world.bar(100)
    leave = world.engine.open_orders[0].client_order_id
    sold = make_execution(-90, 112, client_order_id=leave, execution_id="y1")
    world.step(OrderFilled(execution=sold))
    (trade,) = world.of(TradeClosed)
    assert world.held() == 0
    world.step(bust("y1", leave))
    assert [one.trade_id for one in world.of(TradeVoided)] == [trade.trade.trade_id]
    assert (world.held(), world.position().average_price) == (90, 110)
    assert world.journal.trades == []
    assert order(world, leave).status is S.PARTIALLY_FILLED
    assert order(world, leave).remaining_quantity == 90


def test_what_is_missing_is_bought_again_once_the_order_is_over(world: World) -> None:
    world.step(fill(90, "x1"))
    world.step(bust("x1"))
    assert world.broker.sent == [ID], "the order is open again, as far as we know"
    world.step(OrderCanceled(client_order_id=ID, reason="busted", at=world.now))
    world.bar(110)
    assert order(world).status is S.CANCELED
    assert len(world.broker.sent) == 2


def test_protection_follows_a_bust() -> None:
    world = World(broker=SilentBroker())
    world.deploy(stop=0.05)
    world.bar(110)
    world.step(fill(40, "x1"))
    (leg,) = world.engine.open_orders[1:]
    taken = OrderAccepted(client_order_id=leg.client_order_id, broker_order_id="b", at=OPEN)
    world.step(taken)
    world.step(bust("x1"))
    assert order(world, leg.client_order_id).pending is PendingChange.CANCEL


def test_a_foreign_fill_can_be_taken_back_too() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    other = make_execution(5, 100, client_order_id="z", execution_id="x9", ledger="external")
    world.step(OrderFilled(execution=other))
    world.step(bust("x9", "z"))
    world.step(OrderFilled(execution=other))
    assert world.held(ledger="external") == 0
    world.step(bust("x8", "z"))
    world.step(
        OrderFilled(execution=make_execution(5, 100, client_order_id="z", execution_id="x8"))
    )
    assert world.engine.book.net["AAPL"] == 0


def test_busts_survive_a_checkpoint(world: World) -> None:
    world.step(fill(40, "x1", 109))
    world.step(fill(40, "x2", 110))
    world.step(bust("x2"))
    other = Engine(
        AccountSetup(account_id=1, cash=D(100_000)), strategies=make_lean, histories=Windows()
    )
    other.restore(world.engine.state())
    for engine in (world.engine, other):
        engine.handle(fill(40, "x2", 110))
        engine.handle(bust("x1"))
        assert engine.book.held("d1", "AAPL") == 0


def test_a_bust_of_an_ended_order_does_not_open_it(world: World) -> None:
    world.step(fill(40, "x1"))
    world.step(OrderCanceled(client_order_id=ID, reason="day is over", at=OPEN))
    world.step(correct("x1", fill(30, "x1b")))
    assert (order(world).status, order(world).filled_quantity) == (S.CANCELED, 30)
    assert world.held() == 30


def test_a_submission_is_remembered_with_its_time(world: World) -> None:
    assert order(world).submitted_at == world.of(OrderSubmitted)[0].at


def test_a_finished_round_trip_is_told_again_as_it_was(world: World) -> None:
    world.step(fill(90, "x1", 110))
    world.bar(100)
    leave = world.engine.open_orders[0].client_order_id
    world.step(fill(-90, "y1", 112, leave))
    world.step(correct("x1", fill(90, "x1b", 109)))
    before, after = world.of(TradeClosed)
    assert [one.trade_id for one in world.of(TradeVoided)] == [before.trade.trade_id]
    assert after.trade.pnl - before.trade.pnl == 90
    assert world.journal.trades == [after.trade]


@pytest.mark.parametrize("rest", [0, 5])
def test_of_what_was_filled_before_an_order_was_taken_over_a_bust_leaves_more_to_fill(
    world: World, rest: int
) -> None:
    def foreign(quantity: float, name: str) -> OrderFilled:
        execution = fill(quantity, name, identity=HAND).execution
        return OrderFilled(execution=msgspec.structs.replace(execution, ledger="external"))

    world.step(foreign(5, "x1"))
    world.step(foreign(3, "x2"))
    theirs = BrokerOrder(
        client_order_id=None, broker_order_id="hand", symbol="AAPL", side=Side.BUY,
        quantity=D(13), filled_quantity=D(8), status=S.PARTIALLY_FILLED,
    )  # fmt: skip
    world.step(OrderSeen(order=theirs, ledger="external", at=OPEN))
    if rest:
        world.step(foreign(rest, "x3"))
    world.step(bust("x2", HAND))
    mine = order(world, HAND)
    assert (mine.quantity, mine.filled_quantity) == (8, rest)
    assert mine.status is (S.PARTIALLY_FILLED if rest else S.ACCEPTED)
    assert world.engine.book.held("external", "AAPL") == 5 + rest
