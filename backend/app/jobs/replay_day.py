"""After each session its day is decided once more, in a process of its own; who differs is told."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.core.logging import get_logger
from app.domain.events import Severity
from app.jobs.in_process import command
from app.jobs.registry import JobContext, Result, job
from app.jobs.schedules import AtMarket
from app.repositories import accounts, explanations
from app.repositories.alerts import NewAlert
from app.repositories.journal import stream_of

DAY_ZONE: Final = ZoneInfo("America/New_York")
"The day of a session, as the exchange writes it."
log = get_logger("jobs")


@job(
    "replay_day",
    title="Decide the last session of each account again, and compare",
    schedule=AtMarket("close", 60),
    attempts=2,
    limit_seconds=6 * 3_600.0,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """Inputs and differences of each account's newest ended session."""
    found: dict[str, Any] = {}
    listed = await accounts.active(context.pool)
    for number, account in enumerate(listed):
        context.progress.count(
            number, len(listed), f"accounts were decided again; now {account.name}"
        )
        closed = await explanations.last_close(context.pool, stream_of(account.id))
        if closed is not None:
            day = closed.astimezone(DAY_ZONE).date()
            found[account.name] = await _again(context, account.id, day)
    return found


async def _again(context: JobContext, account_id: int, day: date) -> dict[str, Any]:
    code, said = await command(context.url, "replay-day", str(account_id), str(day))
    log.info("day_replayed", account_id=account_id, day=str(day), exit_code=code)
    if code == 0:
        await context.all_clear(_key(account_id))
        return {"day": day, "inputs": said["inputs"], "different": 0}
    title, detail = told(said, day)
    log.error("day_differs", account_id=account_id, day=str(day), detail=detail)
    await context.alarm(
        NewAlert(
            key=_key(account_id),
            category="trading",
            severity=Severity.CRITICAL,
            title=title,
            detail=detail,
            account_id=account_id,
        )
    )
    return {"day": day, "different": said.get("different"), "detail": detail}


def told(said: Mapping[str, Any], day: date) -> tuple[str, str]:
    """Title and detail of the alert."""
    if error := said.get("error"):
        return f"{day} could not be decided again", str(error["detail"])
    first = said["differences"][0]
    detail = (
        f"{said['different']} of {said['inputs']} inputs; the first is event {first['seq']}"
        f" ({first['what']}). {said['cause']}"
    )
    return f"{day} is decided otherwise now than it was then", detail


def _key(account_id: int) -> str:
    return f"replay_day:{account_id}"
