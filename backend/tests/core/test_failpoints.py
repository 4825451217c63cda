"""Failpoints: off unless asked for, refused in production, and deadly where they are reached."""

import signal
import subprocess
import sys

import pytest

from app.core import failpoints
from app.core.environment import variables
from app.core.errors import ConfigurationError
from app.core.failpoints import Armed, Point, arm, failpoint

PROGRAM = """
from app.core.failpoints import Point, failpoint
for number in range(5):
    print(number, flush=True)
    failpoint(Point.AFTER_WIRE)
    failpoint(Point.AFTER_APPEND)
"""


def run(**given: str) -> "subprocess.CompletedProcess[str]":
    environment = {**variables(), **given}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_nothing_happens_unless_it_is_asked_for() -> None:
    assert failpoints.armed is None
    assert arm("", "production") is None
    for point in Point:
        failpoint(point)


def test_the_process_dies_at_the_point_without_any_chance_to_clean_up() -> None:
    done = run(TRADEWRIGHT_FAILPOINT="after_wire:3")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "0\n1\n2\n")
    assert run(TRADEWRIGHT_FAILPOINT="after_append").stdout == "0\n"


def test_other_points_are_passed() -> None:
    done = run(TRADEWRIGHT_FAILPOINT="before_cancel")
    assert (done.returncode, len(done.stdout.split())) == (0, 5)


@pytest.mark.parametrize("wanted", ["nowhere", "after_wire:x", "after_wire:0", "after_wire:-1"])
def test_nonsense_is_refused_with_the_names_there_are(wanted: str) -> None:
    with pytest.raises(ConfigurationError, match="names no failpoint") as refused:
        arm(wanted, "development")
    assert "after_wire" in str(refused.value)


def test_production_refuses_to_start_with_one() -> None:
    with pytest.raises(ConfigurationError, match="production"):
        arm("after_wire", "production")
    done = run(TRADEWRIGHT_FAILPOINT="after_wire", ENVIRONMENT="production")
    assert done.returncode == 1
    assert "would kill itself" in done.stderr


def test_a_point_counts_down(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda _, how: killed.append(how))
    armed = Armed("after_wire:2")
    monkeypatch.setattr(failpoints, "armed", armed)
    failpoint(Point.AFTER_CANCEL)
    failpoint(Point.AFTER_WIRE)
    assert not killed
    failpoint(Point.AFTER_WIRE)
    assert killed == [signal.SIGKILL]
