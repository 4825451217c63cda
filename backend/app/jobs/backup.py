"""Job: a backup every night, proved by a restore, copied where wanted; old ones forgotten."""

from collections.abc import Mapping
from typing import Any, Final

from app.core.backup import BackupOptions
from app.jobs.registry import JobContext, Missed, Result, job
from app.jobs.schedules import Daily

NAME: Final = "backup"


@job(
    NAME,
    title="Back up the database and prove it",
    schedule=Daily(BackupOptions, "time", zone="America/New_York"),
    missed=Missed.RUN_ONCE,
    attempts=2,
    limit_seconds=4 * 3_600.0,
)
async def run(context: JobContext, payload: Mapping[str, Any]) -> Result:
    """A new backup; or, with `verify` in the payload, the proof of the one with that id."""
    from app.services.backups import Backups, place_of  # noqa: PLC0415 - psycopg2 and zstandard

    place = place_of(context.settings, context.url)
    service = Backups(context.pool, place, context.clock, context.progress.say)
    wanted = payload.get("verify")
    if wanted is not None:
        row = await service.verify(int(wanted))
    else:
        row = await service.make(payload.get("requested_by") or "schedule")
    shown = ("id", "path", "size_bytes", "rows", "state_hash", "restore_seconds", "copied_to")
    return {name: row[name] for name in shown}
