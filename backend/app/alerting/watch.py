"""Looks at every condition again and again: raises what is found, clears what is over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import asyncpg

from app.alerting.catalogue import CONDITIONS, SETTLING
from app.alerting.conditions import AskOpen, Condition, Look
from app.alerting.rules import Finding, Rule
from app.alerting.thresholds import Thresholds, loaded
from app.core.clock import Clock
from app.core.errors import TradewrightError
from app.core.logging import get_logger
from app.domain.events import Severity
from app.repositories import alerts, config
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row

AskHealth = Callable[[], Awaitable[Mapping[str, str] | None]]
"""The status of each component; None when nobody answers."""
STILL: Final = timedelta(seconds=60)
"What lasts is written down again no more often, unless it says something else."
log = get_logger("alerts")


class Watch:
    """One at a time: two that see health from two places would raise and clear in turn.

    What it remembers (since when something lasts) is for one who has watched without a break: who
    takes over makes another. An alert has one open row, whoever finds it, so the moment in which
    two may look does no harm.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        journal: SharedJournal,
        ask_health: AskHealth,
        ask_open: AskOpen,
        clock: Clock,
        conditions: Sequence[Condition] = CONDITIONS,
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._ask_health = ask_health
        self._ask_open = ask_open
        self._clock = clock
        self._conditions = conditions
        self._first_seen: dict[str, float] = {}
        self._looked: dict[str, float] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Until the stop."""
        while not stopping.is_set():
            thresholds = await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(thresholds.look_seconds):
                    await stopping.wait()

    async def look(self) -> Thresholds:
        """Once at all that is due; the thresholds that held."""
        stored = await config.values(self._pool)
        thresholds = loaded({key: row["value"] for key, row in stored.items()})
        look = Look(
            db=self._pool,
            now=self._clock.now(),
            thresholds=thresholds,
            health=await self._ask_health(),
            opened=self._ask_open,
        )
        due = [condition for condition in self._conditions if self._is_due(condition)]
        known = await self._known([condition.rule for condition in due])
        for condition in due:
            await self._at(condition, look, known[condition.rule.name])
        await self._settle(look)
        return thresholds

    def _is_due(self, condition: Condition) -> bool:
        name, now = condition.rule.name, self._clock.monotonic()
        is_due = name not in self._looked or now - self._looked[name] >= condition.every_seconds
        if is_due:
            self._looked[name] = now
        return is_due

    async def _at(self, condition: Condition, look: Look, known: Mapping[str, Row]) -> None:
        """A look that fails says nothing: what was open stays open."""
        try:
            found = await condition.find(look)
        except (asyncpg.PostgresError, OSError, TimeoutError, TradewrightError) as error:
            log.warning("condition_not_seen", rule=condition.rule.name, error=repr(error))
            return
        lasting = self._lasting(condition.rule, found, look.thresholds)
        await self._raise(condition.rule, lasting, known, look)
        if condition.rule.name not in _ONCE:
            for key in known.keys() - {one.key for one in found}:
                await self._clear(key)

    def _lasting(
        self, rule: Rule, found: Sequence[Finding], thresholds: Thresholds
    ) -> list[Finding]:
        """Those that have lasted for the rule's patience."""
        now, prefix = self._clock.monotonic(), f"{rule.name}/"
        keys = {prefix + one.key for one in found}
        gone = [key for key in self._first_seen if key.startswith(prefix) and key not in keys]
        for key in gone:
            del self._first_seen[key]
        patience = getattr(thresholds, rule.patience) if rule.patience in _OURS else 0.0
        return [
            one
            for one in found
            if now - self._first_seen.setdefault(prefix + one.key, now) >= patience
        ]

    async def _known(self, rules: Sequence[Rule]) -> dict[str, dict[str, Row]]:
        """Open alerts by rule and key: one question, whatever the number of rules."""
        known: dict[str, dict[str, Row]] = {rule.name: {} for rule in rules}
        for row in await alerts.open_of_rules(self._pool, list(known)):
            known[row["rule"]][row["key"]] = row
        return known

    async def _raise(
        self, rule: Rule, found: Sequence[Finding], known: Mapping[str, Row], look: Look
    ) -> None:
        once = [one.key for one in found if one.is_once]
        told = await alerts.told_before(self._pool, once) if once else set()
        for one in found:
            if one.key in told or not _is_news(rule, one, known.get(one.key), look):
                continue
            async with self._pool.acquire() as db, db.transaction():
                alert = made(rule, one)
                counts = one.key not in known
                await alerts.raise_alert(db, self._journal, alert, look.now, counts=counts)

    async def _clear(self, key: str) -> None:
        async with self._pool.acquire() as db, db.transaction():
            await alerts.clear(db, self._journal, key, self._clock.now())

    async def _settle(self, look: Look) -> None:
        """Single events that did not happen again."""
        before = look.now - timedelta(hours=look.thresholds.settle_hours)
        for key in await alerts.quiet_since(self._pool, SETTLING, before):
            await self._clear(key)


_OURS: Final = frozenset({"unwell_seconds"})
"Patience before an alert is raised; of other thresholds the dispatcher is patient."
_ONCE: Final = frozenset({"revoked_token_used", "new_address"})
"Their findings are about the past: they pass from the window, and are not over by that."


def made(rule: Rule, found: Finding) -> NewAlert:
    """The alert about what a rule found."""
    return NewAlert(
        key=found.key,
        rule=rule.name,
        category=rule.category,
        severity=found.severity or rule.severity,
        title=found.title,
        detail=found.detail,
        account_id=found.account_id,
        deployment_id=found.deployment_id,
        context=found.context,
    )


def _is_news(rule: Rule, found: Finding, known: Row | None, look: Look) -> bool:
    if known is None or look.now - known["last_seen_at"] >= STILL:
        return True
    severity = found.severity or rule.severity
    return known["detail"] != found.detail or _is_worse(severity, Severity(known["severity"]))


def _is_worse(one: Severity, other: Severity) -> bool:
    order = list(Severity)
    return order.index(one) > order.index(other)
