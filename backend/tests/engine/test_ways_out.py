"""Several ways out of one position: what one fills the others keep."""

from decimal import Decimal
from typing import Any

from app.domain.events import OrderCanceled, OrderFilled, OrderReplaced
from app.domain.orders import Leg, Order
from tests.trading import SilentBroker, World, make_execution

D = Decimal
AWAY: Any = {"type": "limit", "time_in_force": "gtc"}


def guarded() -> World:
    """90 AAPL at 100, with a stop and a take-profit."""
    world = World()
    world.bar(100)
    world.order("buy", 90, stop_loss=90, take_profit=150)
    world.bar(100)
    return world


def legs(world: World) -> list[tuple[str, int, bool]]:
    """Kind, shares, and whether in a group of its own."""
    found = [o for o in world.engine.open_orders if o.leg.is_protective]
    return sorted((o.leg.value, int(o.remaining_quantity), "/" in str(o.group_id)) for o in found)


def exits(world: World) -> list[Order]:
    return [order for order in world.engine.open_orders if order.leg is Leg.EXIT]


def test_a_way_out_of_all_that_is_held_is_beside_all_of_the_protection() -> None:
    world = guarded()
    world.order("sell", 90, limit_price=110, **AWAY)
    assert legs(world) == [("stop_loss", 90, False), ("take_profit", 90, False)]
    assert len({order.group_id for order in world.engine.open_orders}) == 1


def test_one_of_a_part_takes_its_part_of_the_protection_with_it() -> None:
    world = guarded()
    world.order("sell", 20, limit_price=120, **AWAY)
    assert legs(world) == [
        ("stop_loss", 20, True),
        ("stop_loss", 70, False),
        ("take_profit", 20, True),
        ("take_profit", 70, False),
    ]
    apart = {o.group_id for o in world.engine.open_orders if "/" in str(o.group_id)}
    assert apart == {exits(world)[0].group_id}


def test_the_last_part_is_beside_what_is_left_of_the_protection() -> None:
    world = guarded()
    world.order("sell", 30, limit_price=110, **AWAY)
    world.order("sell", 60, limit_price=120, **AWAY)
    assert legs(world)[:2] == [("stop_loss", 30, True), ("stop_loss", 60, False)]
    assert ["/" in str(one.group_id) for one in exits(world)] == [True, False]


def test_each_fills_without_the_other() -> None:
    world = guarded()
    world.order("sell", 30, limit_price=110, **AWAY)
    world.order("sell", 20, limit_price=120, **AWAY)
    world.bar((100, 111, 100, 111))
    assert legs(world)[:2] == [("stop_loss", 20, True), ("stop_loss", 40, False)]
    assert [order.remaining_quantity for order in exits(world)] == [D(20)]
    world.bar((111, 121, 111, 121))
    assert (world.held(ledger="manual"), exits(world)) == (40, [])
    assert legs(world) == [("stop_loss", 40, False), ("take_profit", 40, False)]


def test_of_one_that_is_canceled_the_protection_goes_back_to_the_rest() -> None:
    world = guarded()
    world.order("sell", 30, limit_price=110, **AWAY)
    second = world.order("sell", 20, limit_price=120, **AWAY)["client_order_id"]
    world.command("order_cancel", client_order_id=second)
    assert legs(world)[:2] == [("stop_loss", 30, True), ("stop_loss", 60, False)]
    assert len(exits(world)) == 1


def test_a_stop_takes_all_of_it_and_every_way_out_ends() -> None:
    world = guarded()
    world.order("sell", 30, limit_price=110, **AWAY)
    world.order("sell", 20, limit_price=120, **AWAY)
    world.order("sell", 40, limit_price=130, **AWAY)
    world.bar((100, 100, 80, 85))
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_an_addition_ends_the_ways_out_and_one_group_covers_it_all() -> None:
    world = guarded()
    world.order("sell", 30, limit_price=110, **AWAY)
    world.order("sell", 20, limit_price=120, **AWAY)
    world.order("buy", 10)
    world.bar(100)
    assert legs(world) == [("stop_loss", 100, False), ("take_profit", 100, False)]


def test_without_protection_each_has_a_group_all_the_same() -> None:
    world = World()
    world.bar(100)
    world.order("buy", 90)
    world.bar(100)
    world.order("sell", 30, limit_price=110, **AWAY)
    world.order("sell", 20, limit_price=120, oco={"type": "stop", "stop_price": "95"}, **AWAY)
    first, *pair = exits(world)
    assert len({one.group_id for one in pair}) == 1
    assert first.group_id != pair[0].group_id


def test_what_was_filled_late_is_sold_apart_from_a_way_out_of_all_before() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    world.order("buy", 90)
    (bought,) = world.engine.open_orders
    world.step(_filled(world, bought, 90))
    world.order("sell", 90, limit_price=120, **AWAY)
    world.step(_filled(world, bought, 20))
    world.order("sell", 20, limit_price=130, **AWAY)
    assert ["/" in str(one.group_id) for one in exits(world)] == [False, True]


def test_protection_is_never_more_than_what_is_held_while_it_is_moved() -> None:
    """A broker that takes its time: the part is made only once the whole is less."""
    world = World(broker=SilentBroker())
    world.bar(100)
    world.order("buy", 90, stop_loss=90)
    world.step(_filled(world, world.engine.open_orders[0], 90))
    (stop,) = world.engine.open_orders
    world.order("sell", 20, limit_price=120, **AWAY)
    assert legs(world) == [("stop_loss", 90, False)]
    world.step(_changed(world, stop, 70))
    assert legs(world) == [("stop_loss", 20, True), ("stop_loss", 70, False)]
    part = next(o for o in world.engine.open_orders if "/" in str(o.group_id) and o.leg is stop.leg)
    world.step(_gone(world, exits(world)[0]))
    assert legs(world) == [("stop_loss", 20, True), ("stop_loss", 70, False)]
    assert [one.most_remaining for one in world.engine.open_orders] == [D(70), D(20)]
    world.step(_gone(world, part))
    (whole,) = [o for o in world.engine.open_orders if o.leg is Leg.STOP_LOSS]
    assert whole.most_remaining == 90


def _filled(world: World, order: Order, quantity: int) -> OrderFilled:
    name = f"x{quantity}"
    given = {"client_order_id": order.client_order_id, "execution_id": name, "at": world.now}
    return OrderFilled(execution=make_execution(quantity, 100, **given))


def _gone(world: World, order: Order) -> OrderCanceled:
    return OrderCanceled(client_order_id=order.client_order_id, reason="asked", at=world.now)


def _changed(world: World, order: Order, quantity: int) -> OrderReplaced:
    return OrderReplaced(
        client_order_id=order.client_order_id,
        broker_order_id="b",
        quantity=D(quantity),
        limit_price=None,
        stop_price=order.stop_price,
        trail=None,
        at=world.now,
    )
