"""Says every few seconds that this worker is alive."""

import asyncio
from contextlib import suppress
from typing import Final

from app.repositories import heartbeats
from app.worker.context import WorkerContext

BEAT_SECONDS: Final = 2.0
FORGET_SECONDS: Final = 86_400.0
"Rows of workers that are long gone: each process has a name of its own."


async def run(context: WorkerContext) -> None:
    """Until the stop. Raises what the database raises; the process begins us again."""
    await heartbeats.forget(context.pool, f"{heartbeats.WORKER}:%", FORGET_SECONDS)
    while not context.stopping.is_set():
        await say(context, is_stopped=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_SECONDS):
                await context.stopping.wait()
    await say(context, is_stopped=True)


async def say(context: WorkerContext, *, is_stopped: bool) -> None:
    """Once."""
    name = f"{heartbeats.WORKER}:{context.name}"
    await heartbeats.beat(context.pool, name, {"is_stopped": is_stopped})
