"""Hears committed events on the bus: raises the alerts of their rules, clears those that end."""

from typing import Any, Final

import asyncpg
import msgspec

from app.alerting.event_rules import OVERS, TELLS, TYPES, Where
from app.alerting.watch import made
from app.core.clock import Clock
from app.domain.events import EVENT_NAMES
from app.events.handlers import CommittedEvent, EventHandler
from app.repositories import alerts
from app.repositories.journal import SharedJournal


class AlertHandler(EventHandler):
    """Alert and delivery mark are one transaction: an event raises its alert exactly once."""

    name: Final = "alerts"
    types = TYPES

    def __init__(self, journal: SharedJournal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
        """What ends comes first: an order's rejection ends that it was unknown."""
        fact: Any = msgspec.convert(event.payload, EVENT_NAMES[event.event_type])
        where, now = Where(event.stream), self._clock.now()
        over = OVERS.get(event.event_type)
        if over is not None and (key := over(fact, where)) is not None:
            await alerts.clear(db, self._journal, key, now)
        if event.event_type not in TELLS:
            return
        one, tell = TELLS[event.event_type]
        found = tell(fact, where)
        if found is not None:
            await alerts.raise_alert(db, self._journal, made(one.rule, found), now)
