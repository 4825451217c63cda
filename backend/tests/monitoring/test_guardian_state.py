"""The guardian is judged by what it wrote last."""

from typing import Any

import pytest

from app.monitoring import guardian


def row(age: float = 1.0, **account: Any) -> dict[str, Any]:
    one = {"account": "Live", "state": "watching", "reason": None, "at_risk": True}
    one |= {"broker_up": True, "problem": None, **account}
    return {"name": "guardian", "age_seconds": age, "state": {"accounts": [one]}}


STOPPED = {"age_seconds": 999.0, "state": {"accounts": [], "is_stopped": True}}


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (row(), "The guardian watches: 1 accounts."),
        (None, "No guardian runs; `tradewright guardian` starts it."),
        (STOPPED, "The guardian was stopped."),
    ],
)
def test_nothing_is_wrong(seen: Any, said: str) -> None:
    assert guardian.problems(seen) == []
    assert guardian.sentence(seen) == said


def test_its_silence_is_told() -> None:
    assert guardian.problems(row(age=16)) == ["The guardian has been silent for 16 s."]


def test_what_it_halted_or_cannot_reach_is_told() -> None:
    halted = row(state="halted", reason="silent")
    assert guardian.problems(halted) == ["The guardian halted Live: silent."]
    away = "The guardian is not connected to the broker of Live."
    assert guardian.problems(row(broker_up=False)) == [away]
    assert guardian.problems(row(broker_up=False, at_risk=False)) == []
    refused = "The guardian cannot reach the broker of Live."
    assert guardian.problems(row(problem="KEY is not set.")) == [refused]


def test_figures() -> None:
    assert guardian.figures(row()) == {"guardian_up": 1.0, "guardian_halted": 0.0}
    assert guardian.figures(row(state="halted")) == {"guardian_up": 1.0, "guardian_halted": 1.0}
    for seen in (None, row(age=60), STOPPED):
        assert guardian.figures(seen)["guardian_up"] == 0.0
