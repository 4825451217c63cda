"""Conditions that look for intruders: in the audit trail, and in how much is ordered."""

from collections import Counter
from datetime import timedelta
from typing import Final

from app.alerting.conditions import Condition, Look
from app.alerting.event_rules import PERSON, SETTLES
from app.alerting.rules import Finding, Rule, Source
from app.domain.events import Severity
from app.repositories import alert_facts

WINDOW: Final = timedelta(minutes=10)
FAILED: Final = [
    "sign_in_failed",
    "second_factor_failed",
    "step_up_failed",
    "password_change_failed",
]
_MEANINGS: Final = (
    ("refresh_token_reused", "A refresh token was used twice: one of its holders is a thief"),
    ("ended_key_used", "An API key that was ended is used"),
    ("key_from_other_address", "An API key is used from an address that is not on its list"),
)
STOLEN: Final = dict(_MEANINGS)
"""What the audit trail calls it, and what it means."""
_WEEK: Final = timedelta(days=7)
_TRADING_HOURS: Final = 32.5
"Of a week: what the orders of seven days are spread over."


async def _failed_sign_ins(look: Look) -> list[Finding]:
    """By address (one guesses for many) and by person (many guess for one)."""
    acts = await alert_facts.acts(look.db, look.now - WINDOW, FAILED)
    least = look.thresholds.failed_sign_ins
    minutes = int(WINDOW.total_seconds() // 60)
    found = []
    for what, counts in (
        ("from", Counter(act["address"] for act in acts if act["address"])),
        ("for", Counter(act["actor"] for act in acts)),
    ):
        found += [
            Finding(
                key=f"failed_sign_ins:{what}:{who}",
                title=f"Sign-ins {what} {who} fail again and again",
                detail=f"{count} in {minutes} minutes.",
            )
            for who, count in counts.items()
            if count >= least
        ]
    return found


async def _stolen(look: Look) -> list[Finding]:
    acts = await alert_facts.acts(look.db, look.now - WINDOW, list(STOLEN))
    return [
        Finding(
            key=f"{act['action']}:{act['actor']}:{act['address']}:{act['at']:%Y-%m-%d}",
            title=STOLEN[act["action"]],
            detail=f"Of {act['actor']}, from {act['address'] or 'an unknown address'}, at"
            f" {act['at']:%Y-%m-%d %H:%M:%S} UTC. It was refused; find out who has it.",
            context={"audit_seq": act["seq"]},
            is_once=True,
        )
        for act in acts
    ]


async def _new_addresses(look: Look) -> list[Finding]:
    return [
        Finding(
            key=f"new_address:{act['actor']}:{act['address']}",
            title=f"{act['actor']} signed in from a new address",
            detail=f"From {act['address']} at {act['at']:%Y-%m-%d %H:%M:%S} UTC. If it was not"
            " you: end the other sessions and change the password.",
            context={"audit_seq": act["seq"]},
            is_once=True,
        )
        for act in await alert_facts.new_addresses(look.db, look.now - WINDOW)
    ]


async def _order_volume(look: Look) -> list[Finding]:
    hour = look.now - timedelta(hours=1)
    least, factor = look.thresholds.order_volume_least, look.thresholds.order_volume_factor
    found = []
    for row in await alert_facts.many_orders(look.db, hour, least):
        week = await alert_facts.orders_between(look.db, row["id"], look.now - _WEEK, hour)
        usual = week / _TRADING_HOURS
        if row["orders"] > factor * usual:
            found.append(
                Finding(
                    key=f"order_volume:{row['id']}",
                    title=f"Account {row['name']} orders unusually much",
                    detail=f"{row['orders']} orders in an hour; {usual:.1f} are usual.",
                    account_id=row["id"],
                )
            )
    return found


def _rule(name: str, title: str, severity: Severity, clears: str, *thresholds: str) -> Rule:
    return Rule(
        name=name,
        title=title,
        source=Source.SECURITY,
        category="security",
        severity=severity,
        clears=clears,
        thresholds=thresholds,
    )


_OVER: Final = f"By itself, {int(WINDOW.total_seconds() // 60)} minutes after the last."
SECURITY: Final[tuple[Condition, ...]] = (
    Condition(
        rule=_rule("failed_sign_ins", "Sign-ins fail again and again", Severity.ERROR, _OVER,
                   "failed_sign_ins"),
        find=_failed_sign_ins,
    ),
    Condition(
        rule=_rule("revoked_token_used", "Something that was revoked is used", Severity.CRITICAL,
                   PERSON),
        find=_stolen,
    ),
    Condition(
        rule=_rule("new_address", "Somebody signed in from a new address", Severity.WARNING,
                   SETTLES, "settle_hours"),
        find=_new_addresses,
    ),
    Condition(
        rule=_rule("order_volume", "An account orders unusually much", Severity.ERROR,
                   "By itself, once an hour is as usual.", "order_volume_factor",
                   "order_volume_least"),
        find=_order_volume,
        every_seconds=60.0,
    ),
)  # fmt: skip
