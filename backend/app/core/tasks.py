"""Ending background tasks for certain: a cancellation that a library swallowed is sent again."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

_PATIENCE_SECONDS: Final = 0.25


async def end(tasks: Iterable["asyncio.Future[Any] | None"]) -> None:
    """Cancel all of `tasks` and return when they are done, whatever they ended with.

    Once is not enough: `asyncio.wait_for` before Python 3.12, and client libraries that turn a
    cancellation into a time-out of their own, can lose it, and who waits then waits for ever.
    """
    given = [task for task in tasks if task is not None]
    running = given
    while running:
        for task in running:
            task.cancel()
        _, left = await asyncio.wait(running, timeout=_PATIENCE_SECONDS)
        running = list(left)
    for task in given:
        if not task.cancelled():
            task.exception()  # seen: the loop need not complain that nobody looked
