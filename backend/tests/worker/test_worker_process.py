"""The worker: parts side by side, each begun anew when it fails, all ended by a signal."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from app.worker import process
from app.worker.context import WorkerContext
from app.worker.process import Worker
from tests.core_process import SECRET, until

ALIVE = "SELECT EXISTS (SELECT FROM heartbeats WHERE name LIKE 'worker:%')"
ALARMED = "SELECT count(*) FROM alerts WHERE key = 'worker_part:bad' AND resolved_at IS NULL"
TOO_LARGE = {"pandas", "pyarrow", "duckdb", "polars", "scipy"}
"Libraries with tens of megabytes each: what needs one is a child that ends."


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_WAITS", (0.01,))
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 0.05)


def failing(times: int) -> tuple[process.Part, asyncio.Event]:
    """A part that fails so often, and then says that it is up."""
    left, up = times, asyncio.Event()

    async def part(given: WorkerContext) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ValueError("no luck")
        up.set()
        await given.stopping.wait()

    return part, up


@pytest.mark.usefixtures("hurried")
async def test_a_part_that_fails_is_begun_anew_and_harms_no_other(
    context: WorkerContext, pool: asyncpg.Pool
) -> None:
    good, _ = failing(0)
    bad, up = failing(3)
    worker = Worker(context, {"good": good, "bad": bad})
    running = asyncio.create_task(worker.run())
    await up.wait()
    worker.stop()
    await running
    assert await pool.fetchval(ALARMED) == 1
    assert await pool.fetchval("SELECT count(*) FROM alerts") == 1


@pytest.mark.usefixtures("hurried")
async def test_the_alert_is_over_when_the_part_has_come_up_for_good(
    context: WorkerContext, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STEADY_SECONDS", 0.3)
    bad, up = failing(3)
    worker = Worker(context, {"bad": bad})
    running = asyncio.create_task(worker.run())
    await up.wait()
    await until(pool, "SELECT count(*) = 1 FROM alerts WHERE resolved_at IS NOT NULL")
    worker.stop()
    await running


@pytest.mark.usefixtures("hurried")
async def test_a_part_that_does_not_end_is_cut_off(context: WorkerContext) -> None:
    async def deaf(_given: WorkerContext) -> None:
        await asyncio.Event().wait()

    worker = Worker(context, {"deaf": deaf})
    worker.stop()
    await worker.run()


async def test_the_real_process_says_that_it_lives_and_that_it_stopped(
    pool: asyncpg.Pool, database_url: str, tmp_path: Path
) -> None:
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "TRADEWRIGHT_HOME": str(tmp_path),
        "TRADEWRIGHT_SECRET_KEY": SECRET,
        "TRADEWRIGHT_ENV_FILE": os.devnull,
    }
    with (tmp_path / "worker.out").open("ab") as log:
        worker = subprocess.Popen(  # noqa: ASYNC220 - it is there at once
            [sys.executable, "-m", "app.cli", "worker"], env=environment, stdout=log, stderr=log
        )
    try:
        await until(pool, ALIVE)
        mapped = {part for one in psutil.Process(worker.pid).memory_maps() for part in _parts(one)}
    finally:
        worker.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(worker.wait, 30)
    assert code == 0
    state = await pool.fetchval("SELECT state ->> 'is_stopped' FROM heartbeats")
    assert state == "true"
    assert "asyncpg" in mapped, "libraries are seen by their names"
    assert not mapped & TOO_LARGE, "`up` has 600 MB for everything"


def _parts(mapped: Any) -> tuple[str, ...]:
    return Path(mapped.path).parts
