"""Conditions that are looked at again and again: what is unwell, slow, stuck or missing now."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import psutil

from app.alerting.event_rules import RULES as EVENT_RULES
from app.alerting.rules import Finding, Rule, Source
from app.alerting.thresholds import Thresholds
from app.domain.deployments import LIVE_DATASET
from app.domain.events import Severity
from app.repositories import alert_facts, broker_states, errors
from app.repositories.paging import Db

ITSELF: Final = "By itself, once it is so no more."
_COMMANDS_LEAST: Final = 5
"A percentile of fewer says nothing."
_FRESH_SECONDS: Final = 30.0
"A broker's state that is older was written by a process that is gone; the API's probe says that."


AskOpen = Callable[[str, datetime], Awaitable[datetime | None]]
"""When the session of an exchange that is open at an instant began; None between sessions."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a condition may look at."""

    db: Db
    now: datetime
    thresholds: Thresholds
    health: Mapping[str, str] | None
    "The status of each component as the API says it; None: it does not answer."
    opened: AskOpen


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with the look that finds what breaks it now."""

    rule: Rule
    find: Callable[[Look], Awaitable[list[Finding]]]
    every_seconds: float = 0.0
    "Looks that cost more are taken less often."


# ------------------------------------------------------------------------------------- probes

_GRAVE: Final = frozenset({"database", "brokers", "market_data", "disk", "worker"})
"Components without which nobody should trade: unhealthy is critical."
_TOLD_BY_OTHERS: Final = frozenset({"backups"})
"Components with a rule of their own that knows more."


async def _unwell(look: Look) -> list[Finding]:
    if look.health is None:
        return [
            Finding(
                key="component:api",
                title="The API does not answer",
                detail="Neither the pages nor programs can be reached, nor who would ask health.",
                severity=Severity.CRITICAL,
            )
        ]
    return [
        Finding(
            key=f"component:{name}",
            title=f"{name} is {status}",
            detail=f"Health says that {name} is {status}; `tradewright status` says why.",
            severity=_severity(name, status),
        )
        for name, status in look.health.items()
        if status != "healthy" and name not in _TOLD_BY_OTHERS
    ]


def _severity(name: str, status: str) -> Severity:
    if status == "degraded":
        return Severity.WARNING
    return Severity.CRITICAL if name in _GRAVE else Severity.ERROR


# ------------------------------------------------------------------------------------ metrics


async def _memory(look: Look) -> list[Finding]:
    used = psutil.virtual_memory().percent
    if used < look.thresholds.memory_percent:
        return []
    detail = f"{used:g} % of the machine's memory are in use."
    return [Finding(key="memory", title="Memory runs out", detail=detail)]


async def _slow_commands(look: Look) -> list[Finding]:
    count, took = await alert_facts.command_times(look.db, look.now - timedelta(minutes=10))
    if count < _COMMANDS_LEAST or took <= look.thresholds.command_ms:
        return []
    detail = f"95 of 100 of {count} commands in ten minutes took up to {took:.0f} ms."
    return [Finding(key="commands_slow", title="Engines answer slowly", detail=detail)]


async def _errors(look: Look) -> list[Finding]:
    count = await errors.count_since(look.db, look.now - timedelta(minutes=5))
    if count < look.thresholds.errors_per_5_minutes:
        return []
    detail = f"{count:.0f} errors were logged in five minutes; GET /api/errors groups them."
    return [Finding(key="error_rate", title="Many errors are logged", detail=detail)]


async def _unknown_orders(look: Look) -> list[Finding]:
    return [
        Finding(
            key=f"order_unknown:account:{row['account_id']}:{row['client_order_id']}",
            title="Nobody knows what became of an order",
            detail=f"Order {row['client_order_id']} has been unknown since"
            f" {row['at']:%Y-%m-%d %H:%M:%S} UTC. It counts against every limit.",
            account_id=row["account_id"],
            severity=Severity.CRITICAL if _is_old(look, row["at"]) else None,
        )
        for row in await alert_facts.unknown_orders(look.db)
    ]


def _is_old(look: Look, at: datetime) -> bool:
    return look.now - at > timedelta(seconds=look.thresholds.unknown_order_seconds)


# ----------------------------------------------------------------- expected activity is missing


async def _no_bar(look: Look) -> list[Finding]:
    silence = timedelta(seconds=look.thresholds.bar_silence_seconds)
    found = []
    for row in await alert_facts.silence(look.db):
        heard = max(filter(None, (row["last_at"], row["running_since"])))
        if row["dataset"] == LIVE_DATASET:
            opened = await look.opened(row["exchange"], look.now)
            if opened is None:
                continue
            heard = max(heard, opened)
        if look.now - heard > silence:
            found.append(_silent(row, look.now - heard))
    return found


def _silent(row: Mapping[str, Any], since: timedelta) -> Finding:
    return Finding(
        key=f"no_bar:{row['id']}",
        title=f"Account {row['name']} gets no bars in an open session",
        detail=f"For {since.total_seconds():.0f} s; its strategies decide nothing meanwhile,"
        " and stops that we hold are not watched.",
        account_id=row["id"],
    )


async def _no_backup(look: Look) -> list[Finding]:
    facts = await alert_facts.backups(look.db)
    limit = timedelta(hours=look.thresholds.backup_hours)
    if facts["status"] == "failed":
        detail = f"That of {facts['started_at']:%Y-%m-%d %H:%M} UTC: {facts['error'] or 'no word'}"
        return [Finding(key="backup", title="The last backup failed", detail=detail)]
    since = facts["finished_at"] or facts["born_at"]
    if since is None or look.now - since <= limit:
        return []
    last = f"The last one finished at {since:%Y-%m-%d %H:%M} UTC."
    detail = last if facts["finished_at"] else "There has never been one."
    return [Finding(key="backup", title="There is no recent backup", detail=detail)]


async def _no_reconciliation(look: Look) -> list[Finding]:
    limit = timedelta(minutes=look.thresholds.reconciliation_minutes)
    return [
        Finding(
            key=f"no_reconciliation:{row['account_id']}",
            title=f"Account {row['account']} is not compared with {row['broker']}",
            detail="Its books were last held against the broker's "
            + (f"at {row['looked_at']:%Y-%m-%d %H:%M} UTC." if row["looked_at"] else "never."),
            account_id=row["account_id"],
        )
        for row in await broker_states.listed(look.db)
        if row["age_seconds"] <= _FRESH_SECONDS
        and row["state"] == "up"
        and look.now - max(row["since"], row["looked_at"] or row["since"]) > limit
    ]


def _order_unknown() -> Rule:
    return next(one.rule for one in EVENT_RULES if one.rule.name == "order_unknown")


def _watched(
    name: str, title: str, source: Source, category: str, severity: Severity, *thresholds: str,
    patience: str | None = None,
) -> Rule:  # fmt: skip
    return Rule(
        name=name,
        title=title,
        source=source,
        category=category,
        severity=severity,
        clears=ITSELF,
        thresholds=thresholds,
        patience=patience,
    )


CONDITIONS: Final[tuple[Condition, ...]] = (
    Condition(
        rule=_watched("component_unwell", "A component is unwell, or the API does not answer",
                      Source.PROBE, "system", Severity.ERROR, "unwell_seconds",
                      patience="unwell_seconds"),
        find=_unwell,
    ),
    Condition(
        rule=_watched("memory", "The machine's memory runs out", Source.METRIC, "system",
                      Severity.ERROR, "memory_percent", patience="unwell_seconds"),
        find=_memory,
    ),
    Condition(
        rule=_watched("commands_slow", "Engines answer slowly", Source.METRIC, "performance",
                      Severity.WARNING, "command_ms"),
        find=_slow_commands,
        every_seconds=60.0,
    ),
    Condition(
        rule=_watched("error_rate", "Many errors are logged", Source.METRIC, "performance",
                      Severity.ERROR, "errors_per_5_minutes"),
        find=_errors,
    ),
    Condition(rule=_order_unknown(), find=_unknown_orders),
    Condition(
        rule=_watched("no_bar", "No bar comes in an open session", Source.EXPECTED, "trading",
                      Severity.CRITICAL, "bar_silence_seconds"),
        find=_no_bar,
    ),
    Condition(
        rule=_watched("no_backup", "A backup failed, or is missing", Source.EXPECTED, "system",
                      Severity.CRITICAL, "backup_hours"),
        find=_no_backup,
        every_seconds=60.0,
    ),
    Condition(
        rule=_watched("no_reconciliation", "A broker's account is not compared with ours",
                      Source.EXPECTED, "trading", Severity.ERROR, "reconciliation_minutes"),
        find=_no_reconciliation,
    ),
)  # fmt: skip
