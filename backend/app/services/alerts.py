"""People answer alerts: acknowledge, resolve; both are audited."""

import asyncpg

from app.core.clock import Clock
from app.domain.users import Caller
from app.repositories import alerts, audit
from app.repositories.audit import Act
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row


class Alerts:
    """The use cases of one alert."""

    def __init__(
        self, pool: asyncpg.Pool, journal: SharedJournal, audit_key: bytes, clock: Clock
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._audit_key = audit_key
        self._clock = clock

    async def acknowledge(self, caller: Caller, alert_id: int, note: str | None) -> Row:
        """Somebody is on it. Doing it twice changes nothing. Raises NotFound."""
        at = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            await alerts.get(db, alert_id, caller.visible)
            if await alerts.acknowledge(db, alert_id, caller.actor, at):
                await audit.append(
                    db, self._audit_key, _act(caller, alert_id, "acknowledged", note), at
                )
            return await alerts.get(db, alert_id)

    async def resolve(self, caller: Caller, alert_id: int, note: str | None) -> Row:
        """It is over. Doing it twice changes nothing. Raises NotFound."""
        at = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            await alerts.get(db, alert_id, caller.visible)
            if await alerts.resolve(db, self._journal, alert_id, caller.actor, at):
                await audit.append(
                    db, self._audit_key, _act(caller, alert_id, "resolved", note), at
                )
            return await alerts.get(db, alert_id)


def _act(caller: Caller, alert_id: int, action: str, note: str | None) -> Act:
    return Act(
        actor=caller.actor,
        user_id=caller.user_id,
        action=action,
        resource="alert",
        resource_id=str(alert_id),
        reason=note,
    )
