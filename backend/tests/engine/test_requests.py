"""Commands: what people may ask for, and the one outcome each of them has."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.deployments import DeploymentState, TradingState
from app.domain.events import (
    CancelRequested,
    CommandCompleted,
    DeploymentPaused,
    DeploymentStopped,
    LimitsChanged,
    OrderApproved,
    OrderCanceled,
    OrderDenied,
    OrderFilled,
    Reconciled,
    SignalRaised,
    TradingHalted,
    TradingResumed,
)
from app.domain.limits import UNLIMITED, Limits
from tests.trading import Prices, SilentBroker, World, make_execution

D = Decimal


@pytest.fixture
def world() -> World:
    """AAPL is at 100."""
    world = World()
    world.bar(100)
    return world


# ------------------------------------------------------------------------------ explicit orders


def test_a_market_order_fills_at_the_next_open(world: World) -> None:
    result = world.order("buy", 10)
    assert result == {
        "succeeded": True,
        "signal_id": "manual-AAPL-c1",
        "outcome": "order",
        "client_order_id": "1-manual-AAPL-c1-e1",
    }
    world.bar(101)
    assert world.held(ledger="manual") == 10


def test_orders_add_up_and_a_sale_reduces(world: World) -> None:
    world.order("buy", 10)
    world.order("buy", 5)
    world.bar(100)
    assert world.held(ledger="manual") == 15
    assert world.order("sell", 4)["client_order_id"].endswith("x1")
    world.bar(100)
    assert world.held(ledger="manual") == 11


def test_a_limit_order_rests_and_a_second_one_beside_it(world: World) -> None:
    world.order("buy", 10, type="limit", limit_price=99, time_in_force="gtc")
    world.order("buy", 10, type="limit", limit_price=98, time_in_force="gtc")
    assert len(world.working()) == 2
    assert world.engine.deadline is None, "what a person lets rest does not time out"
    world.bar((100, 100, 98.5, 100))
    assert world.held(ledger="manual") == 10
    world.bar((100, 100, 97, 100))
    assert world.held(ledger="manual") == 20


def test_a_stop_limit_order_has_both_prices(world: World) -> None:
    world.order("buy", 10, type="stop_limit", stop_price=101, limit_price=102)
    (order,) = world.engine.open_orders
    assert (order.stop_price, order.limit_price) == (D(101), D(102))


def test_an_order_against_a_working_one_waits_for_its_cancel(world: World) -> None:
    world.order("buy", 10)
    world.bar(100)
    world.order("buy", 5, type="limit", limit_price=90, time_in_force="gtc")
    result = world.order("sell", 10)
    assert (result["succeeded"], result["outcome"]) == (True, "pending")
    world.bar(100)
    assert world.held(ledger="manual") == 0


def test_an_explicit_order_is_protected_as_asked(world: World) -> None:
    world.order("buy", 10, stop_loss=95, take_profit=110)
    world.bar(100)
    assert world.working() == [("stop_loss", "sell", 10), ("take_profit", "sell", 10)]
    world.bar((100, 100, 94, 100))
    assert world.held(ledger="manual") == 0
    world.bar(100)
    assert world.working() == []


def test_a_resting_exit_does_not_cost_the_protection(world: World) -> None:
    world.order("buy", 10, stop_loss=95)
    world.bar(100)
    world.order("sell", 10, type="limit", limit_price=105, time_in_force="gtc", stop_loss=95)
    assert sorted(world.working()) == [("exit", "sell", 10), ("stop_loss", "sell", 10)]
    world.bar((100, 106, 100, 105))
    assert world.held(ledger="manual") == 0
    assert world.working() == []


@pytest.mark.parametrize("terms", [{"type": "limit", "limit_price": 105}, {"type": "stop"}])
@pytest.mark.parametrize("bar", [(100, 106, 90, 100), (100, 100, 90, 100)])
def test_a_resting_exit_never_sells_what_the_stop_has_sold(
    world: World, bar: Prices, terms: dict[str, Any]
) -> None:
    world.order("buy", 10, stop_loss=95)
    world.bar(100)
    terms = terms if "limit_price" in terms else {**terms, "stop_price": 94}
    world.order("sell", 10, time_in_force="gtc", stop_loss=95, **terms)
    world.bar(bar)
    assert (world.held(ledger="manual"), world.working()) == (0, [])
    world.bar((100, 106, 90, 100))
    assert world.held(ledger="manual") == 0


@pytest.mark.parametrize(
    "terms", [{"type": "market"}, {"type": "limit", "limit_price": 101, "time_in_force": "gtc"}]
)
def test_a_partial_sale_keeps_the_protection_of_the_rest(
    world: World, terms: dict[str, Any]
) -> None:
    world.order("buy", 10, stop_loss=95, take_profit=110)
    world.bar(100)
    world.order("sell", 4, **terms)
    world.bar((101, 101, 101, 101))
    assert world.held(ledger="manual") == 6
    prices = {(o.stop_price, o.limit_price, o.quantity) for o in world.engine.open_orders}
    assert prices == {(D(95), None, D(6)), (None, D(110), D(6))}


def test_a_new_position_does_not_inherit_the_protection_of_an_old_one(world: World) -> None:
    world.order("buy", 10, stop_loss=95, take_profit=110)
    world.bar(100)
    world.bar((100, 100, 80, 80))
    world.order("buy", 10)
    world.bar(80)
    assert (world.held(ledger="manual"), world.working()) == (10, [])


def test_a_flip_by_hand_leaves_the_old_protection_behind(world: World) -> None:
    world.order("buy", 10, stop_loss=95, take_profit=110)
    world.bar(100)
    world.order("sell", 14)
    world.bar(100)
    assert (world.held(ledger="manual"), world.working()) == (-4, [])


def test_a_denied_order_is_not_tried_again(world: World) -> None:
    world.command("limits_change", limits={"max_orders_per_minute": 1})
    world.order("buy", 10)
    result = world.order("buy", 10, "MSFT")
    assert (result["succeeded"], result["code"]) == (False, "no_price")
    assert result["limit"] is None
    for _ in range(3):
        world.bar(100, MSFT=100)
    assert len(world.of(OrderDenied)) == 1


def test_a_denial_says_limit_and_value(world: World) -> None:
    world.command("limits_change", limits={"max_position_size": "0.0001"})
    result = world.order("buy", 1)
    assert (result["code"], result["limit"], result["value"]) == (
        "position_limit",
        "0.0001",
        "0.001000",
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "sNaN"}, "quantity"),
        ({"quantity": "1e30"}, "quantity"),
        ({"stop_loss": "1e13"}, "stop_loss"),
        ({"quantity": "ten"}, "quantity"),
        ({"quantity": "1.5"}, "quantity"),
        ({"side": "hold"}, "side"),
        ({"type": "limit"}, "limit_price"),
        ({"limit_price": "100"}, "limit_price"),
        ({"type": "stop"}, "stop_price"),
        ({"stop_price": "100"}, "stop_price"),
        ({"type": "limit", "limit_price": "-1"}, "limit_price"),
        ({"stop_loss": "0"}, "stop_loss"),
        ({"time_in_force": "always"}, "time_in_force"),
        ({"symbol": None}, "symbol"),
    ],
)
def test_a_malformed_order_names_its_field(world: World, given: dict[str, Any], field: str) -> None:
    asked = {"symbol": "AAPL", "side": "buy", "quantity": "1", **given}
    result = world.command("order_place", **asked)
    assert (result["succeeded"], result["code"], result["field"]) == (False, "invalid_input", field)
    assert field in result["detail"]
    assert not world.of(SignalRaised)


def test_an_unknown_command_is_refused(world: World) -> None:
    result = world.command("order_plaice")
    assert (result["code"], result["field"]) == ("invalid_input", "kind")
    assert "order_place" in result["detail"]


# -------------------------------------------------------------------------- signals by hand


def test_a_persons_signal_is_sized_by_the_limits(world: World) -> None:
    world.command("limits_change", limits={"max_position_size": "0.05"})
    result = world.command("signal_raise", symbol="AAPL", exposure=0.5, reason="hunch")
    assert (result["outcome"], result["succeeded"]) == ("order", True)
    world.bar(100)
    assert world.held(ledger="manual") == 25
    assert world.of(SignalRaised)[0].signal.reasons == ("hunch",)
    result = world.command("signal_raise", symbol="AAPL", exposure=0.5)
    assert result["outcome"] == "satisfied"
    assert world.command("signal_raise", symbol="AAPL", exposure=0.0)["outcome"] == "order"
    world.bar(100)
    assert world.held(ledger="manual") == 0


def test_a_signal_needs_a_price_unless_it_is_an_exit(world: World) -> None:
    result = world.command("signal_raise", symbol="NEW", exposure=1.0)
    assert (result["succeeded"], result["code"]) == (False, "no_price")
    assert world.command("signal_raise", symbol="NEW", exposure=0.0)["outcome"] == "satisfied"


@pytest.mark.parametrize(("field", "value"), [("exposure", 1.1), ("stop_loss", "-3")])
def test_a_malformed_signal_names_its_field(world: World, field: str, value: Any) -> None:
    asked = {"symbol": "AAPL", "exposure": 1.0, field: value}
    assert world.command("signal_raise", **asked)["field"] == field


# ---------------------------------------------------------------------------------- cancels


def test_a_cancelled_entry_is_not_asked_for_again() -> None:
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    (order,) = world.engine.open_orders
    result = world.command("order_cancel", client_order_id=order.client_order_id)
    assert result["succeeded"]
    (cancel,) = world.of(CancelRequested)
    assert cancel.reason == "canceled by anna"
    for _ in range(3):
        world.bar(110)
    assert len(world.of(OrderApproved)) == 1


def test_what_fills_before_a_persons_cancel_stays() -> None:
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    (entry,) = world.engine.open_orders
    identity = entry.client_order_id
    world.command("order_cancel", client_order_id=identity)
    world.step(OrderFilled(execution=make_execution(40, 110, client_order_id=identity)))
    world.step(OrderCanceled(client_order_id=identity, reason="as asked", at=world.now))
    world.bar(110)
    assert (world.held(), world.working()) == (40, [])


def test_a_foreign_order_of_the_book_can_be_cancelled_too(world: World) -> None:
    world.order("buy", 10, type="limit", limit_price=90, time_in_force="gtc")
    (order,) = world.engine.open_orders
    world.engine.desk.standings.clear()
    assert world.command("order_cancel", client_order_id=order.client_order_id)["succeeded"]


def test_only_open_orders_can_be_cancelled(world: World) -> None:
    assert world.command("order_cancel", client_order_id="nope")["code"] == "not_found"
    identity = world.order("buy", 10)["client_order_id"]
    world.bar(100)
    result = world.command("order_cancel", client_order_id=identity)
    assert (result["code"], result["detail"]) == ("not_open", f"Order {identity} is filled.")


# ----------------------------------------------------------------------------- trading state


def test_a_halt_cancels_what_works_and_denies_what_comes(world: World) -> None:
    world.deploy()
    world.bar(110)
    world.order("buy", 10, type="limit", limit_price=105, time_in_force="gtc")
    assert world.command("trading_halt", reason="panic") == {
        "succeeded": True,
        "trading_state": "halted",
    }
    assert world.working() == []
    assert world.order("buy", 1)["code"] == "trading_halted"
    world.bar(105)
    assert world.of(OrderDenied)[-1].code == "trading_halted"
    assert [e.state for e in world.of(TradingHalted)] == [TradingState.HALTED]
    assert world.engine.trading_state is TradingState.HALTED


def test_a_halt_may_flatten_everything(world: World) -> None:
    world.deploy(stop=0.05)
    world.bar(110)
    world.order("sell", 20)
    world.bar(110)
    world.command("trading_halt", reason="out", flatten=True)
    legs = sorted(world.working())
    assert legs == [("flatten", "buy", 20), ("flatten", "sell", 90), ("stop_loss", "sell", 90)]
    world.bar(110)
    assert (world.held(), world.held(ledger="manual")) == (0, 0)
    world.command("trading_resume", reason="calm")
    world.bar(110)
    assert world.held() == 0, "no way back in before the opinion changes"
    assert world.of(TradingResumed)[0].actor == "anna"


@pytest.mark.parametrize(
    ("kind", "payload"), [("trading_halt", {}), ("deployment_stop", {"deployment_id": 1})]
)
def test_a_fill_that_beats_the_cancel_of_a_flatten_is_sold(
    kind: str, payload: dict[str, Any]
) -> None:
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    (entry,) = world.engine.open_orders
    world.command(kind, flatten=True, **payload)
    identity = entry.client_order_id
    one = make_execution(40, 110, client_order_id=identity, at=world.now)
    world.step(OrderFilled(execution=one))
    world.step(OrderCanceled(client_order_id=identity, reason="as asked", at=world.now))
    ((leg, side, quantity),) = world.working()
    assert (side, quantity) == ("sell", 40)
    assert leg == ("flatten" if kind == "trading_halt" else "exit")


def test_a_flatten_belongs_to_its_own_halt(world: World) -> None:
    world.deploy()
    world.bar(110)
    world.bar(110)
    world.command("trading_halt", reason="out", flatten=True)
    world.command("trading_resume", reason="calm")
    world.command("trading_halt", reason="again")
    world.bar(110)
    assert (world.held(), world.working()) == (90, [])


def test_exits_that_a_halt_denied_are_made_after_it(world: World) -> None:
    world.deploy()
    world.bar(110)
    world.bar(110)
    world.command("trading_halt")
    for _ in range(3):
        world.bar(100)
    assert len(world.of(OrderDenied)) == 1
    world.command("trading_resume")
    world.bar(100)
    world.bar(100)
    assert world.held() == 0


def test_reducing_cancels_entries_and_lets_exits_pass(world: World) -> None:
    world.deploy()
    world.bar(110)
    assert world.command("trading_reduce")["trading_state"] == "reducing"
    assert world.working() == []
    world.command("trading_resume")
    world.command("trading_resume")
    world.bar(109)
    world.bar(109)
    world.command("trading_reduce")
    world.command("trading_reduce")
    world.bar(95)
    world.bar(95)
    assert world.held() == 0
    assert world.of(OrderDenied)[-1].code == "reduce_only"
    assert len(world.of(TradingHalted)) == 2


def test_reducing_leaves_exits_and_protection_at_work(world: World) -> None:
    world.deploy(stop=0.02)
    world.bar(110)
    world.bar(110)
    world.bar(109)
    world.command("trading_reduce")
    assert sorted(world.working()) == [("exit", "sell", 8), ("stop_loss", "sell", 90)]
    world.command("deployment_stop", deployment_id=1)
    assert sorted(world.working()) == [("exit", "sell", 8), ("stop_loss", "sell", 90)]


def test_reducing_does_not_loosen_a_halt(world: World) -> None:
    world.command("trading_halt")
    assert world.command("trading_reduce")["code"] == "trading_halted"
    assert world.engine.trading_state is TradingState.HALTED


def test_resuming_measures_the_drawdown_afresh(world: World) -> None:
    world.engine.book.raise_peak_to(D(200_000))
    world.command("trading_resume")
    assert world.engine.book.peak == 100_000


def test_an_unexplained_difference_leaves_only_reductions(world: World) -> None:
    world.step(Reconciled(at=world.now, open_orders=0, positions=0))
    assert world.engine.trading_state is TradingState.ACTIVE
    differences = ("AAPL: 10 there, 0 here",)
    world.step(Reconciled(at=world.now, open_orders=0, positions=1, differences=differences))
    assert world.engine.trading_state is TradingState.REDUCING


# ------------------------------------------------------------------------------------ limits


def test_limits_change_at_once_and_are_told_whole(world: World) -> None:
    result = world.command("limits_change", limits={"max_concurrent_orders": 3})
    assert result["limits"]["max_concurrent_orders"] == 3
    assert world.engine.limits.max_concurrent_orders == 3
    (changed,) = world.of(LimitsChanged)
    assert msgspec.convert(changed.limits, Limits) == world.engine.limits
    assert world.engine.limits.max_position_size == UNLIMITED.max_position_size


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"max_position_size": "much"}, "limits"),
        ({"no_such_limit": 1}, "limits"),
        ({"max_position_size": "11"}, "max_position_size"),
    ],
)
def test_wrong_limits_change_nothing(world: World, limits: dict[str, Any], field: str) -> None:
    result = world.command("limits_change", limits=limits)
    assert (result["succeeded"], result["field"]) == (False, field)
    assert world.engine.limits == UNLIMITED


# ------------------------------------------------------------------------------- deployments


def test_a_deployment_starts_once(world: World) -> None:
    assert world.deploy()["state"] == "running"
    assert world.deploy()["code"] == "already_running"
    assert world.engine.subscriptions == {("AAPL", "1m")}
    deployment, state = world.engine.deployments[1]
    assert (deployment.strategy, state) == ("lean", DeploymentState.RUNNING)


def test_a_deployment_that_cannot_be_made_says_why(world: World) -> None:
    result = world.command(
        "deployment_start", deployment_id=1, strategy="broken", symbols=["AAPL"], timeframe="1m"
    )
    assert (result["code"], result["detail"]) == (
        "strategy_error",
        "ZeroDivisionError: cannot be made",
    )
    assert world.deploy(stop="much")["code"] == "invalid_input"  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"symbols": []}, "symbols"),
        ({"symbols": ["A", "A"]}, "symbols"),
        ({"capital": "0"}, "capital"),
        ({"capital": "NaN"}, "capital"),
        ({"capital": "1e30"}, "capital"),
        ({"timeframe": "2m"}, "timeframe"),
    ],
)
def test_a_malformed_deployment_names_its_field(
    world: World, given: dict[str, Any], field: str
) -> None:
    asked = {"deployment_id": 1, "strategy": "lean", "symbols": ["AAPL"], "timeframe": "1m"}
    assert world.command("deployment_start", **{**asked, **given})["field"] == field


def test_a_pause_cancels_entries_and_keeps_positions(world: World) -> None:
    world.deploy(stop=0.05)
    world.bar(105)
    world.bar(105)
    world.bar(110)
    assert world.command("deployment_pause", deployment_id=1)["state"] == "paused"
    assert world.working() == [("stop_loss", "sell", 47)]
    world.bar(106)
    assert world.held() == 47
    assert len(world.of(DeploymentPaused)) == 1
    assert world.command("deployment_pause", deployment_id=1)["code"] == "not_running"
    assert world.engine.subscriptions == frozenset()


@pytest.mark.parametrize("kind", ["deployment_pause", "deployment_stop"])
def test_an_entry_that_a_pause_or_stop_cancels_is_not_asked_for_again(
    world: World, kind: str
) -> None:
    world.deploy()
    world.bar(110)
    assert world.working() == [("entry", "buy", 90)]
    world.command(kind, deployment_id=1)
    assert world.working() == []
    world.bar(110)
    world.bar(110)
    assert (world.held(), world.working()) == (0, [])


def test_a_pause_gives_up_a_target_that_waits_for_its_cancel() -> None:
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    world.bar(105)
    (entry,) = world.engine.open_orders
    world.command("deployment_pause", deployment_id=1)
    identity = entry.client_order_id
    world.step(OrderCanceled(client_order_id=identity, reason="as asked", at=world.now))
    world.bar(105)
    assert world.working() == []


def test_a_deployment_that_goes_on_knows_what_it_holds(world: World) -> None:
    world.deploy()
    world.bar(110)
    world.bar(110)
    world.command("deployment_pause", deployment_id=1)
    world.bar(105)
    assert world.deploy()["succeeded"]
    world.bar(100)
    world.bar(100)
    assert world.held() == 0, "flat is an opinion, too, when something is held"


def test_a_stop_may_flatten(world: World) -> None:
    world.deploy(stop=0.05)
    world.deploy(number=2)
    world.bar(110)
    world.bar(110)
    assert world.command("deployment_stop", deployment_id=1, flatten=True)["state"] == "stopped"
    world.bar(110)
    assert (world.held(), world.held(ledger="d2")) == (0, 90)
    assert world.command("deployment_stop", deployment_id=9)["code"] == "not_found"
    assert world.command("deployment_stop", deployment_id=2)["state"] == "stopped"
    assert world.held(ledger="d2") == 90
    assert len(world.of(DeploymentStopped)) == 2


def test_every_command_has_one_outcome(world: World) -> None:
    world.order("buy", 10)
    world.command("nonsense")
    assert [e.command_id for e in world.of(CommandCompleted)] == [1, 2]
