"""The drawdown latch, and what else changes limits while an engine runs."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.deployments import TradingState
from app.domain.events import (
    FundsSeen,
    InstrumentSeen,
    LimitsChanged,
    OrderApproved,
    OrderDenied,
    OrdersElsewhere,
    TradingHalted,
    TradingResumed,
)
from app.domain.limits import UNLIMITED
from app.domain.orders import OrderStatus
from app.engine.state import EngineState
from tests.trading import World, make_order

D = Decimal
FALLING = msgspec.structs.replace(UNLIMITED, max_drawdown=D("0.1"))


def fallen() -> World:
    """An account that held 1,000 shares at 100 while they fell to 90."""
    world = World(limits=FALLING)
    world.bar(100)
    world.order("buy", 1000)
    world.bar(100)
    world.bar(90)
    return world


def test_a_fall_to_the_limit_latches_and_cancels_what_adds() -> None:
    world = World(limits=FALLING)
    world.bar(100)
    world.order("buy", 1000)
    world.bar(100)
    world.order("buy", 1, type="limit", limit_price=50)
    world.bar(90.01)
    assert world.engine.trading_state is TradingState.ACTIVE
    world.bar(90)
    (halted,) = world.of(TradingHalted)
    assert (halted.state, halted.actor) == (TradingState.REDUCING, "risk")
    assert halted.reason == "drawdown 10.00% from the peak of 100000.00; the limit is 10.00%"
    assert not world.working()


def test_the_latch_outlasts_a_recovery_and_a_restart_until_a_person_resumes() -> None:
    world = fallen()
    world.bar(100)
    assert world.order("buy", 1)["code"] == "drawdown"
    assert world.order("sell", 1)["succeeded"]
    world.bar(100)
    state = msgspec.json.decode(msgspec.json.encode(world.engine.state()), type=EngineState)
    world.engine.restore(state)
    assert world.order("buy", 1)["code"] == "drawdown"
    world.next_session()
    world.bar(95)
    assert world.order("buy", 1)["code"] == "drawdown"
    world.command("trading_resume")
    assert world.engine.book.peak == world.engine.equity
    assert world.order("buy", 1)["succeeded"]
    assert len(world.of(TradingHalted)) == len(world.of(TradingResumed)) == 1


def test_it_latches_while_an_outage_is_made_up_for() -> None:
    world = World(limits=FALLING)
    world.bar(100)
    world.order("buy", 1000)
    world.bar(100)
    world.bar(89, warm_up=True)
    assert world.engine.trading_state is TradingState.REDUCING


def test_a_halt_is_not_loosened_by_it() -> None:
    world = World(limits=FALLING)
    world.bar(100)
    world.order("buy", 1000)
    world.bar(100)
    world.command("trading_halt")
    world.bar(80)
    states = [world.engine.trading_state]
    world.command("trading_resume")
    world.bar(79)
    states.append(world.engine.trading_state)
    assert states == [TradingState.HALTED, TradingState.ACTIVE]


def test_who_reduces_already_hears_of_it_too() -> None:
    world = World(limits=FALLING)
    world.bar(100)
    world.order("buy", 1000)
    world.bar(100)
    world.command("trading_reduce")
    world.bar(80)
    world.bar(79)
    assert [event.actor for event in world.of(TradingHalted)] == ["anna", "risk"]
    assert world.order("buy", 1)["code"] == "drawdown"


def test_limits_of_a_deployment_are_changed_while_it_runs() -> None:
    world = World()
    world.deploy("AAPL", "IBM", number=1)
    world.deploy("AAPL", number=2)
    asked = {"max_position_size": "0.01", "order_timeout_seconds": 30}
    done = world.command("limits_change", limits=asked, scope="deployment:1")
    assert done["limits"] == asked
    assert world.of(LimitsChanged)[-1].scope == "deployment:1"
    world.bar(110, IBM=110)
    made = {one.order.ledger: one for one in world.of(OrderApproved) if one.order.symbol == "AAPL"}
    assert made["d1"].order.quantity == 9
    assert made["d1"].limited_by == ("position_limit",)
    assert made["d2"].order.quantity == 90
    done = world.command("limits_change", limits=dict.fromkeys(asked), scope="deployment:1")
    assert done["limits"] == {}


@pytest.mark.parametrize(
    ("limits", "scope"),
    [
        ({"max_sector_exposure": "0.1"}, "symbol:AAPL"),
        ({"max_position_size": "9e9"}, "symbol:AAPL"),
        ({"max_position_size": "0.1"}, "symbols"),
    ],
)
def test_a_bad_scope_changes_nothing(limits: dict[str, str], scope: str) -> None:
    world = World()
    assert not world.command("limits_change", limits=limits, scope=scope)["succeeded"]
    assert not world.engine.book.scopes


def test_a_symbols_stop_and_time_out_are_the_tightest() -> None:
    world = World(limits=msgspec.structs.replace(UNLIMITED, default_stop_loss=D("0.05")))
    asked = {"default_stop_loss": "0.01"}
    world.command("limits_change", limits=asked, scope="symbol:AAPL")
    world.bar(100, IBM=100)
    world.order("buy", 5)
    world.order("buy", 5, symbol="IBM")
    world.bar(100, IBM=100)
    stops = {one.symbol: one.stop_price for one in world.engine.open_orders}
    assert stops == {"AAPL": D(99), "IBM": D(95)}


def test_the_engine_is_told_of_its_surroundings() -> None:
    limits = msgspec.structs.replace(
        UNLIMITED, max_concurrent_orders=3, max_sector_exposure=D("0.1"), allow_short=True
    )
    world = World(limits=limits)
    world.bar(100, IBM=100)
    world.step(OrdersElsewhere(count=3, at=world.now))
    assert world.order("buy", 1)["code"] == "concurrent_orders"
    world.step(OrdersElsewhere(count=2, at=world.now))
    world.step(InstrumentSeen(symbol="AAPL", sector="tech", shortable=False, at=world.now))
    world.step(InstrumentSeen(symbol="IBM", sector="tech", shortable=True, at=world.now))
    assert world.order("sell", 1)["code"] == "not_shortable"
    world.order("buy", 60)
    world.bar(100, IBM=100)
    world.order("buy", 60, symbol="IBM")
    assert world.of(OrderApproved)[-1].order.quantity == 40
    world.bar(100, IBM=100)
    world.step(FundsSeen(buying_power=D(0), at=world.now))
    assert world.order("buy", 1, symbol="MSFT")["code"] == "no_price"
    world.bar(100, IBM=100, MSFT=100)
    assert world.order("buy", 1, symbol="MSFT")["code"] == "buying_power"


def test_a_reduction_passes_if_it_is_one_whether_or_not_an_unknown_order_filled() -> None:
    """P6: another ledger's unknown purchase of the symbol blocks what adds, and no exit."""
    world = World()
    world.bar(100)
    world.order("buy", 10)
    world.bar(100)
    unknown = make_order(ledger="d9", client_order_id="u", status=OrderStatus.UNKNOWN)
    world.engine.book.put(unknown)
    assert world.order("buy", 1)["code"] == "order_unknown"
    assert world.order("sell", 10)["succeeded"]
    assert world.of(OrderDenied)[-1].code == "order_unknown"
