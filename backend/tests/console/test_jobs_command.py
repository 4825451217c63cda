"""`tradewright jobs`: list, run, history, pause, resume on the database itself."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import psycopg2
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


def test_who_waits_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    def worked() -> None:
        """What a worker would write, step by step, each once the last was seen."""
        with closing(psycopg2.connect(database_url)) as connection:
            connection.autocommit = True
            steps.pop(0)(connection.cursor())

    def says(share: float, note: str) -> Callable[[Any], None]:
        sql = "UPDATE job_runs SET status = 'running', progress = %s, progress_note = %s"
        return lambda cursor: cursor.execute(sql, (share, note))

    def fails(cursor: Any) -> None:
        cursor.execute(
            "UPDATE job_runs SET status = 'failed', finished_at = now(), error = 'No luck.'"
        )

    steps = [says(0.25, "A quarter."), says(0.5, "Half."), fails]
    pause = asyncio.sleep

    async def step(_seconds: float) -> None:
        if steps:
            await asyncio.to_thread(worked)
        await pause(0)

    monkeypatch.setattr(jobs.asyncio, "sleep", step)
    said = run("run", "retention", "--wait")
    assert said.exit_code == 1
    assert [line in said.output for line in ("25% A quarter.", "50% Half.", "No luck.")] == [
        True
    ] * 3
    assert "50%" in run("history", "retention").output


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
