"""A run is a function of its seed; faults of each kind are survived; planted bugs are found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from app.core.errors import NotFound
from app.simulation import profile, runs
from app.simulation.market import Maker, Random
from app.simulation.planted import BUGS
from app.simulation.profile import CALM, KINDS, Profile, draw
from app.simulation.world import simulate

BACKEND = Path(__file__).parents[2]
QUICK = sorted(BUGS.keys() - {"halt_check_skipped_on_retry", "resubmit_after_restart"})
"""Bugs that a few seeds suffice for; `tradewright sim run --planted` looks for all."""


def test_the_same_seed_gives_the_same_trace() -> None:
    one, again, other = simulate(3), simulate(3), simulate(4)
    assert one.trace == again.trace
    assert one.hash == again.hash != other.hash
    assert one.orders > 5
    assert one.violations == ()


def test_the_trace_does_not_depend_on_the_hashes_of_a_process() -> None:
    def run(seed: str) -> object:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "app.cli",
                "sim",
                "run",
                "--seeds",
                "12",
                "--jobs",
                "1",
                "--json",
            ],
            cwd=BACKEND,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(BACKEND)},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)["trace_hash"]

    assert run("0") == run("1")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_faults_of_each_kind_are_survived(kind: str) -> None:
    outcomes = [simulate(seed, kind) for seed in range(3)]
    assert [one.violations for one in outcomes] == [()] * 3
    assert all(one.fills for one in outcomes)


def test_a_profile_that_does_not_exist_is_told() -> None:
    with pytest.raises(NotFound, match="chaos"):
        draw(1, "chaoss")


def test_one_in_eight_seeds_is_calm_and_others_have_everything() -> None:
    names = [draw(seed).name for seed in range(400)]
    assert set(names) == set(KINDS)
    drawn = [draw(seed) for seed in range(400)]
    for name in Profile.__struct_fields__:
        assert any(getattr(one, name) != getattr(CALM, name) for one in drawn if name), name


def test_bad_ticks_do_not_come_through_and_gaps_do() -> None:
    spoilt = msgspec.structs.replace(CALM, bad_ticks=0.5, gaps=0.3, late_bars=0.3, repeated=0.5)
    market = Maker(Random(1), spoilt).make()
    bars = [bar for told in market.tape for bar in getattr(told.item, "bars", ())]
    assert bars
    assert all(market.closes[bar.symbol, bar.end] == bar.close for bar in bars)
    assert len(bars) < len(market.closes)


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found(name: str) -> None:
    found = runs.find(name, most=60)
    assert found.seeds is not None
    assert found.violation is not None


def test_what_a_planted_bug_changed_is_as_before_afterwards() -> None:
    assert runs.find("cash_rounded", most=5).seeds is not None
    assert runs.find("await_between_check_and_reservation", most=60).seeds is not None
    assert simulate(3).violations == ()


def test_a_bug_that_cannot_show_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = BUGS["no_halt_check"]._replace(profile="calm")
    monkeypatch.setitem(BUGS, "no_halt_check", quiet)
    assert runs.find("no_halt_check", most=1).seeds is None


def test_many_seeds_on_several_processes_are_the_same_as_on_one() -> None:
    told: list[int] = []
    one = runs.run(0, 12, jobs=1)
    two = runs.run(0, 12, jobs=2, progress=told.append)
    assert one.trace_hash == two.trace_hash
    assert (two.seeds, two.orders, told) == (12, one.orders, [10, 12])


def test_a_seed_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "simulate", lambda seed, name: _broken(seed))
    summary = runs.run(0, 3)
    assert [failure.seed for failure in summary.failures] == [0, 1, 2]
    assert summary.violations == 3


def _broken(seed: int) -> object:
    return simulate(seed, "calm", BUGS["no_intent_row"].parts)


def test_profiles_are_drawn_from_their_seed() -> None:
    assert profile.draw(7) == profile.draw(7)
