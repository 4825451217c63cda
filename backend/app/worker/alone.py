"""What only one worker may do at a time: the others wait, and take over when it is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import asyncpg

from app.core.logging import get_logger
from app.core.tasks import end
from app.repositories import locks
from app.worker.context import WorkerContext

TRY_SECONDS: Final = 2.0
"How soon a worker that is gone is replaced."
Work = Callable[[], Awaitable[None]]
log = get_logger("jobs")


async def alone(context: WorkerContext, name: str, work: Work) -> None:
    """Until the stop. `work` is begun when the lock is ours, and ended when it may be another's.

    Raises what the database and `work` raise; the process begins us again. The lock is that of a
    connection of its own, so that PostgreSQL gives it on the moment we die.
    """
    while not context.stopping.is_set():
        connection = await context.connect()
        try:
            if await _has(context, connection, name):
                log.info("part_begins", part=name, worker=context.name)
                await _work(context, connection, name, work)
        finally:
            connection.terminate()


async def _has(context: WorkerContext, connection: asyncpg.Connection, name: str) -> bool:
    """Wait until the lock is ours; False when we are asked to stop before that."""
    while not context.stopping.is_set():
        if await locks.take(connection, name):
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(TRY_SECONDS):
                await context.stopping.wait()
    return False


async def _work(
    context: WorkerContext, connection: asyncpg.Connection, name: str, work: Work
) -> None:
    working = asyncio.ensure_future(work())
    lost = asyncio.create_task(locks.until_lost(connection), name=f"{name} lock")
    try:
        await asyncio.wait([working, lost], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        elif not context.stopping.is_set():
            log.warning("part_lost_its_lock", part=name, worker=context.name)
    finally:
        await end([working, lost])
