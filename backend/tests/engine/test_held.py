"""Orders that a broker cannot have: watched here, shown as such, sent when they are reached."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from app.domain.events import (
    BrokerReport,
    OrderCanceled,
    OrderFilled,
    OrderReleased,
    OrderReplaced,
    OrderSubmitted,
)
from app.domain.orders import Order, OrderType, TimeInForce
from app.domain.ports import BrokerAbilities
from app.engine.paper import PaperBroker
from app.engine.surroundings import told_of
from tests.trading import MINUTE, SilentBroker, World, make_execution

D = Decimal
LIFE = frozenset(TimeInForce)
UNLINKED = BrokerAbilities(links_orders=False)
PLAIN = BrokerAbilities(types=frozenset({OrderType.MARKET, OrderType.LIMIT}), links_orders=False)


class Modest(PaperBroker):
    """A paper broker that must never see what it says it cannot have."""

    def __init__(self, abilities: BrokerAbilities) -> None:
        super().__init__()
        self.abilities = abilities  # type: ignore[misc]  # a class attribute of the base
        self.seen: list[Order] = []

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        assert order.type in self.abilities.types
        self.seen.append(order)
        return await super().submit(order, at)


def world_of(abilities: BrokerAbilities, **given: Any) -> World:
    """AAPL is at 100."""
    world = World(broker=Modest(abilities), abilities=abilities, **given)
    world.bar(100)
    return world


def held_here(world: World) -> list[tuple[str, str, int]]:
    return [
        (o.leg.value, o.type.value, int(o.remaining_quantity))
        for o in world.engine.open_orders
        if o.is_held
    ]


# ------------------------------------------------------------------------- brackets, unlinked


def bracket(**given: Any) -> World:
    world = world_of(UNLINKED, **given)
    world.order("buy", 10, stop_loss=95, take_profit=110)
    world.bar(100)
    return world


def test_of_a_bracket_the_stop_rests_and_the_profit_is_held() -> None:
    world = bracket()
    assert world.working() == [("stop_loss", "sell", 10), ("take_profit", "sell", 10)]
    assert held_here(world) == [("take_profit", "limit", 10)]
    assert set(world.broker.matcher.resting) == {"1-manual-AAPL-c1-s1"}


def test_a_held_profit_that_is_reached_frees_the_shares_and_sells() -> None:
    world = bracket()
    world.bar((100, 111, 100, 110.5))
    assert world.working() == [("exit", "sell", 10)]
    world.bar(111)
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_a_held_profit_that_was_touched_and_lost_again_waits() -> None:
    world = bracket()
    world.bar((100, 111, 100, 105))
    assert held_here(world) == [("take_profit", "limit", 10)]


def test_a_stop_at_the_broker_takes_the_held_profit_with_it() -> None:
    world = bracket()
    world.bar((100, 100, 94, 95))
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_a_profit_alone_rests_at_the_broker() -> None:
    world = world_of(UNLINKED)
    world.order("buy", 10, take_profit=110)
    world.bar(100)
    assert not held_here(world)
    assert len(world.broker.matcher.resting) == 1


def test_a_held_leg_is_changed_without_asking_anybody() -> None:
    world = bracket()
    profit = world.engine.open_orders[1].client_order_id
    assert world.command("order_replace", client_order_id=profit, limit_price="108")["succeeded"]
    (told,) = world.of(OrderReplaced)
    assert (told.client_order_id, told.limit_price) == (profit, D(108))
    world.bar((100, 108.5, 100, 108.2))
    world.bar(108)
    assert world.held(ledger="manual") == 0


def test_a_pair_of_ways_out_rests_with_its_stop_and_holds_its_limit() -> None:
    world = world_of(UNLINKED)
    world.order("buy", 10)
    world.bar(100)
    world.order("sell", 10, type="limit", limit_price=110, oco={"type": "stop", "stop_price": "95"})
    assert held_here(world) == [("exit", "limit", 10)]
    world.bar((100, 111, 100, 111))
    world.bar(111)
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_a_resting_exit_beside_a_stop_is_held() -> None:
    world = world_of(UNLINKED)
    world.order("buy", 10, stop_loss=95)
    world.bar(100)
    world.order("sell", 4, type="limit", limit_price=105, time_in_force="gtc")
    assert held_here(world) == [("exit", "limit", 4)]
    world.bar((100, 106, 100, 105))
    world.bar(105)
    assert world.working() == [("stop_loss", "sell", 6)]


# ---------------------------------------------------------------------- types that are lacking


@pytest.mark.parametrize(
    ("terms", "sent_as"),
    [
        ({"type": "stop", "stop_price": 103}, ("market", None)),
        ({"type": "stop_limit", "stop_price": 103, "limit_price": 106}, ("limit", D(106))),
        ({"type": "trailing_stop", "trail": 3}, ("market", None)),
    ],
)
def test_an_entry_that_waits_for_a_stop_is_sent_when_it_is_reached(
    terms: Any, sent_as: tuple[str, Decimal | None]
) -> None:
    world = world_of(PLAIN)
    identity = world.order("buy", 10, time_in_force="gtc", **terms)["client_order_id"]
    assert held_here(world) == [("entry", terms["type"], 10)]
    assert not world.of(OrderSubmitted)
    assert world.engine.deadline is None
    world.bar((100, 102, 100, 101))
    assert not world.of(OrderReleased)
    world.bar((101, 104, 101, 104))
    (released,) = world.of(OrderReleased)
    assert (released.client_order_id, released.order_type) == (identity, sent_as[0])
    (sent,) = [o for o in world.broker.seen if o.client_order_id == identity]
    assert (sent.type, sent.limit_price, sent.is_held) == (*sent_as, False)
    world.bar(104)
    assert world.held(ledger="manual") == 10


def test_a_held_trailing_stop_follows_the_bars_and_never_goes_back() -> None:
    world = world_of(PLAIN)
    world.order("buy", 10, stop_trail=4)
    world.bar(100)
    stops = []
    for bar in [(100, 105, 100, 104), (104, 104, 103, 104), (104, 108, 104, 107)]:
        world.bar(bar)
        (leg,) = world.engine.open_orders
        stops.append(leg.stop_price)
    assert stops == [D(101), D(101), D(104)]
    world.bar((107, 107, 103.5, 106))
    world.bar(106)
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_a_held_stop_limit_exit_is_sent_as_a_limit() -> None:
    world = world_of(PLAIN)
    world.order("buy", 10)
    world.bar(100)
    world.order("sell", 10, type="stop_limit", stop_price=95, limit_price=94, time_in_force="gtc")
    world.bar((100, 100, 94.5, 94.5))
    (order,) = world.engine.open_orders
    assert (order.type, order.limit_price, order.is_held) == ("limit", D(94), False)


def test_a_held_order_meets_only_the_end_of_a_bar_that_began_before_it() -> None:
    world = world_of(PLAIN)
    start = world.now
    world.now = start + MINUTE / 2
    world.order("buy", 10, type="stop", stop_price=103)
    world.now = start
    world.bar((100, 110, 100, 101))
    assert not world.of(OrderReleased)
    world.bar((101, 104, 101, 102))
    assert world.of(OrderReleased)


def test_a_held_order_waits_for_bars_of_its_own_symbol() -> None:
    world = world_of(PLAIN)
    world.order("buy", 10, type="stop", stop_price=103)
    world.bar(MSFT=200)
    assert held_here(world) == [("entry", "stop", 10)]


def test_of_a_pair_of_ways_in_the_held_stop_takes_the_limit_with_it() -> None:
    world = world_of(PLAIN)
    world.order("buy", 10, type="limit", limit_price=98, oco={"type": "stop", "stop_price": "103"})
    world.bar((100, 104, 100, 104))
    assert world.working() == [("entry", "buy", 10)]
    world.bar(104)
    assert (world.held(ledger="manual"), world.working()) == (10, [])


def test_nothing_that_is_held_is_sent_while_halted() -> None:
    world = world_of(PLAIN)
    world.order("buy", 10, stop_loss=95)
    world.bar(100)
    world.command("trading_halt")
    world.bar((100, 100, 90, 90))
    assert held_here(world) == [("stop_loss", "stop", 10)]
    world.command("trading_resume")
    world.bar(90)
    world.bar(90)
    assert world.held(ledger="manual") == 0


def test_a_held_day_order_ends_with_its_session() -> None:
    world = world_of(PLAIN)
    world.order("buy", 10, type="stop", stop_price=103)
    world.order("buy", 10, "AAPL", type="stop", stop_price=103, time_in_force="gtc")
    world.bar(100)
    world.close_session()
    assert held_here(world) == [("entry", "stop", 10)]


def test_a_held_order_is_cancelled_without_asking_anybody() -> None:
    world = world_of(PLAIN)
    identity = world.order("buy", 10, type="stop", stop_price=103)["client_order_id"]
    world.command("order_cancel", client_order_id=identity)
    assert world.working() == []
    assert [e.client_order_id for e in world.of(OrderCanceled)] == [identity]


def test_a_held_order_without_a_standing_target_is_sent() -> None:
    world = world_of(PLAIN)
    world.order("buy", 10)
    world.bar(100)
    world.order("sell", 10, type="stop", stop_price=95)
    world.engine.desk.standings.clear()
    world.bar((100, 100, 94, 94))
    assert len(world.of(OrderReleased)) == 1


# --------------------------------------------------------------------------- what makes no sense


@pytest.mark.parametrize(
    ("abilities", "asked", "field"),
    [
        (
            BrokerAbilities(times_in_force=frozenset({TimeInForce.DAY})),
            {"time_in_force": "gtc"},
            "time_in_force",
        ),
        (
            BrokerAbilities(types=frozenset({OrderType.MARKET})),
            {"type": "limit", "limit_price": 99},
            "type",
        ),
        (
            BrokerAbilities(types=frozenset({OrderType.MARKET})),
            {"type": "stop_limit", "stop_price": 101, "limit_price": 102},
            "type",
        ),
    ],
)
def test_what_nobody_can_do_is_refused_with_the_way_out(
    abilities: BrokerAbilities, asked: Any, field: str
) -> None:
    world = world_of(abilities)
    result = world.order("buy", 10, **asked)
    assert (result["succeeded"], result["field"]) == (False, field)
    assert "Use " in result["detail"]


def test_legs_are_day_orders_where_there_is_nothing_longer() -> None:
    world = world_of(BrokerAbilities(times_in_force=frozenset({TimeInForce.DAY})))
    world.order("buy", 10, stop_loss=95)
    world.bar(100)
    (leg,) = world.engine.open_orders
    assert leg.time_in_force == "day"


# ------------------------------------------------------------- exits where nothing can be linked


def test_an_exit_frees_the_shares_first_where_the_broker_links_nothing() -> None:
    world = World(broker=Modest(UNLINKED), abilities=UNLINKED)
    world.deploy(stop=0.05)
    world.bar(110)
    world.bar(110)
    world.bar(105)
    assert sorted(world.working()) == [("exit", "sell", 43), ("stop_loss", "sell", 47)]


def test_a_halt_leaves_an_exit_that_took_the_place_of_the_stop() -> None:
    broker = SilentBroker()
    world = World(broker=broker, abilities=UNLINKED)
    world.deploy(stop=0.05)
    world.bar(110)
    (entry,) = world.engine.open_orders
    identity = entry.client_order_id
    world.step(OrderFilled(execution=make_execution(90, 110, client_order_id=identity)))
    world.bar(100)
    (stop,) = world.engine.open_orders
    assert stop.pending == "cancel"
    world.step(OrderCanceled(client_order_id=stop.client_order_id, reason="as asked", at=world.now))
    world.command("trading_halt", reason="panic")
    (exit_,) = world.engine.open_orders
    assert (exit_.leg, exit_.pending) == ("exit", "none")


# ------------------------------------------------------------------------- told by the stream


def test_what_a_broker_can_do_is_learned_from_the_stream_and_kept() -> None:
    world = World(broker=Modest(UNLINKED))
    assert world.engine.state().abilities is None
    told = told_of(UNLINKED, world.now)
    world.step(told)
    world.bar(100)
    world.order("buy", 10, stop_loss=95, take_profit=110)
    world.bar(100)
    assert held_here(world) == [("take_profit", "limit", 10)]
    other = World(sessions=False)
    other.engine.restore(world.engine.state())
    assert other.engine.desk.abilities.links_orders is False
    assert other.engine.state() == world.engine.state()
    assert told_of(other.engine.desk.abilities, told.at) == told
