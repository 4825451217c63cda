"""Who waits for which command: woken by the notice that its outcome is committed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Outcomes:
    """Events by command id, for as long as somebody waits."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Event] = {}

    @contextmanager
    def expect(self, command_id: int) -> Iterator[asyncio.Event]:
        """An event that is set by the notice; begin before the command is committed."""
        event = self._waiting[command_id] = asyncio.Event()
        try:
            yield event
        finally:
            self._waiting.pop(command_id, None)

    def heard(self, notice: str) -> None:
        """A notice of the channel `command_done`: a command's id."""
        event = self._waiting.get(int(notice)) if notice.isdigit() else None
        if event is not None:
            event.set()

    def catch_up(self) -> None:
        """Notices may have been missed: everybody looks for themselves."""
        for event in self._waiting.values():
            event.set()
