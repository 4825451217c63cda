"""`up` runs the guardian unless it is told not to, and starts it again when it dies."""

from pathlib import Path

import pytest

from app.supervisor import Plan


def test_the_guardian_is_part_of_up_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    assert list(Plan.from_environment().parts) == ["core", "api", "guardian", "worker"]


@pytest.mark.parametrize("word", ["false", "0", "no", "Off"])
def test_it_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("GUARDIAN_ENABLED", word)
    assert list(Plan.from_environment().parts) == ["core", "api", "worker"]


def test_so_can_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("WORKER_ENABLED", "off")
    assert list(Plan.from_environment().parts) == ["core", "api", "guardian"]
