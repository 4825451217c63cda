"""Forgets what is older than the settings keep it: market data, figures, what operating leaves."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app.core.retention import RetentionOptions
from app.jobs.registry import JobContext, Result, job
from app.jobs.schedules import Cron
from app.repositories import job_runs, retention


@job(
    "retention",
    title="Forget what is older than the settings keep it",
    schedule=Cron("20 3 * * *"),
    limit_seconds=4 * 3_600.0,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """How many rows and chunks each table lost."""
    now, kept = context.clock.now(), RetentionOptions()
    found = await retention.forget(context.pool, now, kept, context.progress.count)
    if kept.job_runs_days:
        await job_runs.forget_diary(context.pool, now - timedelta(days=kept.job_runs_days))
    tables = {f"{one.table}:{one.dataset or 'all'}": one.rows + one.chunks for one in found}
    return {"forgotten": tables}
