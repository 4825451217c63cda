"""`tradewright sim`: what it prints, what it returns, and what it says of wrong use."""

import json

import pytest

from app.cli import main
from app.console import sim
from app.engine.witness import Violation
from app.simulation import runs, world


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["sim", *arguments])
    return int(ended.value.code or 0)


def test_seeds_are_run_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--seeds", "2", "--jobs", "1") == 0
    said = capsys.readouterr().out
    assert said.startswith("2 seeds, ")
    assert "Seeds that broke an invariant: 0." in said


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--seeds", "2", "--from", "5", "--jobs", "1", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert {"seeds": 2, "violations": 0}.items() <= said.items()
    assert {"seeds_per_second", "trace_hash"} <= said.keys()


def test_a_seed_is_repeated_with_its_faults_and_its_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("replay", "3", "--profile", "process") == 0
    said = capsys.readouterr().out
    assert said.startswith("seed 3\n  name: process\n  ")
    assert "core1 holds the lease" in said
    assert run("replay", "3", "--profile", "process", "--json") == 0
    assert json.loads(capsys.readouterr().out)["profile"]["name"] == "process"


def test_a_broken_seed_fails_and_says_how_to_repeat_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = (runs.Failure(7, "chaos", ("I3 cash",)),)
    summary = runs.Summary(1, 1, 1.0, "abc", failures, 0, 0, 0, 0)
    monkeypatch.setattr(runs, "run", lambda *given, **options: summary)
    assert run("run", "--seeds", "1") == 1
    assert "tradewright sim replay 7 --profile mixed" in capsys.readouterr().out


def test_a_replay_that_breaks_an_invariant_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = world.simulate(1, "calm")
    fields = {name: getattr(sound, name) for name in sound.__struct_fields__}
    broken = world.Outcome(**(fields | {"violations": (Violation("I3", "cash"),)}))
    monkeypatch.setattr(world, "simulate", lambda seed, name: broken)
    assert run("replay", "1") == 1
    assert "broken: I3 cash" in capsys.readouterr().out


@pytest.mark.parametrize(("seeds", "code"), [(3, 0), (None, 1)])
def test_planted_bugs_are_found_or_it_fails(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    seeds: int | None,
    code: int,
) -> None:
    found = [runs.Found("no_intent_row", "an order without a row", seeds, "I4")]
    monkeypatch.setattr(runs, "find_all", lambda **options: found)
    assert run("run", "--planted") == code
    assert f"{int(seeds is not None)} of 1 planted bugs" in capsys.readouterr().out
    assert run("run", "--planted", "--json") == code
    assert json.loads(capsys.readouterr().out)["planted"] == 1


def test_a_profile_that_does_not_exist_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--profile", "chaoss") == 2
    assert "chaos" in capsys.readouterr().err


def test_the_group_has_its_help() -> None:
    assert sim.app.info.help
