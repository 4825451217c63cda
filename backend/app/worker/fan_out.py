"""The worker's fan-out: committed events into Redis streams, for other processes."""

import asyncio
from contextlib import suppress
from typing import Final

import asyncpg
from redis.asyncio import Redis

from app.core.errors import ConfigurationError
from app.core.tasks import end
from app.db.address import redis_url
from app.events.listener import Listener
from app.events.streams import StreamPublisher
from app.monitoring.event_bus import FAN_OUT
from app.repositories import heartbeats, metrics
from app.repositories.events import JournalReads
from app.repositories.journal import LOST_CONNECTION
from app.worker.context import WorkerContext

BEAT_SECONDS: Final = 2.0
FORGET_SECONDS: Final = 60.0
_REDIS_SECONDS: Final = 2.0


async def run(context: WorkerContext) -> None:
    """Until the worker stops. Without Redis there is nothing to do: PostgreSQL has everything."""
    try:
        address = redis_url()
    except ConfigurationError:
        await context.stopping.wait()
        return
    redis = Redis.from_url(
        address, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS
    )
    publisher = StreamPublisher(redis, JournalReads(context.pool))
    listener = Listener(context.connect)
    listener.on("journal", publisher.heard)
    listener.start()
    beside = [
        asyncio.create_task(publisher.run(), name="fan-out"),
        asyncio.create_task(_say(context, publisher), name="fan-out says"),
    ]
    stopping = asyncio.create_task(context.stopping.wait())
    try:
        await asyncio.wait([*beside, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in beside:
            if task.done():
                task.result()
    finally:
        await end([*beside, stopping])
        await listener.stop()
        await redis.aclose()


async def _say(context: WorkerContext, publisher: StreamPublisher) -> None:
    name, forgot = f"{FAN_OUT}:{context.name}", -FORGET_SECONDS
    while True:
        with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
            told = publisher.told()
            if context.clock.monotonic() - forgot >= FORGET_SECONDS:
                await heartbeats.forget(context.pool, f"{FAN_OUT}:%", FORGET_SECONDS)
                forgot = context.clock.monotonic()
            await heartbeats.beat(context.pool, name, told)
            figures = {
                "bus_fan_out_total": float(told["published"]),
                "bus_fan_out_lag": float(told["lag"]),
                "bus_fan_out_connected": float(told["is_connected"]),
            }
            await metrics.note(context.pool, context.name, figures, context.clock.now())
        await asyncio.sleep(BEAT_SECONDS)
