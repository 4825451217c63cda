"""A drill is asked for by a file in the home, and ends by itself."""

from pathlib import Path

import pytest

from app.core import drills
from app.core.drills import Drill


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_a_drill_is_on_until_it_is_stopped(home: Path) -> None:
    assert drills.asked(home, 1) is None
    drills.ask(home, 1, Drill.STORM, 60)
    assert drills.asked(home, 1) is Drill.STORM
    assert drills.asked(home, 2) is None
    drills.stop(home, 1)
    assert drills.asked(home, 1) is None
    drills.stop(home, 1)


def test_a_drill_that_nobody_stops_is_over_in_time(home: Path) -> None:
    drills.ask(home, 1, Drill.STORM, -1)
    assert drills.asked(home, 1) is None


def test_a_file_that_says_nothing_asks_for_nothing(home: Path) -> None:
    path = drills.ask(home, 1, Drill.STORM, 60)
    for content in ("", "{}", '{"drill": "none such", "until": 9e99}', "[1]"):
        path.write_text(content)
        assert drills.asked(home, 1) is None


def test_every_drill_is_explained() -> None:
    assert set(drills.EXPLAINED) == set(Drill)
