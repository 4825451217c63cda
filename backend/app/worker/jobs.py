"""The worker's part that runs jobs: the schedules, the queue, and a stop that loses nothing."""

import asyncio
from datetime import timedelta
from typing import Final

import asyncpg
from pgqueuer.core.qm import QueueManager

from app.core.tasks import end
from app.core.worker import WorkerOptions
from app.db.pool import opened_pool
from app.jobs import queue
from app.jobs.registry import jobs
from app.jobs.runner import Runner, Surroundings
from app.jobs.scheduler import Scheduler
from app.worker.context import WorkerContext

GRACE_SECONDS: Final = 2.0
"How long a stop waits for runs to end by themselves, of what the worker may take."
POLL_SECONDS: Final = 5.0
"How soon a run is found whose notice was lost, and a silent worker's."
POOL_MAX: Final = 6


async def run(context: WorkerContext) -> None:
    """Until the stop. Raises what the database raises; the process begins us again."""
    # A statement of a job may take long: its run has a limit. So it is not that of the parts.
    async with opened_pool(context.url, min_size=0, max_size=POOL_MAX, idle_seconds=30) as pool:
        await _run(context, pool)


async def _run(context: WorkerContext, pool: asyncpg.Pool) -> None:
    options = WorkerOptions()
    connection = await context.connect()
    manager, runner = queue.manager(connection), Runner(surroundings(context, pool))
    for name in jobs():
        manager.entrypoint(name, accepts_context=False)(runner.handle)
    scheduler = Scheduler(context.pool, jobs(), context.clock)
    scheduling = asyncio.create_task(scheduler.run(), name="schedules")
    working = asyncio.create_task(_work(manager, options), name="queue")
    stopping = asyncio.create_task(context.stopping.wait())
    try:
        await asyncio.wait([scheduling, working, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (scheduling, working):
            if task.done():
                task.result()
        await _wind_down(manager, runner, working)
    finally:
        runner.cut()
        await end([scheduling, working, stopping])
        connection.terminate()


def surroundings(context: WorkerContext, pool: asyncpg.Pool) -> Surroundings:
    """Of the worker's, what jobs need; with a pool of their own."""
    return Surroundings(
        settings=context.settings,
        url=context.url,
        pool=pool,
        journal=context.system,
        clock=context.clock,
        worker=context.name,
        connect=context.connect,
    )


async def _work(manager: QueueManager, options: WorkerOptions) -> None:
    await manager.run(
        dequeue_timeout=timedelta(seconds=POLL_SECONDS),
        batch_size=1,
        max_concurrent_tasks=options.jobs_at_once,
        shutdown_on_listener_failure=True,
        heartbeat_timeout=timedelta(seconds=options.silence_seconds),
        log_aggregation_interval=timedelta(0),
    )


async def _wind_down(manager: QueueManager, runner: Runner, working: "asyncio.Task[None]") -> None:
    """Take nothing new; give what runs a moment, then put it back into the queue."""
    manager.shutdown.set()
    await asyncio.wait([working], timeout=GRACE_SECONDS)
    runner.cut()
    await asyncio.wait([working])
