"""Retention and housekeeping: what is over for long goes, what is not stays."""

from datetime import timedelta

import asyncpg

from app.core import clock
from app.jobs import housekeeping, retention
from app.jobs.registry import JobContext
from app.repositories import job_runs
from app.repositories.job_runs import NewRun


async def test_sessions_and_tokens_that_are_over_for_a_month_are_dropped(
    pool: asyncpg.Pool, job_context: JobContext
) -> None:
    user = await pool.fetchval(
        "INSERT INTO users (email, name, role, password_hash)"
        " VALUES ('ada@example.com', 'Ada', 'admin', '$argon2id$x') RETURNING id"
    )
    for days in (29, 31):
        await pool.execute(
            "INSERT INTO sessions (user_id, token_hash, expires_at)"
            " VALUES ($1, $2, now() - make_interval(days => $3))",
            user,
            bytes([days]) * 32,
            days,
        )
    await housekeeping.run(job_context, {})
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1


async def test_market_data_and_old_runs_are_forgotten(
    pool: asyncpg.Pool, job_context: JobContext
) -> None:
    old = clock.now() - retention.RUNS_KEPT - timedelta(days=1)
    await pool.execute("INSERT INTO metrics (at, name, value) VALUES ($1, 'x', 1)", old)
    for at in (old, clock.now()):
        run_id = await job_runs.add(pool, NewRun(job="probe", scheduled_for=at))
        await pool.execute(
            "UPDATE job_runs SET status = 'succeeded', finished_at = $2 WHERE id = $1", run_id, at
        )
    said = await retention.run(job_context, {})
    assert said["job_runs"] == 1
    assert said["forgotten"]["metrics:all"] >= 1
    assert await pool.fetchval("SELECT count(*) FROM job_runs") == 1
