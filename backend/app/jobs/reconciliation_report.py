"""After the close each broker's books are held against ours once more; what differs is told."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from app.domain.commands import CommandKind
from app.domain.events import Severity
from app.jobs.registry import JobContext, Result, job
from app.jobs.schedules import AtMarket
from app.repositories import accounts, commands, leases
from app.repositories.accounts import Account
from app.repositories.alerts import NewAlert
from app.repositories.paging import Row

PAPER: Final = "paper"
"Its book is in the engine itself: there is nothing to compare."
ACTOR: Final = "job:reconciliation_report"
WAIT_SECONDS: Final = 90.0
"A broker that owes executions is waited for a minute."
_LOOK_SECONDS: Final = 0.2


@job(
    "reconciliation_report",
    title="Hold every account against its broker after the close",
    schedule=AtMarket("close", 30),
    attempts=2,
    severity=Severity.CRITICAL,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """What differs, by account; nothing is changed by asking."""
    held = set(await leases.held(context.pool))
    found: dict[str, Any] = {}
    listed = await accounts.active(context.pool)
    for number, account in enumerate(listed):
        context.progress.count(number, len(listed), f"accounts were compared; now {account.name}")
        if account.broker != PAPER:
            found[account.name] = await _compared(context, account, is_run=account.id in held)
    return found


async def _compared(context: JobContext, account: Account, *, is_run: bool) -> dict[str, Any]:
    answer = await _asked(context, account.id) if is_run else None
    if answer is None or answer["status"] != "completed":
        detail = "No engine runs the account." if not is_run else "The engine did not compare."
        if answer is not None and answer["result"]:
            detail = str(answer["result"].get("detail", detail))
        await _tell(context, account, "could not be held against its broker", detail)
        return {"status": "not compared", "detail": detail}
    result: dict[str, Any] = answer["result"]
    differences = [one["detail"] for one in result["differences"]]
    if differences:
        await _tell(context, account, "differs from its broker", " ".join(differences))
    else:
        await context.all_clear(_key(account.id))
    return {"status": "compared", "differences": differences, "told": result["reports"]}


async def _asked(context: JobContext, account_id: int) -> Row:
    """The command when it was answered, or as it is when that takes too long."""
    payload = {"dry_run": True, "adopt": False}
    number = await commands.submit(context.pool, account_id, CommandKind.RECONCILE, payload, ACTOR)
    for _ in range(round(WAIT_SECONDS / _LOOK_SECONDS)):
        row = await commands.get(context.pool, number)
        if row["status"] != "pending":
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return row


async def _tell(context: JobContext, account: Account, what: str, detail: str) -> None:
    alert = NewAlert(
        key=_key(account.id),
        category="trading",
        severity=Severity.CRITICAL,
        title=f"After the close, account {account.name} {what}",
        detail=detail,
        account_id=account.id,
    )
    await context.alarm(alert)


def _key(account_id: int) -> str:
    return f"reconciliation_report:{account_id}"
