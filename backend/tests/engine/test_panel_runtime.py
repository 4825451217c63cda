"""A panel at work: one opinion a slice for all its symbols, also for those without a bar in it."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.deployments import DeploymentState
from app.domain.events import DeploymentFailed, SignalRaised, StrategyNoted
from app.domain.market import Timeframe
from app.engine.state import EngineState
from tests.trading import MINUTE, World


def deployed(*symbols: str, **given: float) -> World:
    world = World()
    answer = world.deploy(*(symbols or ("AAPL", "MSFT")), strategy="seesaw", **given)
    assert answer["succeeded"], answer
    return world


def signals(world: World) -> list[tuple[str, float]]:
    return [(e.signal.symbol, e.signal.exposure) for e in world.of(SignalRaised)]


def test_one_slice_moves_all_symbols() -> None:
    world = deployed()
    world.bar(105, MSFT=50)
    world.bar(105, MSFT=50)
    assert signals(world) == [("AAPL", 0.5), ("MSFT", -0.5)]
    assert (world.held("AAPL"), world.held("MSFT")) == (23, -50)


def test_a_symbol_without_a_bar_in_the_slice_is_ordered_at_once() -> None:
    world = deployed()
    world.bar(100, MSFT=50)
    world.bar(105)
    assert signals(world) == [("AAPL", 0.5), ("MSFT", -0.5)]
    assert [e.signal.price for e in world.of(SignalRaised)] == [105, 50]
    world.bar(105, MSFT=51)
    assert world.held("MSFT") == -50


def test_what_has_had_no_bar_yet_cannot_be_wanted() -> None:
    world = deployed()
    world.bar(105)
    assert signals(world) == [("AAPL", 0.5)]
    world.bar(105, MSFT=50)
    assert signals(world) == [("AAPL", 0.5), ("MSFT", -0.5)]


def test_a_slice_of_others_is_none_of_its_business() -> None:
    world = deployed()
    world.bar(MSFT=50)
    world.bar(IBM=105)
    assert signals(world) == []
    assert world.engine.state().runtimes[0].memories == {"*": {"times": 1}}


def test_the_same_opinion_is_no_signal() -> None:
    world = deployed()
    for price in (105, 105, 130, 105):
        world.bar(price, MSFT=50)
    assert len(signals(world)) == 2


def test_its_symbols_are_subscribed_to() -> None:
    assert deployed().engine.subscriptions == {
        ("AAPL", Timeframe.M1),
        ("MSFT", Timeframe.M1),
    }


def test_the_capital_goes_into_as_many_shares_as_it_says() -> None:
    world = deployed(parts=1)
    world.bar(105, MSFT=50)
    world.bar(105, MSFT=50)
    assert world.held("MSFT") == -100


def test_symbols_that_do_not_go_together_are_refused() -> None:
    answer = World().deploy("AAPL", strategy="seesaw")
    assert not answer["succeeded"]
    assert answer["detail"] == "It takes two, not 1."


STRANGE = "decide wants XYZ: not among the deployment's symbols"
NO_MAPPING = "decide must return exposures by symbol, not NoneType"


@pytest.mark.parametrize(("odd", "reason"), [(1, STRANGE), (2, STRANGE), (-1, NO_MAPPING)])
def test_an_answer_that_is_no_exposures_of_its_symbols_is_a_failure(odd: int, reason: str) -> None:
    world = deployed(odd=odd)
    world.bar(105, MSFT=50)
    world.bar(109, MSFT=50)
    (failed,) = world.of(DeploymentFailed)
    assert failed.reason == f"ValueError: {reason}"
    assert len(signals(world)) == 2 * (abs(odd) - 1)
    assert world.engine.subscriptions == frozenset()


def test_an_exposure_beyond_one_fails_before_any_signal() -> None:
    world = deployed()
    world.bar(115, MSFT=50)
    assert "between -1 and 1" in world.of(DeploymentFailed)[0].reason
    assert signals(world) == []


def test_slices_after_an_outage_only_warm() -> None:
    world = deployed()
    world.bar(105, MSFT=50, warm_up=True)
    assert signals(world) == []
    world.bar(130, MSFT=50)
    assert signals(world) == [("AAPL", 0.5), ("MSFT", -0.5)]


def test_an_older_opinion_of_an_outage_is_skipped() -> None:
    world = deployed()
    world.bar(105, MSFT=50, warm_up=True)
    world.now += 5 * MINUTE
    world.bar(130, MSFT=50)
    assert signals(world) == []
    assert [note.kind for note in world.of(StrategyNoted)] == ["stale_signal"] * 2


def test_a_paused_panel_is_not_asked() -> None:
    world = deployed()
    world.command("deployment_pause", deployment_id=1)
    world.bar(105, MSFT=50)
    assert signals(world) == []


def test_a_checkpoint_brings_its_memory_back() -> None:
    world = deployed()
    world.bar(105, MSFT=50)
    encoded = msgspec.json.encode(world.engine.state())
    again = World(sessions=False)
    again.engine.restore(msgspec.json.decode(encoded, type=EngineState))
    assert again.engine.state() == world.engine.state()
    assert again.engine.state().runtimes[0].memories == {"*": {"times": 1}}


def test_a_checkpoint_of_a_panel_that_failed_keeps_its_memory() -> None:
    world = deployed(odd=1)
    world.bar(105, MSFT=50)
    encoded = msgspec.json.encode(world.engine.state())
    again = World(sessions=False)
    again.engine.restore(msgspec.json.decode(encoded, type=EngineState))
    assert again.engine.deployments[1][1] is DeploymentState.FAILED
    assert again.engine.state().runtimes == world.engine.state().runtimes
    assert again.engine.equity == Decimal(100_000)
