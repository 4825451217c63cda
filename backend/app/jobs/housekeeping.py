"""Tidies what people leave behind: sessions, refresh tokens and idempotency keys that are over."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from app.jobs.registry import JobContext, Missed, Result, job
from app.jobs.schedules import Cron
from app.repositories import idempotency, refresh_tokens, sessions

KEPT: Final = timedelta(days=30)
"How long a session or token stays readable after its end."


@job(
    "housekeeping",
    title="Drop sessions, tokens and idempotency keys that are long over",
    schedule=Cron("25 * * * *"),
    missed=Missed.SKIP,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """Nothing to say: what is dropped was of no use to anybody."""
    now = context.clock.now()
    await idempotency.forget_expired(context.pool, now)
    await sessions.forget(context.pool, now - KEPT)
    await refresh_tokens.forget(context.pool, now - KEPT)
    return {}
