"""Job: the daily digest, to every channel that wants it."""

from collections.abc import Mapping
from typing import Any, Final

from app.core.notifications import NotificationOptions
from app.jobs.registry import JobContext, Missed, Result, job
from app.jobs.schedules import Daily

NAME: Final = "digest"


@job(
    NAME,
    title="Send the daily digest",
    schedule=Daily(NotificationOptions, "digest_time"),
    missed=Missed.RUN_ONCE,
    limit_seconds=300,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """Of the 24 hours before it was due; a day has one, however often it runs."""
    from app.alerting import digest  # noqa: PLC0415 - jobs load what they need when they run

    async with context.pool.acquire() as db, db.transaction():
        alert_id = await digest.send(db, context.journal, context.scheduled_for)
    return {"alert_id": alert_id, "is_new": alert_id is not None}
