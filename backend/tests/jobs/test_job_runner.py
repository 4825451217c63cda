"""A run and its end: success, failure, another attempt, another worker, a stop in the middle."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from app.core.errors import Unavailable
from app.jobs import queue
from app.jobs.registry import JobContext
from app.repositories import job_runs
from app.repositories.job_runs import NewRun
from app.worker import jobs as part
from app.worker.context import WorkerContext
from tests.core_process import until

from .conftest import Declare

AT = datetime(2026, 1, 5, 3, tzinfo=UTC)
OVER = "SELECT count(*) = $1 FROM job_runs WHERE finished_at IS NOT NULL"
Answer = Mapping[str, Any]


@asynccontextmanager
async def worker(context: WorkerContext) -> AsyncIterator[None]:
    """The part of jobs at work, stopped at the end of the block."""
    context.stopping.clear()
    running = asyncio.create_task(part.run(context))
    try:
        yield
    finally:
        context.stopping.set()
        await running


async def ask(pool: asyncpg.Pool, name: str = "probe", at: datetime = AT, **payload: Any) -> int:
    """Queue a run as somebody who asks."""
    async with pool.acquire() as db, db.transaction():
        new = NewRun(job=name, scheduled_for=at, requested_by="ann", payload=payload)
        run_id = await job_runs.add(db, new)
        assert run_id is not None
        await queue.put(db, name, run_id)
    return run_id


async def only(pool: asyncpg.Pool) -> dict[str, Any]:
    (row,) = await job_runs.by_ids(pool, [await pool.fetchval("SELECT id FROM job_runs")])
    return row


async def test_a_run_is_given_its_facts_and_its_answer_is_kept(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    async def run(given: JobContext, payload: Mapping[str, Any]) -> Answer:
        return {"for": given.scheduled_for, "attempt": given.attempt, **payload}

    declare(run)
    await ask(pool, symbols=["SPY"])
    async with worker(context):
        await until(pool, OVER, 1)
    row = await only(pool)
    assert (row["status"], row["worker"], row["error"]) == ("succeeded", context.name, None)
    assert row["result"] == {"for": AT.isoformat(), "attempt": 1, "symbols": ["SPY"]}
    assert row["seconds"] >= 0
    assert await pool.fetchval("SELECT count(*) FROM pgqueuer.pgqueuer") == 0


async def test_a_time_that_ran_does_not_run_again(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    ran = 0

    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        nonlocal ran
        ran += 1
        return {}

    declare(run)
    run_id = await ask(pool)
    async with worker(context):
        await until(pool, OVER, 1)
        async with pool.acquire() as db:
            await queue.put(db, "probe", run_id)  # a worker that died before it could say so
        await until(pool, "SELECT count(*) = 0 FROM pgqueuer.pgqueuer")
    assert ran == 1
    assert await job_runs.add(pool, NewRun(job="probe", scheduled_for=AT)) is None


async def test_what_fails_is_tried_again_and_the_alert_is_raised_at_the_end(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        raise Unavailable("The vendor is away.", remedy="Wait.")

    declare(run, attempts=2)
    await ask(pool)
    async with worker(context):
        await until(pool, OVER, 1)
    row = await only(pool)
    assert (row["status"], row["attempt"]) == ("failed", 2)
    assert "The vendor is away." in row["error"]
    alert = await pool.fetchrow("SELECT key, title, detail, severity FROM alerts")
    assert alert["key"] == "job:probe"
    assert alert["title"] == "Job failed: A job of a test"
    assert alert["detail"] == row["error"]


async def test_success_ends_the_alert(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    is_well = False

    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        if not is_well:
            raise ValueError("no luck")
        return {}

    declare(run, attempts=1)
    async with worker(context):
        await ask(pool)
        await until(pool, OVER, 1)
        is_well = True
        await ask(pool, at=AT.replace(hour=4))
        await until(pool, OVER, 2)
    assert await pool.fetchval("SELECT count(*) FROM alerts WHERE resolved_at IS NOT NULL") == 1


async def test_a_run_that_takes_too_long_is_ended(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        await asyncio.Event().wait()
        return {}

    declare(run, attempts=1, limit_seconds=0.05)
    await ask(pool)
    async with worker(context):
        await until(pool, OVER, 1)
    assert (await only(pool))["error"] == "It took longer than the 0.05 s that it may."


@pytest.mark.parametrize("failure", [TimeoutError("theirs"), asyncio.CancelledError()])
async def test_a_jobs_own_timeout_or_cancellation_is_its_failure(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare, failure: BaseException
) -> None:
    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        raise failure

    declare(run, attempts=1)
    await ask(pool)
    async with worker(context):
        await until(pool, OVER, 1)
    row = await only(pool)
    assert row["status"] == "failed"
    assert row["error"] in ("theirs", "RuntimeError: The job cancelled itself.")


async def test_a_stop_puts_a_run_back_and_the_next_worker_has_it(
    context: WorkerContext,
    pool: asyncpg.Pool,
    declare: Declare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(part, "GRACE_SECONDS", 0.05)
    begun, may_end = asyncio.Event(), False

    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        begun.set()
        if not may_end:
            await asyncio.Event().wait()
        return {}

    declare(run, attempts=1)
    await ask(pool)
    async with worker(context):
        await begun.wait()
    row = await only(pool)
    assert (row["status"], row["attempt"], row["worker"]) == ("queued", 0, None)
    may_end = True
    async with worker(context):
        await until(pool, OVER, 1)
    row = await only(pool)
    assert (row["status"], row["attempt"]) == ("succeeded", 1)


async def test_a_stop_lets_a_short_run_end(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        begun.set()
        await end.wait()
        return {}

    declare(run)
    await ask(pool)
    async with worker(context):
        await begun.wait()
        context.stopping.set()
        end.set()
    assert (await only(pool))["status"] == "succeeded"


async def test_runs_of_one_job_are_never_side_by_side(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    at_work, most = 0, 0

    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.02)
        at_work -= 1
        return {}

    declare(run)
    for hour in range(3):
        await ask(pool, at=AT.replace(hour=hour))
    async with worker(context):
        await until(pool, OVER, 3)
    assert most == 1


async def test_a_run_whose_lock_is_lost_is_ended_and_begun_anew(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    begun: list[int] = []

    async def run(given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        begun.append(given.attempt)
        if len(begun) == 1:
            await pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            await asyncio.Event().wait()
        return {}

    declare(run)
    await ask(pool)
    async with worker(context):
        await until(pool, OVER, 1)
    assert begun == [1, 2]
    assert (await only(pool))["status"] == "succeeded"


async def test_a_run_that_ends_its_worker_each_time_has_failed(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        return {}

    declare(run, attempts=2)
    run_id = await ask(pool)
    for _ in range(2):
        await job_runs.begin(pool, run_id, "a worker that died")
    async with worker(context):
        await until(pool, OVER, 1)
    assert (await only(pool))["error"] == "Its worker ended while it ran."


async def test_an_answer_that_is_too_large_is_left_out(
    context: WorkerContext, pool: asyncpg.Pool, declare: Declare
) -> None:
    async def run(_given: JobContext, _payload: Mapping[str, Any]) -> Answer:
        return {"text": "x" * job_runs.RESULT_BYTES}

    declare(run)
    await ask(pool)
    async with worker(context):
        await until(pool, OVER, 1)
    assert list((await only(pool))["result"]) == ["left_out"]
