"""Job: measurements summed up to five minutes and hours, and old sums and errors forgotten."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from app.core.retention import RetentionOptions
from app.jobs.registry import JobContext, Missed, Result, job
from app.jobs.schedules import Cron
from app.repositories import errors, metrics

NAME: Final = "metric_rollup"


@job(
    NAME,
    title="Sum up measurements",
    schedule=Cron("2-59/5 * * * *"),
    missed=Missed.RUN_ONCE,
    limit_seconds=600,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """Everything that is whole by now, from where the last run ended."""
    kept, now = RetentionOptions(), context.clock.now()
    async with context.pool.acquire() as db, db.transaction():
        rolled = await metrics.roll_up(
            db, now, _days(kept.metrics_5m_days), _days(kept.metrics_1h_days)
        )
    forgotten = 0
    if kept.errors_days:
        forgotten = await errors.forget(context.pool, now - timedelta(days=kept.errors_days))
    return {**msgspec.structs.asdict(rolled), "errors_forgotten": forgotten}


def _days(days: int) -> timedelta | None:
    return timedelta(days=days) if days else None
