"""What people may do to orders: brackets that trail, other prices, other quantities, clear noes."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.events import (
    ChangeRejected,
    OrderAccepted,
    OrderApproved,
    OrderCanceled,
    OrderFilled,
    OrderReplaced,
    ReplaceRequested,
    SignalExpired,
    SignalRaised,
    TargetSet,
)
from app.domain.matching import FREE
from app.domain.orders import OrderStatus, PendingChange
from app.domain.ports import BrokerAbilities
from tests.trading import Prices, SilentBroker, World, make_execution

D = Decimal
RESTS: Any = {"type": "limit", "limit_price": 99, "time_in_force": "gtc"}


@pytest.fixture
def world() -> World:
    """AAPL is at 100."""
    world = World()
    world.bar(100)
    return world


def change(world: World, client_order_id: str, **terms: Any) -> dict[str, Any]:
    texts = {name: str(value) for name, value in terms.items()}
    return world.command("order_replace", client_order_id=client_order_id, **texts)


# --------------------------------------------------------------------------------- trailing stops


def test_a_trailing_stop_begins_its_distance_from_the_last_price(world: World) -> None:
    world.order("buy", 10)
    world.bar(100)
    world.order("sell", 10, type="trailing_stop", trail=3, time_in_force="gtc")
    (order,) = world.engine.open_orders
    assert (order.stop_price, order.trail) == (D(97), D(3))
    world.bar((100, 105, 100, 104))
    world.bar((104, 104, 101.5, 103))
    assert (world.held(ledger="manual"), world.working()) == (0, [])
    assert world.of(OrderFilled)[-1].execution.price == 102


def test_a_bracket_may_trail(world: World) -> None:
    world.order("buy", 10, stop_trail=4, take_profit=120)
    world.bar(100)
    stop, _ = world.engine.open_orders
    assert (stop.type, stop.stop_price, stop.trail) == ("trailing_stop", D(96), D(4))
    world.bar((100, 110, 100, 109))
    world.bar((109, 109, 105, 107))
    assert world.of(OrderFilled)[-1].execution.price == 106
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_a_trailing_bracket_may_begin_at_a_price(world: World) -> None:
    world.order("buy", 10, stop_trail=4, stop_loss=90)
    world.bar(100)
    (stop,) = world.engine.open_orders
    assert (stop.stop_price, stop.trail) == (D(90), D(4))


def test_a_trailing_leg_keeps_its_place_when_shares_are_added(world: World) -> None:
    world.order("buy", 10, stop_trail=4)
    world.bar(100)
    world.bar((100, 110, 100, 109))
    world.order("buy", 5)
    world.bar(109)
    assert world.working() == [("stop_loss", "sell", 15)]
    (resting,) = world.broker.matcher.resting.values()
    assert (resting.order.quantity, resting.stop) == (D(15), D(106))


def test_a_person_may_turn_a_stop_into_one_that_trails(world: World) -> None:
    world.order("buy", 10, stop_loss=90)
    world.bar(100)
    world.order("buy", 1, stop_trail=5)
    world.bar(100)
    (stop,) = world.engine.open_orders
    assert (stop.type, stop.trail, stop.quantity) == ("trailing_stop", D(5), D(11))


def test_a_trail_needs_a_price_and_less_than_it(world: World) -> None:
    trailing: Any = {"type": "trailing_stop", "trail": 3}
    assert world.order("sell", 10, "MSFT", **trailing)["code"] == "no_price"
    result = world.order("sell", 10, type="trailing_stop", trail=100)
    assert (result["field"], "last price" in result["detail"]) == ("trail", True)


def test_a_strategys_stop_may_trail() -> None:
    world = World()
    world.deploy(trail=3.0)
    world.bar(110)
    world.bar(110)
    (stop,) = world.engine.open_orders
    assert (stop.type, stop.stop_price, stop.trail) == ("trailing_stop", D(107), D(3))
    assert world.of(SignalRaised)[0].signal.stop_trail == 3


# ------------------------------------------------------------------------------- clear noes


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"type": "trailing_stop"}, "trail"),
        ({"trail": 3}, "trail"),
        ({"type": "trailing_stop", "trail": 3, "stop_price": 97}, "stop_price"),
        ({"type": "trailing_stop", "trail": -3}, "trail"),
        ({"stop_trail": 0}, "stop_trail"),
        ({"type": "stop", "stop_price": 103, "time_in_force": "ioc"}, "time_in_force"),
        ({"type": "trailing_stop", "trail": 3, "time_in_force": "fok"}, "time_in_force"),
        ({**RESTS, "oco": {"type": "limit", "limit_price": "98"}}, "oco"),
        ({**RESTS, "oco": {"type": "market"}}, "oco"),
        ({"oco": {"type": "stop", "stop_price": "98"}}, "oco"),
        ({**RESTS, "oco": {"type": "stop"}}, "oco"),
        (
            {**RESTS, "time_in_force": "ioc", "oco": {"type": "stop", "stop_price": "105"}},
            "time_in_force",
        ),
        ({"stop_loss": 101}, "stop_loss"),
        ({"take_profit": 99}, "take_profit"),
        ({**RESTS, "stop_loss": 99.5}, "stop_loss"),
        ({"side": "sell", "stop_loss": 99}, "stop_loss"),
        ({"side": "sell", "take_profit": 101}, "take_profit"),
    ],
)
def test_a_combination_that_makes_no_sense_names_its_field(
    world: World, asked: dict[str, Any], field: str
) -> None:
    given = {"side": "buy", **asked}
    result = world.order(given.pop("side"), 10, **given)
    assert (result["succeeded"], result["field"]) == (False, field)
    assert field.rpartition(".")[2] in result["detail"]
    assert not world.of(OrderApproved)


def test_a_signals_stop_must_be_on_its_side_too(world: World) -> None:
    result = world.command("signal_raise", symbol="AAPL", exposure=0.5, stop_loss="101")
    assert result["field"] == "stop_loss"
    assert world.command("signal_raise", symbol="AAPL", exposure=-0.5, stop_loss="101")["succeeded"]


# ------------------------------------------------------------------------------------ changing


def test_a_resting_order_gets_another_price_and_quantity(world: World) -> None:
    identity = world.order("buy", 10, **RESTS)["client_order_id"]
    assert change(world, identity, limit_price=98, quantity=15) == {
        "succeeded": True,
        "client_order_id": identity,
        "outcome": "requested",
    }
    (order,) = world.engine.open_orders
    assert (order.limit_price, order.quantity, order.pending) == (D(98), D(15), "none")
    (asked,) = world.of(ReplaceRequested)
    assert (asked.reason, asked.quantity) == ("changed by hand", D(15))
    assert len(world.of(OrderReplaced)) == 1
    world.bar((99, 99, 98.5, 99))
    assert world.held(ledger="manual") == 0
    world.bar((99, 99, 97, 98))
    assert (world.held(ledger="manual"), world.working()) == (15, [])


def test_fills_before_a_change_count() -> None:
    world = World(model=msgspec.structs.replace(FREE, volume_cap=D("0.1")))
    world.bar(100)
    identity = world.order("buy", 10, **RESTS)["client_order_id"]
    world.bar((100, 100, 98, 100), volume=40)
    assert change(world, identity, quantity=4)["field"] == "quantity"
    assert change(world, identity, quantity=6)["succeeded"]
    world.bar((100, 100, 98, 100))
    assert (world.held(ledger="manual"), world.working()) == (6, [])


def test_a_change_that_the_broker_refuses_leaves_the_order() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    identity = world.order("buy", 10, **RESTS)["client_order_id"]
    world.step(OrderAccepted(client_order_id=identity, broker_order_id="b1", at=world.now))
    change(world, identity, limit_price=98)
    (order,) = world.engine.open_orders
    assert (order.pending, order.limit_price) == ("replace", D(99))
    assert change(world, identity, limit_price=97)["code"] == "pending"
    world.step(
        ChangeRejected(client_order_id=identity, change="replace", reason="no", at=world.now)
    )
    (order,) = world.engine.open_orders
    assert (order.pending, order.limit_price, order.status) == ("none", D(99), OrderStatus.ACCEPTED)


def test_a_change_is_checked_for_what_it_adds(world: World) -> None:
    world.command("limits_change", limits={"max_position_size": "0.015", "price_collar": "0.05"})
    identity = world.order("buy", 10, **RESTS)["client_order_id"]
    too_much = change(world, identity, quantity=20)
    assert (too_much["succeeded"], too_much["code"]) == (False, "position_limit")
    too_far = change(world, identity, limit_price=90)
    assert (too_far["succeeded"], too_far["code"]) == (False, "price_collar")
    assert not world.of(ReplaceRequested)
    assert change(world, identity, quantity=12)["succeeded"]
    world.command("limits_change", limits={"max_position_size": "0.001"})
    assert change(world, identity, quantity=5)["succeeded"], "less is never too much"


def test_nothing_is_changed_while_halted(world: World) -> None:
    world.order("buy", 10, stop_loss=90)
    world.bar(100)
    (stop,) = world.engine.open_orders
    world.command("trading_halt")
    result = change(world, stop.client_order_id, stop_price=95)
    assert (result["succeeded"], result["code"]) == (False, "trading_halted")


@pytest.mark.parametrize(
    ("order", "asked", "field"),
    [
        (RESTS, {"stop_price": 98}, "stop_price"),
        (RESTS, {"trail": 2}, "trail"),
        (RESTS, {"quantity": "1.5"}, "quantity"),
        (RESTS, {"quantity": 0}, "quantity"),
        (RESTS, {}, "quantity"),
        ({"type": "stop", "stop_price": 103}, {"limit_price": 98}, "limit_price"),
    ],
)
def test_a_change_that_makes_no_sense_names_its_field(
    world: World, order: Any, asked: Any, field: str
) -> None:
    identity = world.order("buy", 10, **order)["client_order_id"]
    result = change(world, identity, **asked)
    assert (result["succeeded"], result["field"]) == (False, field)


def test_an_exit_never_grows_beyond_what_is_held(world: World) -> None:
    world.order("buy", 10)
    world.bar(100)
    way_out: Any = {"type": "limit", "limit_price": 105, "time_in_force": "gtc"}
    identity = world.order("sell", 5, **way_out)["client_order_id"]
    assert change(world, identity, quantity=11)["field"] == "quantity"
    assert change(world, identity, quantity=10)["succeeded"]
    world.bar((105, 106, 105, 106))
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_only_open_orders_can_be_changed(world: World) -> None:
    assert change(world, "nope", quantity=5)["code"] == "not_found"
    identity = world.order("buy", 10)["client_order_id"]
    world.bar(100)
    assert change(world, identity, quantity=5)["code"] == "not_open"


def test_a_broker_that_changes_nothing_says_what_to_do() -> None:
    able = BrokerAbilities(links_orders=True, can_replace=False)
    world = World(abilities=able)
    world.bar(100)
    identity = world.order("buy", 10, stop_loss=90, **RESTS)["client_order_id"]
    result = change(world, identity, quantity=5)
    assert (result["code"], "cancel it" in result["detail"]) == ("not_replaceable", True)
    world.bar(98)
    (stop,) = world.engine.open_orders
    assert change(world, stop.client_order_id, stop_price=92)["succeeded"]
    (moved,) = world.engine.open_orders
    assert (moved.stop_price, moved.client_order_id != stop.client_order_id) == (D(92), True)


@pytest.mark.parametrize(
    ("given", "leg", "asked", "bar"),
    [
        ({"stop_loss": 90}, 0, {"stop_price": 96}, (100, 100, 95, 100)),
        ({"stop_loss": 90, "take_profit": 120}, 1, {"limit_price": 104}, (100, 105, 100, 100)),
        ({"stop_trail": 9}, 0, {"trail": 3}, (100, 100, 96.5, 100)),
    ],
)
def test_a_leg_moves_and_stays_where_a_person_put_it(
    world: World, given: Any, leg: int, asked: Any, bar: Prices
) -> None:
    world.order("buy", 10, **given)
    world.bar(100)
    order = world.engine.open_orders[leg]
    assert change(world, order.client_order_id, **asked)["succeeded"]
    assert world.of(TargetSet)
    world.bar(100)
    assert world.held(ledger="manual") == 10
    world.bar(bar)
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_a_legs_quantity_follows_the_position(world: World) -> None:
    world.order("buy", 10, stop_loss=90)
    world.bar(100)
    (stop,) = world.engine.open_orders
    assert change(world, stop.client_order_id, quantity=5)["field"] == "quantity"


def test_both_orders_of_a_pair_follow_a_new_quantity(world: World) -> None:
    pair: Any = {**RESTS, "oco": {"type": "stop", "stop_price": "105"}}
    identity = world.order("buy", 10, **pair)["client_order_id"]
    assert change(world, identity, quantity=6)["succeeded"]
    assert world.working() == [("entry", "buy", 6), ("entry", "buy", 6)]
    assert change(world, identity, quantity=8)["succeeded"]
    world.bar((100, 106, 100, 105))
    assert (world.held(ledger="manual"), world.working()) == (8, [])


def test_an_order_that_trails_gets_another_distance(world: World) -> None:
    world.order("buy", 10)
    world.bar(100)
    order: Any = {"type": "trailing_stop", "trail": 9, "time_in_force": "gtc"}
    identity = world.order("sell", 10, **order)["client_order_id"]
    assert change(world, identity, trail=2)["succeeded"]
    (changed,) = world.engine.open_orders
    assert (changed.trail, changed.stop_price) == (D(2), D(98))
    world.bar((100, 100, 97, 99))
    assert world.held(ledger="manual") == 0


@pytest.mark.parametrize(
    ("named", "asked", "told"),
    [
        ({"stop_loss": 90}, {"stop_price": 95}, {"stop_price": D("95.01")}),
        ({"take_profit": 120}, {"limit_price": 110}, {"limit_price": D("109.99")}),
    ],
)
def test_a_broker_that_changes_otherwise_than_asked_is_not_asked_for_ever(
    named: Any, asked: Any, told: Any
) -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    entry = world.order("buy", 10, **named)["client_order_id"]
    world.step(OrderFilled(execution=make_execution(10, 100, client_order_id=entry, at=world.now)))
    (leg,) = world.engine.open_orders
    world.step(
        OrderAccepted(client_order_id=leg.client_order_id, broker_order_id="b", at=world.now)
    )
    change(world, leg.client_order_id, **asked)
    did = {"client_order_id": leg.client_order_id, "broker_order_id": "b", "quantity": D(10)}
    world.step(OrderReplaced(**did, **told, at=world.now))
    assert len(world.of(ReplaceRequested)) == 1
    (leg,) = world.engine.open_orders
    assert leg.pending == "cancel", "it is made anew where it was wanted"


def test_where_a_trailing_leg_stands_by_now_the_broker_knows_best() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    entry = world.order("buy", 10, stop_trail=4, stop_loss=90)["client_order_id"]
    fill = make_execution(4, 100, client_order_id=entry, execution_id="x1", at=world.now)
    world.step(OrderFilled(execution=fill))
    stop = world.engine.open_orders[-1].client_order_id
    world.step(OrderAccepted(client_order_id=stop, broker_order_id="b", at=world.now))
    fill = make_execution(6, 100, client_order_id=entry, execution_id="x2", at=world.now)
    world.step(OrderFilled(execution=fill))
    told = {"quantity": D(10), "trail": D(4), "stop_price": D("96.5")}
    world.step(OrderReplaced(client_order_id=stop, broker_order_id="b", at=world.now, **told))
    (leg,) = world.engine.open_orders
    assert (leg.pending, leg.quantity, leg.stop_price) == ("none", D(10), D("96.5"))
    assert len(world.of(ReplaceRequested)) == 1


def test_a_leg_that_the_broker_will_not_change_is_made_anew() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    entry = world.order("buy", 10, stop_loss=90)["client_order_id"]
    fill = make_execution(4, 100, client_order_id=entry, execution_id="a", at=world.now)
    world.step(OrderFilled(execution=fill))
    stop = world.engine.open_orders[1].client_order_id
    world.step(OrderAccepted(client_order_id=stop, broker_order_id="b1", at=world.now))
    fill = make_execution(6, 100, client_order_id=entry, execution_id="b", at=world.now)
    world.step(OrderFilled(execution=fill))
    assert world.engine.open_orders[0].pending == "replace"
    world.step(ChangeRejected(client_order_id=stop, change="replace", reason="no", at=world.now))
    assert world.working() == [("stop_loss", "sell", 4), ("stop_loss", "sell", 6)]


def test_who_cancels_what_is_being_cancelled_already_leaves_the_newer_signal_alone() -> None:
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    (entry,) = world.engine.open_orders
    world.bar(90)
    assert world.engine.open_orders[0].pending == "cancel"
    world.command("order_cancel", client_order_id=entry.client_order_id)
    world.step(
        OrderCanceled(client_order_id=entry.client_order_id, reason="as asked", at=world.now)
    )
    assert [(leg, side) for leg, side, _ in world.working()] == [("entry", "sell")]


def test_a_signal_whose_order_a_person_cancels_before_it_came_to_anything_has_expired() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    old = world.order("buy", 10, **RESTS)["client_order_id"]
    world.command("signal_raise", symbol="AAPL", exposure=-0.5)
    standing = world.engine.desk.standings["manual", "AAPL"]
    assert (standing.outcome_due, standing.waits) == (True, True)
    other = world.engine.book.open[old]
    world.engine.book.put(msgspec.structs.replace(other, pending=PendingChange.NONE))
    world.command("order_cancel", client_order_id=old)
    assert [e.signal_id for e in world.of(SignalExpired)] == [standing.target.signal_id]


def test_a_leg_that_grows_while_shares_are_sold_is_made_less_once_that_is_answered() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    entry = world.order("buy", 10, stop_loss=90)["client_order_id"]

    def filled(identity: str, quantity: int) -> None:
        number = f"x{len(world.journal.events)}"
        one = make_execution(quantity, 100, client_order_id=identity, execution_id=number)
        world.step(OrderFilled(execution=one))

    filled(entry, 4)
    stop = world.engine.open_orders[-1].client_order_id
    world.step(OrderAccepted(client_order_id=stop, broker_order_id="b", at=world.now))
    filled(entry, 6)
    way_out = world.order("sell", 3)["client_order_id"]
    filled(way_out, -3)
    asked = [int(e.quantity) for e in world.of(ReplaceRequested)]
    assert (world.held(ledger="manual"), asked) == (7, [10])
    world.step(
        OrderReplaced(
            client_order_id=stop,
            broker_order_id="b",
            quantity=D(10),
            stop_price=D(90),
            at=world.now,
        )
    )
    assert [int(e.quantity) for e in world.of(ReplaceRequested)] == [10, 7]
