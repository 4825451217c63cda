"""How far a run is: said from wherever the work is done, written down now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import asyncpg

from app.repositories.journal import LOST_CONNECTION

EVERY_SECONDS: Final = 0.5
NOTE_CHARACTERS: Final = 300
Write = Callable[[float, str], Awaitable[None]]


class Progress:
    """Of one run. Saying costs nothing and never fails, in any thread; only the newest counts."""

    def __init__(self) -> None:
        self._said: tuple[float, str] | None = None
        self._written: tuple[float, str] | None = None

    def say(self, share: float, note: str) -> None:
        """`share` of the whole (0 to 1) is done; `note` says in a sentence what it is at."""
        self._said = min(max(share, 0.0), 1.0), note[:NOTE_CHARACTERS]

    def count(self, done: int, total: int, what: str) -> None:
        """So many of so many, for example accounts."""
        self.say(done / total if total else 0.0, f"{done} of {total} {what}.")

    async def keep(self, write: Write) -> None:
        """Write down what is new, again and again; what the database does not take is left out."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
                await self.flush(write)

    async def flush(self, write: Write) -> None:
        """Write down what was said since the last time."""
        said = self._said
        if said is not None and said != self._written:
            await write(*said)
            self._written = said
