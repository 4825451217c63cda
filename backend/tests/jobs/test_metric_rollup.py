"""The job that sums up measurements forgets what the settings no longer keep."""

from datetime import timedelta

import asyncpg
import pytest

from app.core.clock import now, system
from app.core.config import get_settings
from app.db.session import create_pool
from app.jobs import metric_rollup
from app.jobs.registry import JobContext, jobs
from app.repositories import errors, metrics
from app.repositories.errors import Group
from app.repositories.journal import SharedJournal


def context(pool: asyncpg.Pool, url: str) -> JobContext:
    return JobContext(
        run_id=1,
        scheduled_for=now(),
        attempt=1,
        settings=get_settings(),
        url=url,
        pool=pool,
        journal=SharedJournal(pool, b"k" * 32),
        clock=system,
        worker="test",
    )


@pytest.mark.parametrize("days", [1, 0])
async def test_it_sums_up_and_forgets(
    database_url: str, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    monkeypatch.setenv("RETENTION_ERRORS_DAYS", str(days))
    monkeypatch.setenv("RETENTION_METRICS_5M_DAYS", str(days))
    pool = await create_pool(database_url)
    old = now() - timedelta(days=3)
    await metrics.record(pool, [("load", {}, 2.0)], old)
    group = Group(
        fingerprint="a", kind="OSError", message="", component="api", traceback="",
        correlation_id=None, occurrences=1, first_at=old, last_at=old,
    )  # fmt: skip
    await errors.add(pool, "api", [group])
    found = await metric_rollup.run(context(pool, database_url), {})
    assert (found["five_minutes"], found["hours"]) == (1, 1)
    assert (found["forgotten"], found["errors_forgotten"]) == ((1, 1) if days else (0, 0))
    await pool.close()


def test_it_is_found_by_existing() -> None:
    assert jobs()[metric_rollup.NAME].schedule is not None
