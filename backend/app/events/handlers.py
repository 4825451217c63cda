"""What a handler of committed events is: the types it wants, its keys, its limits, its work."""

from abc import ABC, abstractmethod
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import asyncpg
import orjson

from app.domain.events import Priority

LANES: Final = {priority.name.lower(): priority for priority in Priority}
"""Priorities by the name that the journal stores."""


class CommittedEvent:
    """One row of `trading_events` on its way to a handler. `data` is the payload's JSON text."""

    def __init__(
        self,
        *,
        stream: str,
        seq: int,
        event_type: str,
        priority: str,
        occurred_at: datetime,
        recorded_at: datetime,
        caused_by: int | None,
        correlation_id: str | None,
        actor: str,
        data: str,
    ) -> None:
        self.stream = stream
        self.seq = seq
        self.event_type = event_type
        self.priority = priority
        self.occurred_at = occurred_at
        self.recorded_at = recorded_at
        self.caused_by = caused_by
        self.correlation_id = correlation_id
        self.actor = actor
        self.data = data

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The event's own fields; `type` is one of them."""
        found: dict[str, Any] = orjson.loads(self.data)
        return found

    @property
    def at(self) -> datetime:
        """When it happened, which is not when it was written down."""
        return self.occurred_at

    @property
    def id(self) -> str:
        """E.g. `account:1:120`. Send it with effects outside: they may be repeated."""
        return f"{self.stream}:{self.seq}"

    @property
    def account_id(self) -> int | None:
        """Whose event it is; None for the `system` stream."""
        kind, _, number = self.stream.partition(":")
        return int(number) if kind == "account" else None

    def to_dict(self) -> dict[str, Any]:
        """As the API shows it."""
        fields = {name: value for name, value in vars(self).items() if name not in _HIDDEN}
        return {**fields, "payload": self.payload}

    @classmethod
    def from_row(cls, row: Any) -> "CommittedEvent":  # noqa: ANN401 - a record of the driver
        """From the columns that `repositories.handler_deliveries` reads."""
        return cls(**dict(row))


_HIDDEN: Final = ("data", "payload")


class EventHandler(ABC):
    """Base of every handler of the event bus. A subclass says what it wants and does its work.

    Effects in PostgreSQL happen exactly once: `handle` works in the transaction that also marks
    the event as delivered. Effects outside happen at least once; repeat the event's `id` with them.
    """

    name: str
    "Stable for ever: the cursor in PostgreSQL goes by it."
    types: frozenset[str] | None = None
    "The event types it wants, as in `domain.events.EVENT_NAMES`; None: all of them."
    from_beginning: bool = False
    "Whether a new handler is handed the whole past, too."
    time_limit_seconds: float = 10.0
    "One attempt; what takes longer is cancelled and has failed."
    attempts: int = 6
    "After so many failures the event is a dead letter, and its key goes on without it."
    first_wait_seconds: float = 0.2
    longest_wait_seconds: float = 60.0
    slots: int = 2
    "Keys at work at the same time; each takes a connection."
    batch: int = 1
    """Events of one key in one transaction. More than one only where all effects are in PostgreSQL:
    when one fails all are rolled back and tried again one by one."""

    def key(self, event: CommittedEvent) -> str:
        """Events of one key are handled in their order, one after the other."""
        return event.stream

    @abstractmethod
    async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
        """Do the work, in the transaction of `db`; do not commit. Whatever it raises is a failure.

        Must not hold up the event loop, and lets a cancellation pass.
        """

    def wait_seconds(self, failures: int, chance: float) -> float:
        """Until the next attempt: doubled each time; `chance` (0 to 1) spreads it by a half."""
        wait = self.first_wait_seconds * 2.0 ** min(failures - 1, 60)
        return min(wait, self.longest_wait_seconds) * (0.5 + chance / 2)
