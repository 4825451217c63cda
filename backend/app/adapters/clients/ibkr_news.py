"""What a broker tells unasked, in order, and whether it has been taken in."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class News(Generic[T]):
    """A queue with one reader. An item is taken in once the reader asks for the next one."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[T] = asyncio.Queue()
        self._told = self._taken = 0
        self._moved = asyncio.Event()

    def tell(self, item: T) -> None:
        self._told += 1
        self._queue.put_nowait(item)

    async def read(self) -> AsyncGenerator[T]:
        """Item by item, for ever."""
        while True:
            item = await self._queue.get()
            try:
                yield item
            finally:
                self._taken += 1
                self._moved.set()

    async def taken(self, seconds: float) -> None:
        """Return once everything told so far is taken in, or after `seconds`."""
        until = self._told
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._taken < until:
                    self._moved.clear()
                    await self._moved.wait()
