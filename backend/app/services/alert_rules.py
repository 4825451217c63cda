"""Rules of alerts and their thresholds: shown, and changed with history while the system runs."""

import asyncpg
import msgspec

from app.alerting.catalogue import RULES
from app.alerting.thresholds import BOUNDS, EXPLANATIONS, PREFIX, checked, default
from app.core.clock import Clock
from app.domain.events import ConfigChanged
from app.domain.ports import Entry
from app.domain.scopes import ALL
from app.domain.users import Caller
from app.repositories import audit, config
from app.repositories.audit import setting_changed
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row


class AlertRules:
    """The use cases of rules: they are code, their numbers are not."""

    def __init__(
        self, pool: asyncpg.Pool, journal: SharedJournal, audit_key: bytes, clock: Clock
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._audit_key = audit_key
        self._clock = clock

    def rules(self) -> list[Row]:
        """Each once."""
        return [{**msgspec.structs.asdict(rule)} for rule in RULES]

    async def thresholds(self) -> list[Row]:
        """Every number with its default and bounds."""
        stored = await config.values(self._pool)
        return [_entry(name, stored.get(PREFIX + name)) for name in EXPLANATIONS]

    async def change(self, caller: Caller, key: str, value: object, reason: str | None) -> Row:
        """Store a threshold; the next look uses it. Raises NotFound or InvalidInput."""
        name, now = key.removeprefix(PREFIX), self._clock.now()
        plain = checked(name, value)
        stored = PREFIX + name
        async with self._pool.acquire() as db, db.transaction():
            before = await config.change(db, ALL, stored, plain, caller.actor, reason or "")
            if before != plain:
                event = ConfigChanged(
                    key=stored, before=before, after=plain, actor=caller.actor, at=now
                )
                await self._journal.append_within(db, [Entry(event)])
                await audit.append(
                    db, self._audit_key, setting_changed(caller, stored, before, plain, reason), now
                )
        return _entry(name, (await config.values(self._pool)).get(stored))


def _entry(name: str, stored: Row | None) -> Row:
    least, most = BOUNDS[name]
    return {
        "key": PREFIX + name,
        "value": stored["value"] if stored else default(name),
        "default": default(name),
        "description": EXPLANATIONS[name],
        "minimum": least,
        "maximum": most,
        "is_whole": isinstance(default(name), int),
        "updated_at": stored["updated_at"] if stored else None,
        "updated_by": stored["updated_by"] if stored else None,
    }
