"""Forgets what is older than the settings keep it: market data, figures, runs of jobs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from app.core.retention import RetentionOptions
from app.jobs.registry import JobContext, Result, job
from app.jobs.schedules import Cron
from app.repositories import job_runs, retention

RUNS_KEPT: Final = timedelta(days=90)


@job(
    "retention",
    title="Forget what is older than the settings keep it",
    schedule=Cron("20 3 * * *"),
    limit_seconds=4 * 3_600.0,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """How many rows and chunks each table lost."""
    now = context.clock.now()
    found = await retention.forget(context.pool, now, RetentionOptions())
    runs = await job_runs.forget(context.pool, now - RUNS_KEPT)
    tables = {f"{one.table}:{one.dataset or 'all'}": one.rows + one.chunks for one in found}
    return {"forgotten": tables, "job_runs": runs}
