"""`tradewright jobs`: list, run, history, pause, resume on the database itself."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from app.console import jobs
from app.core.config import get_settings
from app.core.errors import InvalidInput, NotFound


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(jobs.app, arguments)


def test_a_run_is_queued_and_stands_in_the_history() -> None:
    said = run("run", "retention", "--payload", '{"why": "a test"}')
    assert said.exit_code == 0, said.output
    assert "of retention is queued." in said.output
    (row,) = orjson.loads(run("history", "retention", "--json").output)["runs"]
    assert (row["status"], row["requested_by"]) == ("queued", "console@localhost")
    assert "queued" in run("history", "retention").output


def test_the_list_shows_what_is_paused() -> None:
    assert "retention is paused." in run("pause", "retention").output
    (line,) = [one for one in run("list").output.splitlines() if one.startswith("retention")]
    assert "paused" in line
    assert "retention is not paused; next at" in run("resume", "retention").output
    rows = orjson.loads(run("list", "--json").output)["jobs"]
    assert {"housekeeping", "retention"} <= {row["name"] for row in rows}


def test_wrong_words_are_answered_with_the_right_ones() -> None:
    assert isinstance(run("run", "retentoin").exception, NotFound)
    for payload in ("{", "[1]"):
        assert isinstance(run("run", "retention", "--payload", payload).exception, InvalidInput)
