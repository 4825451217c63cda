"""Takes alerts to channels: plans deliveries, sends them, retries, escalates; never twice by plan.

Everything that is decided is in PostgreSQL before it is done, so any number of dispatchers may run
and each may die. Channels are served side by side, each in its own order: one that is slow holds up
nobody else. A delivery that was sent by one that died before it could write that down is sent
again: the alert's number is in every message.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import asyncpg

from app.alerting import messages
from app.alerting.channels import DIGEST, Channel, chosen
from app.alerting.event_rules import TELLS
from app.alerting.rules import Rule, Source
from app.alerting.thresholds import Thresholds, loaded
from app.core.clock import Clock
from app.core.errors import ConfigurationError
from app.core.logging import get_logger
from app.core.tasks import end
from app.core.vault import Vault
from app.domain.events import Severity
from app.domain.notifications import Message, NotDelivered, Notifier
from app.repositories import alert_deliveries, alerts, config, notification_channels
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row

POLL_SECONDS: Final = 1.0
LEASE: Final = timedelta(seconds=90)
"Longer than one attempt: nobody else takes a delivery that is being sent."
AT_ONCE: Final = 4
"Each sending is a short-lived process of its own. The last is kept from channels that fail."
LOOK_SECONDS: Final = 15.0
"How often escalation is looked at where nothing else happens."
STOP_SECONDS: Final = 2.5
"How long a stop waits for what is being sent."
_PLANS: Final = 100
_LONGEST_WAIT_SECONDS: Final = 600.0
_JITTER: Final = 0.25
_PATIENCE: Final = {one.rule.name: one.rule.patience for one, _ in TELLS.values()}
"Rules on events raise at once, so it is their announcement that waits."
log = get_logger("alerts")

FAILED: Final = Rule(
    name="notification_failed",
    title="A notification was given up",
    source=Source.METRIC,
    category="system",
    severity=Severity.ERROR,
    clears="When the channel takes a notification again.",
    thresholds=("retry_seconds", "retries"),
)


def about(name: str) -> str:
    """What a channel's sealed address is bound to."""
    return f"notification_channel:{name}"


