"""Two real workers: a run is one's alone, and the other's when that one is killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg

from app.worker.context import WorkerContext
from tests import waiting
from tests.core_process import SECRET, until
from tests.torture.brokers import BACKEND

from .test_job_runner import AT, OVER, ask

RUNS = "SELECT count(*) = 1 FROM job_runs WHERE status = 'running' AND attempt = $1"


@contextmanager
def started(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "DATABASE_URL": url,
        "TRADEWRIGHT_HOME": str(folder / "home"),
        "TRADEWRIGHT_SECRET_KEY": SECRET,
        "TRADEWRIGHT_ENV_FILE": os.devnull,
        "WORKER_SILENCE_SECONDS": "1",
    }
    with (folder / "worker.out").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.slow_worker", str(folder)],
            cwd=BACKEND,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


async def begun_by(folder: Path) -> list[str]:
    """The worker of each begin, in order."""
    file = folder / "begun"
    return file.read_text().split() if file.exists() else []


async def test_a_run_of_a_killed_worker_is_taken_over_and_none_runs_twice(
    context: WorkerContext, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(started(context.url, tmp_path)) for _ in range(2)]
        await ask(pool, "slow")
        await until(pool, RUNS, 1)
        await waiting.until(lambda: begun_by(tmp_path), 60)  # the run is noted before it begins
        holder = await pool.fetchval("SELECT worker FROM job_runs")
        (victim,) = [one for one in workers if holder.endswith(f":{one.pid}")]
        victim.send_signal(signal.SIGKILL)
        await asyncio.to_thread(victim.wait, 30)
        await until(pool, RUNS, 2)
        (tmp_path / "may-end").touch()
        await until(pool, OVER, 1)
        for hour in range(4, 8):
            await ask(pool, "slow", at=AT.replace(hour=hour))
        await until(pool, OVER, 5)
    begun = await begun_by(tmp_path)
    assert len(begun) == 2 + 4
    assert begun[0] == holder
    assert begun[1] != holder
    found = await pool.fetch("SELECT status, attempt FROM job_runs ORDER BY scheduled_for")
    assert [tuple(row) for row in found] == [("succeeded", 2)] + [("succeeded", 1)] * 4
