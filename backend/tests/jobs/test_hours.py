"""Hours of an exchange: a lean process asks a child, and hears what the calendar says."""

import subprocess
import sys

import pytest

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


def test_an_exchange_that_nobody_knows_is_told_of() -> None:
    with pytest.raises(Unavailable, match="hours of XXXX in 2026") as raised:
        hours._asked("XXXX", 2026)
    assert "XXXX" in str(raised.value.remedy)
