"""The daily digest: what happened in a day, in lines that fit a phone."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from app.alerting.channels import DIGEST
from app.domain.events import Severity
from app.repositories import alert_deliveries, alert_facts, alerts, digests
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal

DAY: Final = timedelta(days=1)
_MOST: Final = 10
"Open alerts that are listed; the rest is counted."


async def send(db: asyncpg.Connection, journal: SharedJournal, until: datetime) -> int | None:
    """Put the digest of the day before `until` on its way, once; its alert, None if it was sent.

    It is an alert that is over at once: it has its deliveries, and stays in nobody's way.
    """
    key = f"{DIGEST}:{until:%Y-%m-%d}"
    if await alerts.told_before(db, [key]):
        return None
    lines = await written(db, until)
    new = NewAlert(
        key=key,
        rule=DIGEST,
        category="system",
        severity=Severity.INFO,
        title=f"Tradewright on {until:%A, %d %B %Y}: {lines[0]}",
        detail="\n".join(lines),
    )
    alert_id = await alerts.raise_alert(db, journal, new, until)
    await alerts.resolve(db, journal, alert_id, "system", until)
    await alert_deliveries.tell_no_end(db, alert_id)
    return alert_id


async def written(db: asyncpg.Connection, until: datetime) -> list[str]:
    """The lines; the first says the whole in a few words."""
    since = until - DAY
    counts = await digests.alert_counts(db, since, until)
    opened = await digests.open_alerts(db)
    accounts = await digests.accounts(db, since, until)
    backup = await alert_facts.backups(db)
    return [
        _summary(opened),
        "",
        *_accounts(accounts),
        "",
        *_alerts(opened, counts),
        "",
        _backup(backup["finished_at"], until),
    ]


def _summary(opened: Sequence[Mapping[str, Any]]) -> str:
    grave = sum(1 for one in opened if one["severity"] in ("error", "critical"))
    if grave:
        return f"{grave} alert{'s need' if grave > 1 else ' needs'} you"
    return "nothing needs you"


def _accounts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["There is no account."]
    return [
        f"{row['name']}: {row['orders']} orders, {row['fills']} fills, {row['denials']} denied,"
        f" {row['trades']} round trips closed ({row['pnl']:+.2f}); cash {row['cash']:.2f}."
        for row in rows
    ]


def _alerts(opened: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> list[str]:
    raised = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    lines = [f"Alerts raised: {raised or 'none'}. Open: {len(opened)}."]
    lines += [f"- [{one['severity']}] {one['title']}" for one in opened[:_MOST]]
    if len(opened) > _MOST:
        lines.append(f"- and {len(opened) - _MOST} more")
    return lines


def _backup(finished: datetime | None, until: datetime) -> str:
    if finished is None:
        return "There is no backup."
    hours = (until - finished).total_seconds() / 3600
    return f"The last backup finished {hours:.0f} h ago."