class Dispatcher:
    """One of those that take alerts to channels. `url` is where people look at them."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        journal: SharedJournal,
        vault: Vault,
        notifier: Notifier,
        clock: Clock,
        url: str,
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._vault = vault
        self._notifier = notifier
        self._clock = clock
        self._url = url
        self._sending: set[asyncio.Task[None]] = set()
        self._broken: list[BaseException] = []
        self._wake = asyncio.Event()
        self._looked: float | None = None
        # How long to wait is no secret.
        self._random = random.Random()  # nosec B311

    async def run(self, stopping: asyncio.Event) -> None:
        """Until the stop. Raises what the database raises."""
        stop = asyncio.create_task(stopping.wait())
        stop.add_done_callback(lambda _: self._wake.set())
        try:
            while not stopping.is_set():
                self._wake.clear()
                if not (await self._is_due() and await self.begin()):
                    await self._pause()
        finally:
            if self._sending:
                await asyncio.wait(self._sending, timeout=STOP_SECONDS)
            await end([stop, *self._sending])

    async def round(self) -> int:
        """`begin`, and wait for all that is being sent; how many deliveries were tried."""
        begun = await self.begin()
        await asyncio.gather(*self._sending)
        return begun

    async def _is_due(self) -> bool:
        """Mostly there is nothing to do, and one small statement a second says so.

        Raises what the database raised to a sending.
        """
        if self._broken:
            raise self._broken.pop()
        now = self._clock.monotonic()
        is_time = self._looked is None or now - self._looked >= LOOK_SECONDS
        return is_time or await alert_deliveries.is_any(self._pool, self._clock.now())

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()

    async def begin(self) -> int:
        """Plan what is new, escalate, begin to send what is due; how many sendings were begun."""
        self._looked = self._clock.monotonic()
        thresholds = loaded(_by_key(await config.values(self._pool)))
        channels = [Channel.of(row) for row in await notification_channels.sealed(self._pool)]
        before = self._clock.now() - timedelta(minutes=thresholds.escalate_minutes)
        raised = await alert_deliveries.escalate(self._pool, before, thresholds.escalations)
        if raised:
            log.warning("alerts_escalated", alerts=raised)
        await self.plan(channels, thresholds)
        by_name = {one.name: one for one in channels}
        due = await self._claimed()
        for row in due:
            task = asyncio.create_task(self._try(row, by_name, thresholds))
            self._sending.add(task)
            task.add_done_callback(self._ended)
        return len(due)

    async def _claimed(self) -> list[Row]:
        """One delivery a channel; the last place is for those that do not fail."""
        now, free = self._clock.now(), AT_ONCE - len(self._sending)
        if free <= 0:
            return []
        most = max(free - 1, 1)
        found = await alert_deliveries.claim(self._pool, now, now + LEASE, most, failing=free > 1)
        if free > 1 and len(found) == most:
            found += await alert_deliveries.claim(self._pool, now, now + LEASE, 1, failing=False)
        return found

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken.append(error)
        self._wake.set()

    # ------------------------------------------------------------------------------ planning

    async def plan(self, channels: Sequence[Channel], thresholds: Thresholds) -> None:
        """Make the deliveries of every round, and of every end, that has none yet."""
        async with self._pool.acquire() as db, db.transaction():
            for alert in await alert_deliveries.unannounced(db, _PLANS):
                if alert["resolved_at"] is not None and not alert["is_end_announced"]:
                    await self._plan_end(db, alert, channels)
                elif not self._may_blow_over(alert, thresholds):
                    await self._plan_round(db, alert, channels)

    def _may_blow_over(self, alert: Row, thresholds: Thresholds) -> bool:
        """A lost connection is often back before anybody could have looked."""
        name = _PATIENCE.get(alert["rule"])
        if name is None:
            return False
        patience = timedelta(seconds=getattr(thresholds, name))
        return bool(self._clock.now() < alert["raised_at"] + patience)

    async def _plan_round(
        self, db: asyncpg.Connection, alert: Row, channels: Sequence[Channel]
    ) -> None:
        names = [one.name for one in chosen(channels, alert, alert["round"] - 1)]
        now = self._clock.now()
        await alert_deliveries.add(db, alert["id"], names, "raised", alert["round"], now)
        await alert_deliveries.mark_announced(db, alert["id"], alert["round"], now)

    async def _plan_end(
        self, db: asyncpg.Connection, alert: Row, channels: Sequence[Channel]
    ) -> None:
        """Who heard of it hears that it is over; what was over before anybody heard is not told.

        Except what is critical: a person should know that it was so for a moment.
        """
        if alert["announced"] == 0 and alert["severity"] == Severity.CRITICAL:
            await self._plan_round(db, alert, channels)
        heard = await alert_deliveries.told(db, alert["id"])
        names = [one.name for one in channels if one.tells_resolved and one.name in heard]
        now = self._clock.now()
        await alert_deliveries.add(db, alert["id"], names, "resolved", alert["round"], now)
        await alert_deliveries.mark_end_announced(db, alert["id"])

    # ------------------------------------------------------------------------------- sending

    async def _try(
        self, delivery: Row, channels: Mapping[str, Channel], thresholds: Thresholds
    ) -> None:
        """One attempt, and what came of it."""
        alert = await alert_deliveries.alert(self._pool, delivery["alert_id"])
        channel = channels.get(delivery["channel"])
        if channel is None or not channel.is_enabled:
            why = "The channel was removed." if channel is None else "The channel is switched off."
            await alert_deliveries.give_up(self._pool, delivery["id"], "skipped", why)
            return
        severity = alert["severity"] if delivery["kind"] == "raised" else Severity.INFO.value
        if until := channel.quiet_until(self._clock.now(), severity):
            await alert_deliveries.postpone(self._pool, delivery["id"], until)
        elif _is_over(delivery, alert):
            why = "It was over before it could be told."
            await alert_deliveries.give_up(self._pool, delivery["id"], "skipped", why)
        else:
            await self._send(delivery, alert, channel, thresholds)

    async def _send(
        self, delivery: Row, alert: Row, channel: Channel, thresholds: Thresholds
    ) -> None:
        try:
            sealed = self._vault.open(channel.key_id, channel.ciphertext, about(channel.name))
            await self._notifier.send(sealed.decode(), self._message(delivery, alert))
        except ConfigurationError as error:
            await self._failed(delivery, alert, str(error), thresholds, is_final=True)
        except NotDelivered as error:
            is_final = delivery["attempts"] >= thresholds.retries
            await self._failed(delivery, alert, str(error), thresholds, is_final=is_final)
        else:
            await self._delivered(delivery, channel)

    def _message(self, delivery: Row, alert: Row) -> Message:
        if alert["rule"] == DIGEST:
            return messages.digest(alert)
        if delivery["kind"] == "resolved":
            return messages.resolved(alert)
        return messages.raised(alert, delivery["round"], self._url)

    async def _delivered(self, delivery: Row, channel: Channel) -> None:
        now = self._clock.now()
        log.info("alert_delivered", alert=delivery["alert_id"], channel=channel.name)
        async with self._pool.acquire() as db, db.transaction():
            await alert_deliveries.delivered(db, delivery["id"], now)
            await alerts.clear(db, self._journal, _failed_key(channel.name), now)

    async def _failed(
        self, delivery: Row, alert: Row, error: str, thresholds: Thresholds, *, is_final: bool
    ) -> None:
        """Later again; once it is given up the other channels are told of that."""
        name, now = delivery["channel"], self._clock.now()
        log.warning(
            "alert_not_delivered", alert=alert["id"], channel=name, error=error, final=is_final
        )
        if not is_final:
            again = now + self._wait(delivery["attempts"], thresholds)
            await alert_deliveries.failed(self._pool, delivery["id"], error, again)
            return
        told = NewAlert(
            key=_failed_key(name),
            rule=FAILED.name,
            category=FAILED.category,
            severity=FAILED.severity,
            title=f"The notification channel {name} does not work",
            detail=f"Alert {alert['id']} was given up: {error}",
            context={"not_by": name},
        )
        async with self._pool.acquire() as db, db.transaction():
            await alert_deliveries.give_up(db, delivery["id"], "dead", error)
            await alerts.raise_alert(db, self._journal, told, now)

    def _wait(self, attempts: int, thresholds: Thresholds) -> timedelta:
        wait = min(thresholds.retry_seconds * 2.0 ** (attempts - 1), _LONGEST_WAIT_SECONDS)
        return timedelta(seconds=wait * self._random.uniform(1 - _JITTER, 1 + _JITTER))


def _is_over(delivery: Row, alert: Row) -> bool:
    """Quiet hours outlasted it: nobody need hear of it any more."""
    return bool(
        delivery["kind"] == "raised"
        and delivery["attempts"] == 1
        and alert["resolved_at"] is not None
        and alert["severity"] != Severity.CRITICAL
        and alert["rule"] != DIGEST
    )


def _failed_key(channel: str) -> str:
    return f"notification_failed:{channel}"


def _by_key(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {key: row["value"] for key, row in values.items()}
