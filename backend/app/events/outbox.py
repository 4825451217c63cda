"""One client's bounded way out: facts in order and never dropped, prices only the newest."""

import asyncio
from collections import deque
from typing import Final

MOST_MESSAGES: Final = 5_000
MOST_CHARACTERS: Final = 8_000_000


class Overflow(Exception):
    """The client reads too slowly: it must come back and resume."""


class Outbox:
    """Filled without waiting, emptied by the one task that writes to the socket.

    Facts beyond the bounds raise Overflow in `take`; a price replaces the one before it.
    """

    def __init__(self, messages: int = MOST_MESSAGES, characters: int = MOST_CHARACTERS) -> None:
        self._facts: deque[str] = deque()
        self._prices: dict[str, str] = {}
        self._size = 0
        self._messages = messages
        self._characters = characters
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self.overflowed = False
        self.coalesced = 0

    def __len__(self) -> int:
        return len(self._facts) + len(self._prices)

    def put(self, text: str) -> None:
        """Add a fact or an answer; marks the overflow instead when there is no room."""
        if self.overflowed:
            return
        if len(self._facts) >= self._messages or self._size + len(text) > self._characters:
            self.overflowed = True
            self._facts.clear()
        else:
            self._facts.append(text)
            self._size += len(text)
        self._filled.set()

    def put_price(self, topic: str, text: str) -> None:
        """Add a price, in place of one of the same topic that was not sent yet."""
        self.coalesced += topic in self._prices
        self._prices[topic] = text
        self._filled.set()

    def drop_price(self, topic: str) -> None:
        """Forget an unsent price after an unsubscribe."""
        self._prices.pop(topic, None)

    async def room(self) -> None:
        """Wait until a replay may go on: at most half of the bounds is taken."""
        while not self.overflowed and (
            len(self._facts) > self._messages // 2 or self._size > self._characters // 2
        ):
            self._drained.clear()
            await self._drained.wait()

    async def take(self) -> list[str]:
        """Everything that waits, facts first; waits for the first. Raises Overflow."""
        while not self._facts and not self._prices and not self.overflowed:
            self._filled.clear()
            await self._filled.wait()
        if self.overflowed:
            self._drained.set()
            raise Overflow
        found = [*self._facts, *self._prices.values()]
        self._facts.clear()
        self._prices.clear()
        self._size = 0
        self._drained.set()
        return found
