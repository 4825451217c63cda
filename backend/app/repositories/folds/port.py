"""What the writer of a stream asks of the state tables that follow it; and a stream without any."""

from collections.abc import Sequence
from typing import Protocol

import asyncpg

from app.domain.events import Event
from app.repositories.chain import Record

Notice = tuple[str, str]
"Channel and payload of a NOTIFY."


class Folds(Protocol):
    """State tables as a fold of the stream, written by the statement that appends the events."""

    def may_wait(self, events: Sequence[Event]) -> bool:
        """Whether these are an intent alone: the tables may follow with the next event."""
        ...

    async def load(self, connection: asyncpg.Connection, events: Sequence[Event]) -> None:
        """Fetch the rows that `events` will change and that are not remembered yet."""
        ...

    def origin(self, event: Event) -> tuple[int, str] | None:
        """(seq, correlation id) of the stored event that `event` answers, e.g. a fill's order."""
        ...

    def fold(self, record: Record, event: Event) -> None:
        """Let one more event change the rows."""
        ...

    def take(self) -> tuple[str, Sequence[str], list[Notice]]:
        """CTEs that write the rows changed since the last call from parameters of their own, those
        parameters as JSON, and whom to notify."""
        ...


class NoFolds:
    """A stream without state tables, such as `system`."""

    def may_wait(self, events: Sequence[Event]) -> bool:
        return False

    async def load(self, connection: asyncpg.Connection, events: Sequence[Event]) -> None:
        return

    def origin(self, event: Event) -> tuple[int, str] | None:
        return None

    def fold(self, record: Record, event: Event) -> None:
        return

    def take(self) -> tuple[str, Sequence[str], list[Notice]]:
        return "", (), []
