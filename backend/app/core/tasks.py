"""Ending background tasks for certain: a cancellation that a library swallowed is sent again."""

import asyncio
import signal
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")

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


def run(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, but Ctrl-C ends `work` for certain, and then raises KeyboardInterrupt.

    `asyncio.run` sends one cancellation; a command that follows something for ever would live on
    when the database's client loses it.
    """
    return asyncio.run(_until_interrupted(work))


async def _until_interrupted(work: Coroutine[Any, Any, T]) -> T:
    interrupted = asyncio.Event()
    with suppress(ValueError, RuntimeError):  # not in the main thread: nobody can press Ctrl-C
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    task = asyncio.create_task(work)
    waiting = asyncio.create_task(interrupted.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise KeyboardInterrupt
    finally:
        await end([task, waiting])
