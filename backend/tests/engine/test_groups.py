"""OCO pairs: one order cancels the other, and what over-fills is closed at once."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.events import OrderApproved, OrderCanceled, OrderDenied, OrderFilled
from app.domain.matching import FREE
from tests.trading import Prices, SilentBroker, World, make_execution

D = Decimal
THIN = msgspec.structs.replace(FREE, volume_cap=D("0.1"))
WAYS_OUT: Any = {
    "type": "limit",
    "limit_price": 110,
    "oco": {"type": "stop", "stop_price": "95"},
    "time_in_force": "gtc",
}
WAYS_IN: Any = {
    "type": "limit",
    "limit_price": 98,
    "oco": {"type": "stop", "stop_price": "103"},
    "time_in_force": "gtc",
}


def holding(quantity: int = 10, **given: Any) -> World:
    """AAPL is at 100, and so many shares of it are held by hand."""
    world = World(**given)
    world.bar(100)
    if quantity:
        world.order("buy", quantity)
        world.bar(100)
    return world


def test_a_pair_is_one_answer_and_two_orders() -> None:
    world = holding()
    result = world.order("sell", 10, **WAYS_OUT)
    assert result["client_order_id"] == "1-manual-AAPL-c2-x1"
    first, second = world.engine.open_orders
    assert (first.type, first.limit_price) == ("limit", D(110))
    assert (second.type, second.stop_price) == ("stop", D(95))
    assert first.group_id == second.group_id is not None
    assert second.client_order_id == "1-manual-AAPL-c2-x2"


@pytest.mark.parametrize("bar", [(100, 111, 99, 105), (100, 101, 94, 96), (100, 112, 90, 100)])
def test_of_two_ways_out_one_is_taken(bar: Prices) -> None:
    world = holding()
    world.order("sell", 10, **WAYS_OUT)
    world.bar(bar)
    assert (world.held(ledger="manual"), world.working()) == (0, [])


@pytest.mark.parametrize("bar", [(100, 101, 97, 99), (100, 104, 99, 103), (100, 104, 97, 100)])
def test_of_two_ways_in_one_is_taken(bar: Prices) -> None:
    world = holding(0)
    world.order("buy", 10, stop_loss=80, **WAYS_IN)
    world.bar(bar)
    assert world.held(ledger="manual") == 10
    assert world.working() == [("stop_loss", "sell", 10)]


def test_what_one_order_has_filled_the_other_does_not_fill_again() -> None:
    world = holding(model=THIN)
    world.order("sell", 10, **WAYS_OUT)
    world.bar((100, 111, 100, 105), volume=40)
    assert world.held(ledger="manual") == 6
    assert world.working() == [("exit", "sell", 6), ("exit", "sell", 6)]
    world.bar((96, 96, 94, 94))
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_a_pair_counts_once_for_what_is_on_its_way() -> None:
    world = holding(20)
    world.order("sell", 10, **WAYS_OUT)
    world.order("sell", 5, type="limit", limit_price=120, time_in_force="gtc")
    assert world.working() == [("exit", "sell", 10), ("exit", "sell", 10), ("exit", "sell", 5)]
    standing = world.engine.desk.standings["manual", "AAPL"]
    assert world.engine.desk.projected(standing) == standing.target.quantity == 5


def test_who_cancels_one_cancels_both() -> None:
    world = holding()
    identity = world.order("sell", 10, **WAYS_OUT)["client_order_id"]
    world.command("order_cancel", client_order_id=identity)
    assert world.working() == []


def test_a_pair_never_turns_a_position_around() -> None:
    world = holding()
    result = world.order("sell", 11, **WAYS_OUT)
    assert (result["succeeded"], result["field"]) == (False, "quantity")


@pytest.mark.parametrize("share", ["0.012", "0.015"])
def test_a_pair_of_which_one_may_not_be_is_not_made_at_all(share: str) -> None:
    """Both count against the limits until one is filled: each alone would pass."""
    world = holding(0)
    world.command("limits_change", limits={"max_position_size": share})
    result = world.order("buy", 10, **WAYS_IN)
    assert (result["succeeded"], result["code"]) == (False, "position_limit")
    assert world.working() == []
    assert not world.of(OrderApproved)
    assert len(world.of(OrderDenied)) == 1
    assert world.order("buy", 5, **WAYS_IN)["succeeded"]


def test_two_filled_ways_in_are_brought_back_to_one() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    world.order("buy", 10, **WAYS_IN)
    for order in world.engine.open_orders:
        identity = order.client_order_id
        one = make_execution(10, 100, client_order_id=identity, execution_id=identity, at=world.now)
        world.step(OrderFilled(execution=one))
    assert world.held(ledger="manual") == 20
    assert world.working() == [("exit", "sell", 10)]
    assert world.engine.open_orders[0].type == "market"


@pytest.mark.parametrize("legs", [(1, 2), (0, 1), (2, 0)])
def test_two_filled_ways_out_are_closed_at_once(legs: tuple[int, int]) -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    entry = world.order("buy", 10, stop_loss=90)["client_order_id"]
    world.step(OrderFilled(execution=make_execution(10, 100, client_order_id=entry, at=world.now)))
    world.order("sell", 10, **WAYS_OUT)
    orders = [o.client_order_id for o in world.engine.open_orders]
    assert [leg for leg, *_ in world.working()] == ["stop_loss", "exit", "exit"]
    for identity in [orders[leg] for leg in legs]:
        one = make_execution(-10, 95, client_order_id=identity, execution_id=identity, at=world.now)
        world.step(OrderFilled(execution=one))
    assert world.held(ledger="manual") == -10
    for rest in world.engine.open_orders:
        if rest.pending == "cancel":
            identity = rest.client_order_id
            world.step(OrderCanceled(client_order_id=identity, reason="as asked", at=world.now))
    assert world.working() == [("exit", "buy", 10)]
    assert world.engine.open_orders[0].type == "market"
