"""The halt that needs no database, and the pulses beside it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.db import pulses
from app.db.halt_file import Halt, HaltFile, halt_now, halted
from app.domain.deployments import AccountMode
from app.domain.pulse import Pulse

AT = datetime(2024, 3, 1, tzinfo=UTC)


def test_a_file_halts_until_it_is_removed(tmp_path: Path) -> None:
    file = HaltFile(tmp_path, 3)
    assert not file.is_there()
    assert file.read() is None
    halt = halt_now(file, "silent")
    assert file.is_there()
    assert file.read() == halt
    assert list(halted(tmp_path)) == [3]
    assert file.path.stat().st_mode & 0o077 == 0
    file.remove()
    file.remove()
    assert not file.is_there()
    assert list(halted(tmp_path)) == []


def test_the_first_halt_holds(tmp_path: Path) -> None:
    """A guardian that was killed half-way goes on with the same incident."""
    first = halt_now(HaltFile(tmp_path, 3), "silent")
    assert halt_now(HaltFile(tmp_path, 3), "again") == first


@pytest.mark.parametrize("content", ["", "{", "by hand"])
def test_a_file_that_says_nothing_halts_too(tmp_path: Path, content: str) -> None:
    file = HaltFile(tmp_path, 3)
    file.path.parent.mkdir()
    file.path.write_text(content)
    assert file.is_there()
    assert file.read() == Halt()
    assert halt_now(file, "silent").incident


def test_what_cannot_be_looked_at_is_no_permission(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    assert HaltFile(tmp_path, 3).is_there()
    assert list(halted(tmp_path)) == []


def test_other_files_are_no_halts(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "halt-of-mine").touch()
    assert list(halted(tmp_path)) == []


def make_pulse(account_id: int) -> Pulse:
    return Pulse(
        account_id=account_id, account="Mine", broker="paper", mode=AccountMode.PAPER, at=AT
    )


def test_the_last_pulse_of_each_account_is_found(tmp_path: Path) -> None:
    assert pulses.listed(tmp_path) == []
    assert pulses.read(tmp_path, 1) is None
    for account_id in (2, 1, 1):
        pulses.write(tmp_path, make_pulse(account_id))
    assert pulses.listed(tmp_path) == [make_pulse(1), make_pulse(2)]
    assert pulses.read(tmp_path, 2) == make_pulse(2)


def test_a_broken_pulse_is_none(tmp_path: Path) -> None:
    pulses.write(tmp_path, make_pulse(1))
    (tmp_path / "run" / "pulse-2.json").write_text("{")
    assert pulses.listed(tmp_path) == [make_pulse(1)]
    assert pulses.read(tmp_path, 2) is None
