"""Things that went wrong once, each by name."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.events import OrderApproved, OrderFilled
from app.domain.limits import UNLIMITED
from tests.trading import SilentBroker, World, make_execution

WITH_STOP = msgspec.structs.replace(UNLIMITED, default_stop_loss=Decimal("0.05"))


@pytest.mark.parametrize("command", ["deployment_pause", "deployment_stop"])
def test_a_paused_deployment_does_not_come_back_in(command: str) -> None:
    world = World()
    world.deploy()
    world.bar(110)
    world.command(command, deployment_id=1)
    assert world.working() == []
    world.bar(110)
    world.bar(110)
    assert (world.held(), world.working()) == (0, [])


def long_with_an_exit_at_105() -> World:
    """10 AAPL by hand, a stop at 95 and a resting exit at 105."""
    world = World(limits=WITH_STOP)
    world.bar(100)
    world.order("buy", 10)
    world.bar(100)
    world.order("sell", 10, type="limit", limit_price=105, time_in_force="gtc")
    return world


def test_a_bar_that_touches_stop_and_resting_exit_closes_the_position_once() -> None:
    world = long_with_an_exit_at_105()
    world.bar((100, 106, 90, 100))
    assert (world.held(ledger="manual"), world.working()) == (0, [])


def test_a_resting_exit_goes_when_the_stop_has_closed_the_position() -> None:
    world = long_with_an_exit_at_105()
    world.bar((100, 100, 90, 100))
    assert (world.held(ledger="manual"), world.working()) == (0, [])
    world.bar((100, 106, 100, 106))
    assert world.held(ledger="manual") == 0


def test_a_position_whose_stop_the_gate_withdrew_is_protected_after_the_halt() -> None:
    shut: list[bool] = []
    world = World(limits=WITH_STOP, gate=lambda order: "halted" if shut else None)
    world.deploy()
    world.bar(110)
    shut.append(True)
    world.bar(110)
    assert (world.held(), world.working()) == (90, [])
    world.command("trading_halt")
    shut.clear()
    world.command("trading_resume")
    assert world.working() == [("stop_loss", "sell", 90)]


def test_a_stop_that_was_withdrawn_comes_back_with_the_next_session() -> None:
    shut: list[bool] = []
    world = World(limits=WITH_STOP, gate=lambda order: "fenced" if shut else None)
    world.deploy()
    world.bar(110)
    shut.append(True)
    world.bar(110)
    shut.clear()
    world.close_session()
    world.next_session()
    assert world.working() == [("stop_loss", "sell", 90)]


def test_a_halt_does_not_inherit_the_flatten_of_an_earlier_one() -> None:
    world = World()
    world.deploy()
    world.bar(110)
    world.bar(110)
    world.command("trading_halt", flatten=True)
    assert world.working() == [("flatten", "sell", 90)]
    world.command("trading_resume")
    world.command("trading_halt")
    world.bar(110)
    assert (world.held(), world.working()) == (90, [])


def test_a_second_press_of_the_button_does_not_stop_the_flatten() -> None:
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    fill_all(world)
    world.command("trading_halt", flatten=True)
    world.command("trading_halt")
    (order,) = world.engine.open_orders
    assert (order.leg, order.pending) == ("flatten", "none")


def fill_all(world: World) -> None:
    (order,) = world.engine.open_orders
    one = make_execution(90, 110, client_order_id=order.client_order_id, at=world.now)
    world.step(OrderFilled(execution=one))
    assert len(world.of(OrderApproved)) == 1
