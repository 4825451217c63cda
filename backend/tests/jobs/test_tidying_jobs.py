"""Retention and housekeeping: what is over for long goes, what is not stays."""

from datetime import timedelta

import asyncpg

from app.core import clock
from app.core.retention import RetentionOptions
from app.db.base import Base
from app.jobs import housekeeping, retention
from app.jobs.registry import JobContext
from app.repositories import job_runs
from app.repositories.job_runs import NewRun
from app.repositories.retention import KEPT_OTHERWISE, RULES


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
    old = clock.now() - timedelta(days=91)
    await pool.execute("INSERT INTO metrics (at, name, value) VALUES ($1, 'x', 1)", old)
    for at in (old, clock.now()):
        run_id = await job_runs.add(pool, NewRun(job="probe", scheduled_for=at))
        await pool.execute(
            "UPDATE job_runs SET status = 'succeeded', finished_at = $2 WHERE id = $1", run_id, at
        )
    said = await retention.run(job_context, {})
    assert said["forgotten"]["job_runs:all"] == 1
    assert said["forgotten"]["metrics:all"] >= 1
    assert await pool.fetchval("SELECT count(*) FROM job_runs") == 1


async def test_what_operating_leaves_behind_is_forgotten_when_it_is_over_for_long(
    pool: asyncpg.Pool, job_context: JobContext
) -> None:
    now = clock.now()
    for days, is_over in ((400, True), (300, True), (400, False)):
        await pool.execute(
            "WITH a AS (INSERT INTO alerts (key, category, severity, title, raised_at, resolved_at)"
            " VALUES ($1, 'system', 'error', 'x', $2, $3) RETURNING id)"
            " INSERT INTO alert_deliveries (alert_id, channel) SELECT id, 'mail' FROM a",
            f"{days} {is_over}",
            now - timedelta(days=days + 1),
            now - timedelta(days=days) if is_over else None,
        )
    for days in (1200, 1000):
        await pool.execute(
            "INSERT INTO availability (state, since, until) VALUES ('up', $1, $1)",
            now - timedelta(days=days),
        )
    await pool.execute(
        "INSERT INTO trading_events (stream, seq, event_type, occurred_at, payload, hash)"
        " VALUES ('system', 1, 'x', $1, '{}', $2)",
        now,
        bytes(32),
    )
    for handler, status, days in (("a", "dead", 400), ("b", "dead", 300), ("c", "pending", 400)):
        await pool.execute(
            "INSERT INTO handler_deliveries (handler, stream, seq, key, status, updated_at)"
            " VALUES ($1, 'system', 1, 'k', $2, $3)",
            handler,
            status,
            now - timedelta(days=days),
        )
    said = await retention.run(job_context, {})
    wanted = {"alerts:all": 1, "availability:all": 1, "handler_deliveries:all": None}
    assert {name: said["forgotten"].get(name) for name in wanted} == wanted
    assert await pool.fetchval("SELECT count(*) FROM alert_deliveries") == 2
    kept = await pool.fetch("SELECT handler FROM handler_deliveries ORDER BY 1")
    assert [row["handler"] for row in kept] == ["a", "b", "c"]  # nobody sent them again
    assert (await retention.run(job_context, {}))["forgotten"] == {}


def test_every_table_has_a_retention_or_a_reason() -> None:
    forgotten = {rule.table for rule in RULES}
    assert forgotten | KEPT_OTHERWISE.keys() == set(Base.metadata.tables)
    assert forgotten & KEPT_OTHERWISE.keys() == set()
    assert all(reason.endswith(".") for reason in KEPT_OTHERWISE.values())
    assert {rule.days for rule in RULES} <= RetentionOptions.model_fields.keys()
