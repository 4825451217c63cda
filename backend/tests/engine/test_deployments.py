"""Deployments at work: failures, outages, warm-up and several on one account."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.deployments import DeploymentState
from app.domain.events import (
    DeploymentFailed,
    OrderApproved,
    SignalExpired,
    SignalRaised,
    StrategyNoted,
)
from app.domain.market import Timeframe
from app.engine import deployments
from tests.trading import SilentBroker, World

D = Decimal


def test_a_strategy_that_raises_stops_alone() -> None:
    world = World()
    world.deploy("AAPL", "MSFT", number=1, stop=0.05)
    world.deploy("IBM", number=2)
    world.bar(110, MSFT=110, IBM=110)
    world.bar(110, MSFT=110, IBM=110)
    held = world.held()
    world.bar(66, MSFT=109, IBM=109)
    (failed,) = world.of(DeploymentFailed)
    assert (failed.deployment_id, failed.reason) == (1, "RuntimeError: sixty-six")
    assert failed.traceback is not None
    assert 'raise RuntimeError("sixty-six")' in failed.traceback
    assert "app/engine" not in failed.traceback
    assert world.engine.deployments[1][1] is DeploymentState.FAILED
    made = {e.order.ledger for e in world.of(OrderApproved) if e.order.at == world.now}
    assert made == {"d2"}, "what another symbol of it wanted is not done either"
    assert held == 45


def test_a_failure_cancels_entries_and_keeps_protection() -> None:
    world = World()
    world.deploy("AAPL", "MSFT", stop=0.05)
    world.bar(110, MSFT=100)
    world.bar(110, MSFT=110)
    world.bar((110, 110, 110, 66), MSFT=(110, 110, 110, 110))
    legs = {(o.symbol, o.leg.value) for o in world.engine.open_orders}
    assert legs == {("AAPL", "stop_loss"), ("MSFT", "stop_loss")}


def test_a_failure_ends_signals_that_were_waiting() -> None:
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    world.bar(90)
    world.bar(66)
    assert [e.signal_id for e in world.of(SignalExpired)] == ["d1-AAPL-20240301T143200"]


def test_an_exposure_beyond_one_is_a_failure() -> None:
    world = World()
    world.deploy()
    world.bar(115)
    assert "between -1 and 1" in world.of(DeploymentFailed)[0].reason


def test_slices_after_an_outage_only_warm() -> None:
    world = World()
    world.deploy()
    world.bar(110, warm_up=True)
    assert not world.of(SignalRaised)
    assert world.engine.equity == 100_000
    world.bar(110)
    assert len(world.of(SignalRaised)) == 1


def test_the_last_opinion_of_an_outage_counts_while_it_is_one_bar_old() -> None:
    world = World()
    world.deploy()
    world.bar(110, warm_up=True)
    world.bar(130)
    (signal,) = [e.signal for e in world.of(SignalRaised)]
    assert (signal.exposure, signal.reasons) == (1.0, ("wanted while we were away",))


def test_an_older_opinion_is_skipped_and_noted() -> None:
    world = World()
    world.deploy()
    world.bar(110, warm_up=True)
    world.now += timedelta(minutes=5)
    world.bar(130)
    assert not world.of(SignalRaised)
    (note,) = world.of(StrategyNoted)
    assert (note.kind, note.deployment_id) == ("stale_signal", 1)


def test_an_older_opinion_that_changes_nothing_is_not_worth_a_word() -> None:
    world = World()
    world.deploy()
    world.bar(100, warm_up=True)
    world.bar(130, warm_up=True)
    world.now += timedelta(minutes=5)
    world.bar(130)
    assert not world.of(StrategyNoted)


def test_deployments_on_one_symbol_have_ledgers_of_their_own() -> None:
    world = World()
    world.deploy(number=1, capital=10_000)
    world.deploy(number=2, capital=20_000)
    world.bar(110)
    world.bar(110)
    assert (world.held(ledger="d1"), world.held(ledger="d2")) == (90, 181)
    assert world.engine.book.net["AAPL"] == 271
    cash = sum((ledger.cash for ledger in world.engine.ledgers.values()), D(100_000))
    assert world.engine.cash == cash


def test_capital_is_what_the_limits_allow_when_none_is_given() -> None:
    world = World()
    world.command("limits_change", limits={"max_position_size": "0.05"})
    world.deploy(capital=None)
    world.bar(110)
    world.bar(110)
    assert world.held() == 45


def test_bars_of_another_timeframe_are_nobodys_business() -> None:
    world = World()
    world.deploy()
    world.bar(MSFT=110)
    assert not world.of(SignalRaised)
    assert world.engine.book.price("MSFT") == 110
    assert world.engine.subscriptions == {("AAPL", Timeframe.M1)}


@pytest.mark.parametrize(
    ("exposure", "words"),
    [(0.0, "flat"), (1.0, "long"), (-1.0, "short"), (0.6, "60 % long"), (-0.25, "25 % short")],
)
def test_an_exposure_is_told_in_words(exposure: float, words: str) -> None:
    assert deployments.stance(exposure) == words
