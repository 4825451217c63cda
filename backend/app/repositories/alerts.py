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
    select="""a.id, a.key, a.rule, a.category, a.severity, a.title, a.detail,
       CASE WHEN a.resolved_at IS NOT NULL THEN 'resolved'
            WHEN a.acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'open' END AS state,
       a.occurrences, a.round - 1 AS escalations, a.metadata AS context, a.raised_at,
       a.last_seen_at, a.account_id, a.deployment_id, a.acknowledged_at, a.acknowledged_by,
       a.resolved_at, a.resolved_by""",
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
    rule: str | None = None
    "The rule of `alerting` behind it."


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


async def get(db: Db, alert_id: int, accounts: list[int] | None = None) -> Row:
    """One alert, of these accounts where they are given. Raises NotFound."""
    rows = (await page(db, _LISTING, Where().add("a.id = {}", alert_id), 1)).items
    hidden = accounts is not None and rows and rows[0]["account_id"] not in (None, *accounts)
    if not rows or hidden:
        raise NotFound(f"There is no alert {alert_id}.", remedy="See GET /api/alerts for all.")
    return rows[0]


_RAISE: Final = """
  INSERT INTO alerts (key, category, severity, title, detail, account_id, deployment_id,
                      metadata, rule, raised_at, last_seen_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $10)
  ON CONFLICT (key) WHERE resolved_at IS NULL DO UPDATE
    SET occurrences = alerts.occurrences + $11, last_seen_at = excluded.last_seen_at,
        detail = excluded.detail
  RETURNING id, CASE WHEN xmax <> 0 THEN severity END AS before"""
"""What was there has an xmax, since the conflict locked it; its severity is that of the locked row,
so of two who raise at once the second sees what the first has committed."""
_GROW: Final = """
  UPDATE alerts SET severity = $2, title = $3, round = round + 1, acknowledged_at = NULL,
    acknowledged_by = NULL WHERE id = $1"""
_RANKS: Final = {one.value: rank for rank, one in enumerate(Severity)}


async def raise_alert(
    db: asyncpg.Connection,
    journal: SharedJournal,
    alert: NewAlert,
    at: datetime,
    *,
    counts: bool = True,
) -> int:
    """Raise it and journal that, or count one more while it lasts; in the caller's transaction.

    Where it has grown more severe it is journaled and announced again, and nobody has acknowledged
    that. A condition that merely lasts is told with `counts` False.
    """
    row = await db.fetchrow(_RAISE, *_values(alert), at, int(counts))
    before = row["before"]
    if before is not None and _RANKS[alert.severity.value] > _RANKS[before]:
        await db.execute(_GROW, row["id"], alert.severity.value, alert.title)
    elif before is not None:
        return int(row["id"])
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


def _values(alert: NewAlert) -> tuple[object, ...]:
    return (
        alert.key,
        alert.category,
        alert.severity.value,
        alert.title,
        alert.detail,
        alert.account_id,
        alert.deployment_id,
        orjson.dumps(alert.context, default=str).decode(),
        alert.rule,
    )


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


async def open_of_rules(db: Db, rules: Sequence[str]) -> list[Row]:
    """Unresolved alerts that these rules raised: key, rule, severity, detail, last_seen_at."""
    found = await db.fetch(
        "SELECT key, rule, severity, detail, last_seen_at FROM alerts"
        " WHERE rule = ANY($1) AND resolved_at IS NULL",
        list(rules),
    )
    return [dict(row) for row in found]


async def told_before(db: Db, keys: Sequence[str]) -> set[str]:
    """Which of these keys ever had an alert."""
    found = await db.fetch("SELECT DISTINCT key FROM alerts WHERE key = ANY($1)", list(keys))
    return {row["key"] for row in found}


async def quiet_since(db: Db, rules: Sequence[str], before: datetime) -> list[str]:
    """Keys of open alerts of these rules, not critical, that did not happen again since then."""
    found = await db.fetch(
        "SELECT key FROM alerts WHERE rule = ANY($1) AND resolved_at IS NULL"
        " AND severity <> 'critical' AND last_seen_at < $2",
        list(rules),
        before,
    )
    return [row["key"] for row in found]
