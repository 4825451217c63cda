"""How far a run is: said in the job, in a child of it, stored, and gone with the next attempt."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.core import progress_pipe
from app.core.errors import Unavailable
from app.jobs import in_process, progress
from app.jobs.progress import NOTE_CHARACTERS, Progress
from app.jobs.registry import JobContext
from app.worker.context import WorkerContext
from tests.core_process import until
from tests.jobs.conftest import Declare
from tests.jobs.test_job_runner import OVER, ask, only, worker

SAID = "SELECT progress = $1 AND progress_note = $2 FROM job_runs"


async def test_what_a_run_says_is_stored_while_it_lasts_and_whole_at_its_end(
    context: WorkerContext,
    pool: asyncpg.Pool,
    declare: Declare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.01)
    go_on = asyncio.Event()

    async def run(given: JobContext, _payload: Mapping[str, Any]) -> Mapping[str, Any]:
        given.progress.count(1, 4, "pages were read")
        await go_on.wait()
        return {}

    declare(run)
    await ask(pool)
    async with worker(context):
        await until(pool, SAID, 0.25, "1 of 4 pages were read.")
        go_on.set()
        await until(pool, OVER, 1)
    row = await only(pool)
    assert (row["status"], row["progress"], row["progress_note"]) == ("succeeded", 1.0, None)


async def test_a_run_that_fails_stays_as_far_as_it_came(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    async def run(given: JobContext, _payload: Mapping[str, Any]) -> Mapping[str, Any]:
        if given.attempt == 1:
            given.progress.say(0.9, "Almost.")
        else:
            given.progress.say(0.5, "Half.")
        raise Unavailable("no luck")

    declare(run, attempts=2)
    await ask(pool)
    async with worker(context):
        await until(pool, OVER, 1)
    row = await only(pool)
    assert (row["status"], row["progress"], row["progress_note"]) == ("failed", 0.5, "Half.")


async def test_what_cannot_be_is_bounded_and_the_same_is_not_written_twice() -> None:
    written: list[tuple[float, str]] = []

    async def write(share: float, note: str) -> None:
        written.append((share, note))

    told = Progress()
    await told.flush(write)
    told.say(1.7, "x" * 1000)
    await told.flush(write)
    await told.flush(write)
    told.count(0, 0, "things")
    await told.flush(write)
    assert written == [(1.0, "x" * NOTE_CHARACTERS), (0.0, "0 of 0 things.")]


async def test_a_database_that_is_away_costs_the_progress_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.001)
    tries, back = 0, asyncio.Event()

    async def write(_share: float, _note: str) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("away")
        back.set()

    told = Progress()
    told.say(0.5, "Half.")
    keeping = asyncio.create_task(told.keep(write))
    async with asyncio.timeout(60):
        await back.wait()
    keeping.cancel()


async def test_a_command_in_a_process_of_its_own_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "child.py").write_text(
        "import json\n"
        "from app.core.progress_pipe import teller\n"
        "tell = teller()\n"
        "tell(1, 2)\n"
        "tell(2, 2)\n"
        "print(json.dumps({'done': True}))\n"
    )
    program = tmp_path / "run"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path}/child.py\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    heard: list[tuple[int, int]] = []
    code, said = await in_process.command(
        "postgresql://nowhere", "x", progress=lambda done, total: heard.append((done, total))
    )
    assert (code, said, heard) == (0, {"done": True}, [(1, 2), (2, 2)])


def test_nobody_is_told_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(progress_pipe.VARIABLE, raising=False)
    assert progress_pipe.teller() is None
    reading, writing = os.pipe()
    monkeypatch.setenv(progress_pipe.VARIABLE, str(writing))
    tell = progress_pipe.teller()
    assert tell is not None
    tell(3, 4)
    assert progress_pipe.told(os.read(reading, 100)) == (3, 4)
    os.close(writing)
    os.close(reading)
    tell(4, 4)
    assert progress_pipe.told(b"three of four\n") is None
    assert progress_pipe.told(b"3\n") is None
