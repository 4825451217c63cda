"""Alerts: raised once a condition, counted while it lasts, acknowledged and resolved by people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
import orjson

from app.core.errors import NotFound
from app.domain.events import AlertRaised, AlertResolved, Severity
from app.domain.ports import Entry
from app.repositories.journal import SharedJournal
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

_LISTING: Final = Listing(
    select="""a.id, a.category, a.severity, a.title, a.detail,
       CASE WHEN a.resolved_at IS NOT NULL THEN 'resolved'
            WHEN a.acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'open' END AS state,
       a.occurrences, a.metadata AS context, a.raised_at, a.last_seen_at, a.account_id,
       a.deployment_id, a.acknowledged_at, a.acknowledged_by, a.resolved_at, a.resolved_by""",
    source="alerts a",
    keys=(("a.raised_at", "timestamptz"), ("a.id", "bigint")),
    documents=("context",),
)
_STATES: Final = {
    "open": "a.resolved_at IS NULL AND a.acknowledged_at IS NULL",
    "acknowledged": "a.resolved_at IS NULL AND a.acknowledged_at IS NOT NULL",
    "resolved": "a.resolved_at IS NOT NULL",
}


class NewAlert(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that a person should know about; `key` names it while it lasts."""

    key: str
    category: str
    severity: Severity
    title: str
    detail: str = ""
    account_id: int | None = None
    deployment_id: int | None = None
    context: dict[str, Any] = {}


def listing(
    db: Db,
    state: Sequence[str] = (),
    severity: Sequence[str] = (),
    category: str | None = None,
    accounts: list[int] | None = None,
) -> Fetch:
    """Newest first; `accounts` None means every account."""
    where = Where().add("a.severity = ANY({})", [str(one) for one in severity])
    where.add("a.category = {}", category)
    if state:
        where.say("(" + " OR ".join(f"({_STATES[one]})" for one in state) + ")")
    if accounts is not None:
        where.arguments.append(accounts)
        where.parts.append(f"(a.account_id IS NULL OR a.account_id = ANY(${len(where.arguments)}))")
    return lister(db, _LISTING, where)


async def get(db: Db, alert_id: int) -> Row:
    """One alert. Raises NotFound."""
    rows = (await page(db, _LISTING, Where().add("a.id = {}", alert_id), 1)).items
    if not rows:
        raise NotFound(f"There is no alert {alert_id}.", remedy="See GET /api/alerts for all.")
    return rows[0]


async def raise_alert(
    db: asyncpg.Connection, journal: SharedJournal, alert: NewAlert, at: datetime
) -> int:
    """Raise it and journal that, or count one more while it lasts; in the caller's transaction."""
    row = await db.fetchrow(
        """
        INSERT INTO alerts (key, category, severity, title, detail, account_id, deployment_id,
                            metadata, raised_at, last_seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $9)
        ON CONFLICT (key) WHERE resolved_at IS NULL DO UPDATE
          SET occurrences = alerts.occurrences + 1, last_seen_at = excluded.last_seen_at,
              detail = excluded.detail
        RETURNING id, occurrences
        """,
        alert.key,
        alert.category,
        alert.severity.value,
        alert.title,
        alert.detail,
        alert.account_id,
        alert.deployment_id,
        orjson.dumps(alert.context, default=str).decode(),
        at,
    )
    if row["occurrences"] == 1:
        event = AlertRaised(
            alert_id=row["id"],
            category=alert.category,
            severity=alert.severity,
            title=alert.title,
            detail=alert.detail,
            at=at,
        )
        await journal.append_within(db, [Entry(event)])
    return int(row["id"])


async def acknowledge(db: Db, alert_id: int, actor: str, at: datetime) -> bool:
    """Somebody is on it; False when it is not open any more."""
    done = await db.execute(
        "UPDATE alerts SET acknowledged_at = $3, acknowledged_by = $2"
        " WHERE id = $1 AND acknowledged_at IS NULL AND resolved_at IS NULL",
        alert_id,
        actor,
        at,
    )
    return done != "UPDATE 0"


async def resolve(
    db: asyncpg.Connection, journal: SharedJournal, alert_id: int, actor: str, at: datetime
) -> bool:
    """It is over, and the journal says so; False when it was resolved before."""
    done = await db.execute(
        "UPDATE alerts SET resolved_at = $3, resolved_by = $2"
        " WHERE id = $1 AND resolved_at IS NULL",
        alert_id,
        actor,
        at,
    )
    if done == "UPDATE 0":
        return False
    event = AlertResolved(alert_id=alert_id, actor=actor, at=at)
    await journal.append_within(db, [Entry(event)])
    return True


async def clear(db: asyncpg.Connection, journal: SharedJournal, key: str, at: datetime) -> bool:
    """The condition is over by itself; False when no alert of it was open."""
    alert_id = await db.fetchval(
        "SELECT id FROM alerts WHERE key = $1 AND resolved_at IS NULL FOR UPDATE", key
    )
    return alert_id is not None and await resolve(db, journal, alert_id, "system", at)
