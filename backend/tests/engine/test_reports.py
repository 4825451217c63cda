"""Broker reports: late, twice, in any order; what each of them changes."""

from decimal import Decimal
from typing import Any

import pytest

from app.domain.events import (
    BarLate,
    CancelRequested,
    OrderAccepted,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
    PositionChanged,
    SliceClosed,
    StrategyNoted,
)
from app.domain.orders import OrderStatus
from tests.trading import OPEN, SilentBroker, World, make_bar, make_execution

D = Decimal
ID = "1-d1-AAPL-20240301T143100-e1"


@pytest.fixture
def world() -> World:
    """A submitted order for 90 AAPL, on which the broker is silent."""
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    return world


def accepted(identity: str = ID) -> OrderAccepted:
    return OrderAccepted(client_order_id=identity, broker_order_id="b7", at=OPEN)


def canceled(identity: str = ID) -> OrderCanceled:
    return OrderCanceled(client_order_id=identity, reason="gone", at=OPEN)


def filled(quantity: float, number: int = 1, identity: str = ID, **given: Any) -> OrderFilled:
    one = make_execution(
        quantity, 110, client_order_id=identity, execution_id=f"x{number}", **given
    )
    return OrderFilled(execution=one)


def status(world: World, identity: str = ID) -> OrderStatus:
    return world.engine.book.records[identity].order.status


def test_an_order_is_accepted_once_with_the_brokers_id(world: World) -> None:
    world.step(accepted())
    world.step(accepted())
    order = world.engine.book.records[ID].order
    assert (order.status, order.broker_order_id) == (OrderStatus.ACCEPTED, "b7")


def test_a_fill_may_come_before_the_acceptance(world: World) -> None:
    world.step(filled(40))
    assert status(world) is OrderStatus.PARTIALLY_FILLED
    world.step(accepted())
    order = world.engine.book.records[ID].order
    assert (order.status, order.broker_order_id) == (OrderStatus.PARTIALLY_FILLED, "b7")
    world.step(accepted())


def test_the_same_fill_counts_once(world: World) -> None:
    world.step(filled(40))
    world.step(filled(40))
    assert world.held() == 40
    assert len(world.of(PositionChanged)) == 1


def test_a_fill_of_an_unknown_order_settles_its_fate(world: World) -> None:
    world.step(OrderUnknown(client_order_id=ID, reason="?", at=OPEN))
    assert status(world) is OrderStatus.UNKNOWN
    world.step(filled(90))
    assert status(world) is OrderStatus.FILLED


@pytest.mark.parametrize("report", [OrderExpired, OrderRejected, OrderCanceled])
def test_a_closed_order_is_closed_once(world: World, report: Any) -> None:
    world.step(report(client_order_id=ID, reason="r", at=OPEN))
    closed = status(world)
    assert not world.engine.open_orders
    world.step(canceled())
    world.step(OrderUnknown(client_order_id=ID, reason="?", at=OPEN))
    world.step(OrderSubmitted(client_order_id=ID, at=OPEN))
    assert status(world) is closed


def test_a_fill_after_the_cancel_reopens_the_order_and_is_told(world: World) -> None:
    world.step(canceled())
    world.step(filled(40))
    assert status(world) is OrderStatus.PARTIALLY_FILLED
    world.step(filled(50, 2))
    assert world.held() == 90
    (note,) = world.of(StrategyNoted)
    assert note.kind == "late_fact"
    assert "was canceled and is now filled" in note.message


def test_an_acceptance_after_the_rejection_reopens_the_order(world: World) -> None:
    world.step(OrderRejected(client_order_id=ID, reason="r", at=OPEN))
    world.step(accepted())
    assert status(world) is OrderStatus.ACCEPTED
    assert len(world.of(StrategyNoted)) == 1


def test_more_than_the_order_is_taken_into_the_books_and_told(world: World) -> None:
    world.step(filled(90))
    world.step(filled(10, 2))
    assert world.held() == 100
    assert world.engine.book.records[ID].order.filled_quantity == 100
    assert "beyond its quantity" in world.of(StrategyNoted)[0].message
    world.bar(110)
    assert world.working() == [("exit", "sell", 10)], "what is too much is sold again"


def test_a_fill_that_beats_the_cancel_leads_to_an_exit(world: World) -> None:
    world.bar(90)
    assert world.engine.desk.standings["d1", "AAPL"].waits
    world.step(filled(90))
    made = [(order.leg.value, int(order.quantity)) for order in world.engine.open_orders]
    assert made == [("exit", 90), ("entry", 111)]


def test_fills_that_are_not_ours_go_to_the_ledger_they_name(world: World) -> None:
    world.step(filled(5, 9, "somebody", ledger="external"))
    world.step(filled(5, 9, "somebody", ledger="external"))
    assert world.held(ledger="external") == 5
    assert world.engine.book.net["AAPL"] == 5


def test_reports_on_orders_that_nobody_knows_change_nothing(world: World) -> None:
    before = world.engine.state()
    for event in (accepted("z"), canceled("z"), OrderSubmitted(client_order_id="z", at=OPEN)):
        world.step(event)
    world.step(OrderUnknown(client_order_id="z", reason="?", at=OPEN))
    assert world.engine.state() == before


def test_late_facts_by_hand_have_no_deployment_to_tell() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    identity = world.order("buy", 10)["client_order_id"]
    world.step(canceled(identity))
    world.step(filled(10, identity=identity))
    assert not world.of(StrategyNoted)
    assert world.held(ledger="manual") == 10


def test_a_fill_without_a_target_is_only_booked() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    identity = world.order("buy", 10)["client_order_id"]
    world.engine.desk.standings.clear()
    world.step(filled(10, identity=identity))
    assert world.held(ledger="manual") == 10


def test_a_fill_of_an_order_that_was_never_seen_on_the_wire() -> None:
    world = World(broker=SilentBroker())
    world.deploy()
    world.engine.handle(_slice())
    world.step(filled(90))
    assert status(world) is OrderStatus.FILLED
    assert not world.engine.outbox


def _slice() -> Any:
    other = World()
    other.bar(110)
    return other.of(SliceClosed)[0]


def test_a_late_bar_is_journaled_and_not_traded(world: World) -> None:
    world.step(BarLate(bar=make_bar("AAPL", 50), at=OPEN))
    assert world.engine.book.price("AAPL") == 110


def test_an_accepted_order_does_not_become_unknown_again(world: World) -> None:
    world.step(accepted())
    world.step(OrderUnknown(client_order_id=ID, reason="?", at=OPEN))
    assert status(world) is OrderStatus.ACCEPTED


def test_an_entry_waits_while_its_own_cancel_is_open(world: World) -> None:
    world.command("limits_change", limits={"order_timeout_seconds": 60})
    world.step(accepted())
    world.step(filled(40))
    world.bar(110)
    world.bar(110)
    (cancel,) = world.of(CancelRequested)
    assert cancel.reason == "order timeout"
    assert len(world.of(OrderApproved)) == 1


def test_a_slice_that_is_given_again_changes_nothing(world: World) -> None:
    state = world.engine.state()
    assert world.engine.handle(_slice()) == []
    assert world.engine.state() == state
