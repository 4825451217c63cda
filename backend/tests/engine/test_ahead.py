"""Strategies that are asked ahead decide what they decide when the engine asks them itself."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app.core.errors import StrategyLost
from app.domain.events import CommandReceived, DeploymentFailed, DeploymentPaused, SliceClosed
from app.domain.market import Bar, Timeframe
from app.engine.ahead import Question, questions
from tests.panels import Seesaw
from tests.trading import DAY, MINUTE, OPEN, Lean, World

PRICES = [101, 104, 109, 103, 97, 92, 99, 110, 66, 105]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds say that they live in another process."""
    for kind in (Lean, Seesaw):
        monkeypatch.setattr(kind, "answers_ahead", True)


Between = Callable[[World, list[Question]], None]


def asked_world(between: Between = lambda *_: None) -> World:
    """Everything is asked right before it is handled."""
    worlds: list[World] = []

    async def ahead(event: SliceClosed) -> list[Any]:
        asked = questions(worlds[0].engine, event)
        for question in asked:
            question.ask()
        between(worlds[0], asked)
        for question in asked:
            if question.is_outdated:
                question.ask_again()
        return []

    worlds.append(World(ahead=ahead))
    return worlds[0]


def traded(world: World, strategy: str, *symbols: str) -> list[Any]:
    world.deploy(*symbols, strategy=strategy)
    for price in PRICES:
        world.bar(price, MSFT=200 - price)
    return world.journal.events


@pytest.mark.parametrize(
    ("strategy", "symbols"),
    [("lean", ("AAPL",)), ("lean", ("AAPL", "MSFT")), ("seesaw", ("AAPL", "MSFT"))],
)
def test_the_events_are_the_same(strategy: str, symbols: tuple[str, ...]) -> None:
    expected = traded(World(), strategy, *symbols)
    assert traded(asked_world(), strategy, *symbols) == expected
    assert len(expected) > 30


def test_what_it_raises_is_told_when_the_slice_is_handled() -> None:
    world = asked_world()
    traded(world, "lean", "AAPL")
    (failed,) = world.of(DeploymentFailed)
    assert failed.reason == "RuntimeError: sixty-six"


def slice_of(minute: int, **closes: float) -> SliceClosed:
    start = OPEN + minute * MINUTE
    bars = tuple(
        Bar(symbol, Timeframe.M1, start, start + MINUTE, close, close, close, close, 1000.0)
        for symbol, close in closes.items()
    )
    return SliceClosed(end=start + MINUTE, session=DAY, base=Timeframe.M1, bars=bars)


def test_nobody_is_asked_about_a_slice_that_was_handled_or_is_none_of_theirs() -> None:
    world = World()
    world.deploy("AAPL", strategy="lean")
    world.deploy("MSFT", "IBM", strategy="seesaw", number=2)
    engine = world.engine
    assert len(questions(engine, slice_of(0, AAPL=100.0, MSFT=50.0))) == 2
    assert questions(engine, slice_of(0, XYZ=100.0)) == []
    world.bar(100, MSFT=50)
    assert questions(engine, slice_of(0, AAPL=100.0)) == []


def test_strategies_of_this_process_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lean, "answers_ahead", False)
    world = World()
    world.deploy("AAPL", strategy="lean")
    assert questions(world.engine, slice_of(0, AAPL=100.0)) == []


class Held:
    """Somebody trades between the question and the handling."""

    def __init__(self) -> None:
        self.is_done = False

    def __call__(self, world: World, asked: list[Question]) -> None:
        standing = world.engine.desk.standings.get(("d1", "AAPL"))
        if not self.is_done and standing is not None and asked:
            self.is_done = True
            standing.full = standing.full * 2
            assert asked[0].is_outdated


@pytest.mark.parametrize("strategy", ["lean", "seesaw"])
def test_what_is_held_otherwise_by_then_is_told_with_the_memory_of_before(strategy: str) -> None:
    """Asked twice, it remembers once: the same number of rows as when it is asked once."""
    times: list[Any] = []
    held = Held()
    world = asked_world(held)
    plain = World()
    for one in (plain, world):
        traded(one, strategy, "AAPL", "MSFT")
        times.append([state.memories for state in one.engine.state().runtimes])
    assert held.is_done
    assert times[0] == times[1]


def test_a_row_that_is_not_there_yet_is_not_asked_again() -> None:
    world = World()
    world.deploy("AAPL", strategy="lean")
    (question,) = questions(world.engine, slice_of(0, AAPL=100.0))
    question.runtime.ready["AAPL"] = None, None
    question.ask_again()
    assert question.runtime.ready["AAPL"] == (None, None)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("strategy", ["lean", "seesaw"])
def test_a_lost_strategy_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, strategy: str, again: bool
) -> None:
    world = World()
    world.deploy("AAPL", "MSFT", strategy=strategy)
    question = questions(world.engine, slice_of(0, AAPL=100.0, MSFT=50.0))[0]

    def lost(*_: Any) -> None:
        raise StrategyLost("it is gone")

    if again:
        question.ask()
    for kind in (Lean, Seesaw):
        monkeypatch.setattr(kind, "decide", lost)
    with pytest.raises(StrategyLost):
        question.ask_again() if again else question.ask()


def test_asked_again_it_may_raise() -> None:
    world = World()
    world.deploy("AAPL", strategy="lean")
    (question,) = questions(world.engine, slice_of(0, AAPL=66.0))
    question.ask()
    question.ask_again()
    _, answer = question.runtime.ready["AAPL"]
    assert isinstance(answer, RuntimeError)


async def _pause(world: World, event: SliceClosed) -> list[CommandReceived]:
    payload = {"deployment_id": 1, "reason": "lost"}
    return [
        CommandReceived(
            command_id=9, kind="deployment_pause", payload=payload, actor="system", at=event.end
        )
    ]


def test_inputs_of_the_look_ahead_are_journaled_before_the_slice() -> None:
    worlds: list[World] = []

    async def ahead(event: SliceClosed) -> list[Any]:
        return await _pause(worlds[0], event)

    worlds.append(World(ahead=ahead))
    world = worlds[0]
    world.deploy("AAPL", strategy="lean")
    world.bar(105)
    kinds = [type(event) for event in world.journal.events]
    assert kinds.index(DeploymentPaused) < kinds.index(SliceClosed)
    assert world.held("AAPL") == Decimal(0)
