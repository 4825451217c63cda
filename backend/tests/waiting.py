"""Waiting for what comes about by itself: servers and databases set no event."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(found: Callable[[], Awaitable[T]], seconds: float = 60.0) -> T:
    """The first answer that is true; fails when none comes in time."""
    async with asyncio.timeout(seconds):
        while not (value := await found()):  # noqa: ASYNC110 - nobody sets an event
            await asyncio.sleep(0.002)
        return value
