"""`tradewright db sample` on a real database."""

import json
from pathlib import Path

import pytest

from app.cli import main
from app.core.config import get_settings


@pytest.fixture
def environment(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()
    return monkeypatch


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["db", "sample", *arguments])
    return int(ended.value.code or 0)


def test_it_prints_what_it_made_and_how_to_sign_in(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["email"] == "sample@localhost"
    assert report["password"]
    assert report["rows"]["trades"] > 0


def test_the_second_time_it_says_so_and_fails(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    assert "Sign in as" in capsys.readouterr().out
    assert run() == 1
    assert "already" in capsys.readouterr().err


def test_it_refuses_in_production(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("ENVIRONMENT", "production")
    get_settings.cache_clear()
    assert run() == 1
    assert "production" in capsys.readouterr().err
