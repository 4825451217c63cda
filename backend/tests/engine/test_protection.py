"""Protective legs: they cover what is held, no more, no less, and end what they protect."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.events import (
    CancelRequested,
    OrderApproved,
    OrderCanceled,
    OrderFilled,
    ProtectionLost,
    ReplaceRequested,
    SignalRaised,
    StrategyNoted,
    TradeClosed,
)
from app.domain.limits import UNLIMITED
from app.domain.matching import FREE
from app.domain.orders import Leg, Side
from tests.trading import SilentBroker, World, make_execution

D = Decimal
THIN = msgspec.structs.replace(FREE, volume_cap=D("0.1"))
WITH_STOP = msgspec.structs.replace(UNLIMITED, default_stop_loss=D("0.05"))


def entered(**given: float) -> World:
    """90 shares of AAPL bought at 110."""
    world = World()
    world.deploy(**given)
    world.bar(110)
    world.bar(110)
    return world


def test_the_signals_stop_and_profit_rest_as_soon_as_something_is_held() -> None:
    world = entered(stop=0.05, profit=0.1)
    assert world.working() == [("stop_loss", "sell", 90), ("take_profit", "sell", 90)]
    stop, profit = world.engine.open_orders
    assert (stop.stop_price, profit.limit_price) == (D("104.50"), D("121.00"))
    assert stop.group_id == profit.group_id == "d1-AAPL-20240301T143100"
    assert stop.client_order_id == "1-d1-AAPL-20240301T143100-s1"


def test_without_a_stop_of_its_own_a_position_gets_the_default_one() -> None:
    world = World(limits=WITH_STOP)
    world.deploy()
    world.bar(90)
    world.bar(90)
    (stop,) = world.engine.open_orders
    assert (stop.side, stop.stop_price, world.held()) == ("buy", D("94.50"), -111)


def test_a_stop_ends_the_position_until_the_opinion_changes() -> None:
    world = entered(stop=0.05, profit=0.1)
    world.bar((110, 110, 104, 110))
    assert world.held() == 0
    assert world.of(TradeClosed)[0].trade.exit_leg == "stop_loss"
    assert world.working() == []
    world.bar(110)
    world.bar(110)
    assert len(world.of(SignalRaised)) == 1
    world.bar(105)
    world.bar(105)
    assert world.held() > 0


def test_a_stop_may_be_hit_in_the_bar_of_the_entry() -> None:
    world = World()
    world.deploy(stop=0.05)
    world.bar(110)
    world.bar((110, 110, 100, 110))
    assert world.held() == 0


def test_a_profit_ends_the_position_too_and_the_stop_goes() -> None:
    world = entered(stop=0.05, profit=0.1)
    world.bar((110, 122, 110, 110))
    assert world.held() == 0
    assert world.of(TradeClosed)[0].trade.pnl == 990
    assert [e.reason for e in world.of(CancelRequested)] == ["position closed"]
    assert len(world.of(OrderCanceled)) == 1


def test_a_stop_that_gaps_fills_at_the_open() -> None:
    world = entered(stop=0.05)
    world.bar((90, 110, 90, 110))
    assert world.of(TradeClosed)[0].trade.exit_price == 90


def test_the_cover_grows_with_each_partial_fill() -> None:
    world = World(model=THIN)
    world.deploy(stop=0.05)
    world.bar(110, volume=400)
    world.bar(110, volume=300)
    assert world.working() == [("entry", "buy", 50), ("stop_loss", "sell", 40)]
    world.bar(110, volume=300)
    assert world.working()[1:] == [("stop_loss", "sell", 70)]
    assert [e.reason for e in world.of(ReplaceRequested)] == ["resized"]


def test_a_stop_ends_the_rest_of_its_entry_as_well() -> None:
    world = World(model=THIN)
    world.deploy(stop=0.05)
    world.bar(110, volume=400)
    world.bar((110, 110, 104, 110), volume=10_000)
    assert world.held() == 0
    assert world.working() == []


def test_a_stop_that_fills_in_parts_finishes_the_exit_itself() -> None:
    world = World(model=THIN)
    world.deploy(stop=0.05)
    world.bar(110)
    world.bar(110)
    world.bar((104, 104, 104, 110), volume=400)
    world.bar(110)
    assert world.held() == 0
    assert {e.order.leg for e in world.of(OrderApproved)} == {Leg.ENTRY, Leg.STOP_LOSS}


def test_a_partial_profit_shrinks_the_stop() -> None:
    world = World(model=THIN)
    world.deploy(stop=0.05, profit=0.1)
    world.bar(110)
    world.bar(110, volume=100)
    world.bar((110, 122, 110, 110), volume=300)
    assert world.held() == 60
    assert sorted(world.working()) == [("stop_loss", "sell", 60), ("take_profit", "sell", 60)]
    world.bar((110, 110, 104, 110))
    assert world.held() == 0


def test_an_exit_works_beside_the_legs_which_shrink_with_it() -> None:
    world = entered(stop=0.05, profit=0.1)
    start = len(world.journal.events)
    world.bar(105)
    assert [n for n in world.names(start) if n.startswith(("Cancel", "Order"))] == [
        "OrderApproved",
        "OrderSubmitted",
        "OrderAccepted",
        "OrderReplaced",
        "OrderReplaced",
    ], "the new signal names other prices"
    assert len({order.group_id for order in world.engine.open_orders}) == 1
    world.bar(105)
    assert sorted(world.working()) == [("stop_loss", "sell", 47), ("take_profit", "sell", 47)]


@pytest.mark.parametrize("close", [105, 100])
def test_a_halt_while_an_exit_works_leaves_the_position_with_its_legs(close: float) -> None:
    world = entered(stop=0.2)
    world.bar(close)
    assert ("stop_loss", "sell", 90) in world.working()
    world.command("trading_halt", reason="panic")
    assert world.working() == [("stop_loss", "sell", 90)]
    world.bar((close, close, 80, close))
    assert world.held() == 0


def test_a_new_signal_moves_the_protection_that_it_names() -> None:
    world = entered(stop=0.05)
    world.bar(109)
    world.bar(109)
    stops = {(int(o.quantity), o.stop_price) for o in world.engine.open_orders}
    assert stops == {(82, D("103.55"))}


def test_a_default_stop_is_measured_from_the_average_price_when_shares_are_added() -> None:
    world = World(limits=WITH_STOP)
    world.deploy()
    world.bar(105)
    world.bar(105)
    world.bar(110)
    world.bar(110)
    stops = [(int(o.quantity), o.stop_price) for o in world.engine.open_orders]
    assert stops == [(90, D("102.02"))]


def test_a_flip_turns_the_protection_around() -> None:
    world = entered(stop=0.05)
    world.bar(90)
    world.bar(90)
    assert world.working() == [("stop_loss", "buy", 111)]


def test_a_halt_keeps_the_protection_and_makes_none() -> None:
    world = entered(stop=0.05)
    world.command("trading_halt", reason="test")
    assert world.working() == [("stop_loss", "sell", 90)]
    world.bar((110, 110, 104, 110))
    assert world.held() == 0


def test_resuming_protects_what_is_bare() -> None:
    world = World(broker=SilentBroker())
    world.deploy(stop=0.05)
    world.bar(110)
    world.command("trading_halt")
    (entry,) = world.engine.open_orders
    one = make_execution(90, 110, client_order_id=entry.client_order_id, at=world.now)
    world.step(OrderFilled(execution=one))
    assert world.held() == 90
    assert [leg for leg, *_ in world.working()] == []
    world.command("trading_resume")
    assert world.working() == [("stop_loss", "sell", 90)]


def test_a_leg_that_the_broker_drops_is_told_and_not_asked_for_again() -> None:
    world = entered(stop=0.05)
    (stop,) = world.engine.open_orders
    world.step(
        OrderCanceled(client_order_id=stop.client_order_id, reason="halted stock", at=world.now)
    )
    assert world.working() == []
    (note,) = world.of(StrategyNoted)
    assert (note.kind, note.severity) == ("unprotected", "critical")
    assert "halted stock" in note.message


def test_a_leg_that_a_person_cancels_stays_away() -> None:
    world = entered(stop=0.05)
    (stop,) = world.engine.open_orders
    assert world.command("order_cancel", client_order_id=stop.client_order_id)["succeeded"]
    world.bar(110)
    assert world.working() == []
    assert not world.of(StrategyNoted)


def test_a_leg_that_a_closed_gate_withdrew_is_made_when_trading_resumes() -> None:
    shut: list[str] = []
    world = World(gate=lambda _: shut[0] if shut else None)
    world.deploy(stop=0.05)
    world.bar(110)
    shut.append("trading is halted")
    world.bar(110)
    assert (world.held(), world.working()) == (90, [])
    world.command("trading_halt")
    shut.clear()
    world.command("trading_resume")
    assert world.working() == [("stop_loss", "sell", 90)]


def test_resuming_does_not_bring_back_what_a_person_cancelled() -> None:
    world = entered(stop=0.05)
    (stop,) = world.engine.open_orders
    world.command("order_cancel", client_order_id=stop.client_order_id)
    world.command("trading_halt")
    world.command("trading_resume")
    assert world.working() == []


def test_two_legs_that_both_filled_are_closed_at_once() -> None:
    world = entered(stop=0.05, profit=0.1)
    stop, profit = world.engine.open_orders
    for leg in (stop, profit):
        identity = leg.client_order_id
        one = make_execution(-90, 105, client_order_id=identity, execution_id=f"x-{identity}")
        world.step(OrderFilled(execution=one))
    assert world.held() == -90
    world.bar(110)
    world.bar(110)
    assert world.held() == 0


def test_a_position_that_was_turned_around_is_protected_before_its_old_leg_is_gone() -> None:
    world = World(broker=SilentBroker(), limits=WITH_STOP)
    world.deploy()
    world.bar(110)
    (entry,) = world.engine.open_orders
    identity = entry.client_order_id
    world.step(OrderFilled(execution=make_execution(90, 110, client_order_id=identity)))
    foreign = make_execution(-100, 110, client_order_id="foreign", execution_id="x9")
    order = msgspec.structs.replace(
        entry, client_order_id="foreign", side=Side.SELL, quantity=D(100)
    )
    world.engine.book.put(order)
    world.step(OrderFilled(execution=foreign))
    assert world.held() == -10
    legs = [(o.side, o.pending) for o in world.engine.open_orders if o.leg is Leg.STOP_LOSS]
    assert legs == [("sell", "cancel"), ("buy", "none")]


def bare(reason: str = "by the broker", *, sells: bool = False) -> World:
    """A position by hand whose stop the broker takes away."""
    world = World(broker=SilentBroker())
    world.bar(100)
    world.order("buy", 10, stop_loss=90)
    (entry,) = world.engine.open_orders
    given = {"client_order_id": entry.client_order_id, "ledger": "manual"}
    world.step(OrderFilled(execution=make_execution(10, 100, **given)))
    (stop,) = world.engine.open_orders
    if sells:
        sold = {"client_order_id": "elsewhere", "ledger": "manual", "execution_id": "x2"}
        world.step(OrderFilled(execution=make_execution(-10, 100, **sold)))
    gone = OrderCanceled(client_order_id=stop.client_order_id, reason=reason, at=world.now)
    world.step(gone)
    return world


def test_a_position_by_hand_that_loses_its_stop_is_told() -> None:
    (lost,) = bare().of(ProtectionLost)
    assert (lost.ledger, lost.symbol, lost.held) == ("manual", "AAPL", 10)
    assert (lost.leg, lost.reason) == ("stop_loss", "by the broker")


def test_a_stop_that_ends_with_its_position_is_no_news() -> None:
    assert not bare(sells=True).of(ProtectionLost)
