"""The worker's event bus: its handlers, a pool of their own, and what it says of itself."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import asyncpg

from app.core.tasks import end
from app.db.pool import opened_pool
from app.events.bus import EventBus, EventHandler
from app.monitoring.event_bus import HEARTBEAT
from app.repositories import heartbeats, metrics
from app.repositories.handler_deliveries import HandlerDeliveries
from app.repositories.journal import LOST_CONNECTION
from app.worker.context import COMMAND_SECONDS, WorkerContext
from app.worker.handlers import every_handler

BEAT_SECONDS: Final = 2.0
FORGET_SECONDS: Final = 60.0
"Heartbeats of workers that ended without a farewell."
KEEP: Final = timedelta(days=1)
"How long a delivery that was done is kept."
PRUNE_SECONDS: Final = 600.0
SPARE_CONNECTIONS: Final = 4
"Beside one for each slot of each handler: for reading, and for failures."


async def run(context: WorkerContext) -> None:
    """Until the worker stops."""
    await run_handlers(context, every_handler(context))


async def run_handlers(context: WorkerContext, handlers: Sequence[EventHandler]) -> None:
    """A bus with these handlers, whatever becomes of other parts' connections."""
    size = sum(handler.slots for handler in handlers) + SPARE_CONNECTIONS
    async with opened_pool(
        context.url, min_size=1, max_size=size, idle_seconds=30, command_seconds=COMMAND_SECONDS
    ) as pool:
        deliveries = HandlerDeliveries(pool, context.system, context.clock)
        bus = EventBus(deliveries, handlers, context.connect, context.clock)
        beside = [
            asyncio.create_task(_say(context, bus), name="bus says"),
            asyncio.create_task(_prune(deliveries), name="bus prunes"),
        ]
        try:
            await bus.run(context.stopping)
        finally:
            await end(beside)
            with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
                await heartbeats.forget(context.pool, f"{HEARTBEAT}:{context.name}", -1)


async def _say(context: WorkerContext, bus: EventBus) -> None:
    """For the API and Prometheus, which are other processes."""
    name, forgot = f"{HEARTBEAT}:{context.name}", -FORGET_SECONDS
    while True:
        with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
            told = bus.statistics()
            if context.clock.monotonic() - forgot >= FORGET_SECONDS:
                await heartbeats.forget(context.pool, f"{HEARTBEAT}:%", FORGET_SECONDS)
                forgot = context.clock.monotonic()
            await heartbeats.beat(context.pool, name, {"handlers": told})
            await metrics.note(context.pool, context.name, figures(told), context.clock.now())
        await asyncio.sleep(BEAT_SECONDS)


def figures(told: dict[str, Any]) -> dict[str, float]:
    """Sums over the handlers of a process, by the names of Prometheus."""
    each = list(told.values())
    names = ("published", "handled", "failed", "timed_out", "retried", "dead")
    return {
        **{f"bus_{name}_total": float(sum(one[name] for one in each)) for name in names},
        "bus_lag": float(sum(one["lag"] for one in each)),
        "bus_waiting": float(sum(one["waiting"] for one in each)),
        "bus_keys_held": float(sum(one["keys_held"] for one in each)),
        "bus_handling_ms_p99": max((one["handling"]["p99_ms"] for one in each), default=0.0),
        "bus_delay_ms_p99": max((one["delay"]["p99_ms"] for one in each), default=0.0),
        "bus_queueing_ms_p99": max((one["queueing"]["p99_ms"] for one in each), default=0.0),
    }


async def _prune(deliveries: HandlerDeliveries) -> None:
    while True:
        with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
            await deliveries.prune(KEEP)
        await asyncio.sleep(PRUNE_SECONDS)
