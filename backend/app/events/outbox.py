"""One client's bounded way out: facts in order and never dropped, prices only the newest."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from app.events.frames import text_frame

MOST_MESSAGES: Final = 5_000
MOST_CHARACTERS: Final = 8_000_000


class Message:
    """A text to send, shared by who gets it; a fact also knows its place in its stream."""

    __slots__ = ("_frame", "seq", "stream", "text")

    def __init__(self, text: str, stream: str | None = None, seq: int = 0) -> None:
        self.text = text
        self.stream = stream
        self.seq = seq
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """Its bytes on the wire, made at the first use."""
        if self._frame is None:
            self._frame = text_frame(self.text)
        return self._frame


class Outbox:
    """Filled without waiting, emptied by the one task that writes to the socket.

    When facts do not fit, the client reads too slowly: `overflowed` is called once, nothing more is
    taken in, and `unsent` tells from where the client must resume.
    """

    def __init__(
        self,
        overflowed: Callable[[], None] = lambda: None,
        messages: int = MOST_MESSAGES,
        characters: int = MOST_CHARACTERS,
    ) -> None:
        self._facts: deque[Message] = deque()
        self._prices: dict[str, Message] = {}
        self._sending: list[Message] = []
        self._size = 0
        self._overflowed = overflowed
        self._messages = messages
        self._characters = characters
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self.is_full = False
        self.conflated = 0
        "Prices that gave way to a newer one before they were sent."
        self.unsent: dict[str, int] = {}
        "Smallest seq by stream that was not sent; known once it is full."

    def __len__(self) -> int:
        return len(self._facts) + len(self._prices)

    def put(self, text: str, stream: str | None = None, seq: int = 0) -> None:
        """Add a fact or an answer."""
        self.add(Message(text, stream, seq))

    def add(self, message: Message) -> None:
        """Add a message that others get, too."""
        size = len(message.text)
        if self.is_full:
            self._miss(message)
        elif len(self._facts) < self._messages and self._size + size <= self._characters:
            self._facts.append(message)
            self._size += size
            self._filled.set()
        else:
            self.is_full = True
            for missed in (*self._sending, *self._facts, message):
                self._miss(missed)
            self._facts.clear()
            self._drained.set()
            self._overflowed()

    def put_price(self, topic: str, message: Message) -> None:
        """Add a price, in place of one of the same topic that was not sent yet."""
        self.conflated += topic in self._prices
        self._prices[topic] = message
        self._filled.set()

    def drop_price(self, topic: str) -> None:
        """Forget an unsent price after an unsubscribe."""
        self._prices.pop(topic, None)

    async def room(self) -> None:
        """Wait until a replay may go on: at most half of the bounds is taken."""
        while not self.is_full and (
            len(self._facts) > self._messages // 2 or self._size > self._characters // 2
        ):
            self._drained.clear()
            await self._drained.wait()

    async def take(self) -> list[Message]:
        """Everything that waits, facts first; waits for the first. Call again once it is sent."""
        self._sending = []
        while not self._facts and not self._prices:
            self._filled.clear()
            await self._filled.wait()
        self._sending = [*self._facts, *self._prices.values()]
        self._facts.clear()
        self._prices.clear()
        self._size = 0
        self._drained.set()
        return self._sending

    def _miss(self, message: Message) -> None:
        if message.stream is not None:
            known = self.unsent.get(message.stream, message.seq)
            self.unsent[message.stream] = min(known, message.seq)
