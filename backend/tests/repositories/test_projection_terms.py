"""Orders that trail, are paired, held, changed and released: the tables are as the engine."""

from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from app.domain.orders import OrderType
from app.domain.ports import BrokerAbilities
from app.repositories import orders, positions
from app.repositories.orders import OrderFilter
from app.repositories.positions import PositionFilter
from tests.trading import World

from .test_projection_changes import Story, batches, unfolded

D = Decimal
PLAIN = BrokerAbilities(
    types=frozenset({OrderType.MARKET, OrderType.LIMIT}), links_orders=False, can_replace=False
)
SHOWN = ("type", "quantity", "limit_price", "trail", "is_held", "status", "pending", "leg")


def bracketed(**given: Any) -> World:
    """A trailing bracket, a changed limit, and a pair of ways out; AAPL is at 100."""
    world = World(**given)
    world.bar(100)
    world.order("buy", 10, stop_trail=4, take_profit=120)
    world.bar(100)
    entry = world.order("buy", 5, type="limit", limit_price=95, time_in_force="gtc")
    world.command("order_replace", client_order_id=entry["client_order_id"], limit_price="94")
    world.order("buy", 5, type="stop", stop_price=103, time_in_force="gtc")
    world.bar((100, 101, 99, 100))
    return world


async def stored(world: World, pool: asyncpg.Pool, account_id: int, *, restarts: bool) -> None:
    """The world's journal in tables, which are its fold, and show its orders as the engine has."""
    await Story(pool, account_id).tell(*batches(world), restarts=restarts)
    assert await unfolded(pool, account_id) == []
    rows = (await orders.listing(pool, OrderFilter(status=["open"]))(100, None)).items
    shown = {row["client_order_id"]: tuple(row[name] for name in SHOWN) for row in rows}
    ours = {
        order.client_order_id: tuple(getattr(order, name) for name in SHOWN)
        for order in world.engine.open_orders
    }
    assert shown == ours


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("abilities", [BrokerAbilities(links_orders=True), PLAIN])
async def test_every_kind_of_order_is_in_the_tables_as_the_engine_has_it(
    pool: asyncpg.Pool, account_id: int, abilities: BrokerAbilities, restarts: bool
) -> None:
    world = bracketed(abilities=abilities)
    assert len(world.engine.open_orders) == 4
    await stored(world, pool, account_id, restarts=restarts)


async def test_a_position_says_that_it_is_protected_only_while_running(
    pool: asyncpg.Pool, account_id: int
) -> None:
    await stored(bracketed(abilities=PLAIN), pool, account_id, restarts=False)
    (row,) = (await positions.listing(pool, PositionFilter())(10, None)).items
    assert (row["is_protected_here"], row["stop_trail"]) == (True, 4)
    assert (row["stop_loss"], row["take_profit"]) == (96, 120)


async def test_a_held_order_that_is_released_is_of_another_type(
    pool: asyncpg.Pool, account_id: int
) -> None:
    world = bracketed(abilities=PLAIN)
    world.bar((100, 103.5, 100, 103))
    released = [o for o in world.engine.open_orders if o.type == "market" and o.leg == "entry"]
    assert [o.is_held for o in released] == [False]
    await stored(world, pool, account_id, restarts=True)
    row = await orders.get(pool, released[0].client_order_id)
    assert (row["type"], row["stop_price"], row["reason"]) == ("market", None, "reached at 103.00")


async def test_a_pair_is_one_group(pool: asyncpg.Pool, account_id: int) -> None:
    world = World()
    world.bar(100)
    pair: Any = {"type": "limit", "limit_price": 95, "oco": {"type": "stop", "stop_price": "103"}}
    world.order("buy", 5, **pair)
    await stored(world, pool, account_id, restarts=False)
    rows = (await orders.listing(pool, OrderFilter())(10, None)).items
    assert {row["group_id"] for row in rows} == {"manual-AAPL-c1"}
    assert len(rows) == 2


async def test_a_signal_and_its_target_say_how_the_stop_trails(
    pool: asyncpg.Pool, account_id: int
) -> None:
    world = World()
    world.deploy(trail=3.0)
    world.bar(110)
    await stored(world, pool, account_id, restarts=False)
    assert await pool.fetchval("SELECT stop_trail FROM signals") == 3
    assert await pool.fetchval("SELECT stop_trail FROM standing_targets") == 3
