"""Job: hash chains checked since their last anchors every hour, whole every night; heads noted."""

from collections.abc import Mapping
from typing import Any, Final

from app.core.security import master_key
from app.domain.events import Severity
from app.jobs.registry import JobContext, Missed, Result, job
from app.jobs.schedules import Cron
from app.repositories import alerts
from app.repositories.alerts import NewAlert
from app.services.audit import Chains

NAME: Final = "audit_anchor"
WHOLE: Final = "audit_verify"
KEY: Final = "audit_chain_broken"


@job(
    NAME,
    title="Check the newest journal and audit rows, note their hashes",
    schedule=Cron("17 * * * *"),
    missed=Missed.RUN_ONCE,
    limit_seconds=1_800,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """Only what came after the last anchors: seconds, however long the journal is."""
    return await _checked(context, since_anchors=True)


@job(
    WHOLE,
    title="Check every row of journal and audit trail",
    schedule=Cron("37 7 * * *"),
    missed=Missed.SKIP,
    limit_seconds=7_200,
)
async def run_whole(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """All chains from their first rows; the stored past may have been changed, too."""
    return await _checked(context, since_anchors=False)


async def _checked(context: JobContext, *, since_anchors: bool) -> Result:
    master = master_key(context.settings.home, context.settings.app.secret_key)
    chains = Chains(context.pool, master, context.settings.home, context.clock)
    found = await chains.anchor(since_anchors=since_anchors)
    now = context.clock.now()
    async with context.pool.acquire() as db, db.transaction():
        if found["ok"] and not since_anchors:
            await alerts.clear(db, context.journal, KEY, now)
        elif not found["ok"]:
            await alerts.raise_alert(db, context.journal, _alert(found["bad"]), now)
    return {key: found[key] for key in ("streams", "rows", "ok", "anchored", "first_bad")}


def _alert(bad: list[dict[str, Any]]) -> NewAlert:
    return NewAlert(
        key=KEY,
        category="security",
        severity=Severity.CRITICAL,
        title="A hash chain is broken: somebody changed the journal or the audit trail",
        detail=" ".join(one["detail"] for one in bad)
        + " See docs/audit.md; run `tradewright audit verify`.",
        context={"bad": bad},
    )
