"""Hours of an exchange: a lean process asks a child, and hears what the calendar says."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from app.core.clock import ManualClock
from app.core.errors import Unavailable
from app.jobs import hours

LEAN = """
import sys
from app.jobs.hours import hours
found = hours("XNYS", 2026)
assert "pandas" not in sys.modules and "numpy" not in sys.modules
print(len(found), found[0][0].isoformat(), found[0][1].isoformat())
"""


def test_a_child_says_what_the_calendar_says() -> None:
    said = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["251", "2026-01-02T14:30:00+00:00", "2026-01-02T21:00:00+00:00"]


def test_a_failure_is_remembered_for_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fails(exchange: str, year: int) -> list[tuple[int, int]]:
        asked.append(year)
        raise Unavailable(f"No hours of {exchange}.", remedy="Wait.")

    clock = ManualClock(datetime(2026, 1, 5, tzinfo=UTC))
    monkeypatch.setattr(hours, "_FAILURES", {})
    monkeypatch.setattr(hours, "_asked", fails)
    monkeypatch.setattr(hours, "system", clock)
    for minute in (0, 1, 4, 6):
        clock.move_to(datetime(2026, 1, 5, 0, minute, tzinfo=UTC))
        with pytest.raises(Unavailable, match="No hours of XXXX"):
            hours._known("XXXX", 2026)
    assert len(asked) == 2, "at once, and again after five minutes"


def test_an_exchange_that_nobody_knows_is_told_of() -> None:
    with pytest.raises(Unavailable, match="hours of XXXX in 2026") as raised:
        hours._asked("XXXX", 2026)
    assert "XXXX" in str(raised.value.remedy)
