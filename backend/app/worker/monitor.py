"""The worker's monitoring: measurements over time, availability, vendors and the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
import msgspec

from app import bootstrap
from app.core.logging import get_logger
from app.core.monitoring import MonitoringOptions
from app.core.system_config import current
from app.core.vault import open_vault
from app.monitoring import clocks, external
from app.monitoring.availability import LOOK_SECONDS, START_SECONDS, Look, Watch
from app.monitoring.figures import NOTED_PREFIXES, SharedFigures
from app.monitoring.process import AWAY, ProcessRecorder
from app.repositories import availability, heartbeats, metrics
from app.repositories.availability import DOWN, STOPPED
from app.repositories.metrics import Labelled
from app.services.credentials import offer
from app.worker.context import WorkerContext

log = get_logger("jobs")


async def process(context: WorkerContext) -> None:
    """What this process uses, and the errors that it logs."""
    recorder = ProcessRecorder(context.pool, "worker", context.clock)
    recorder.start()
    try:
        await context.stopping.wait()
    finally:
        await recorder.stop()


async def measurements(context: WorkerContext) -> None:
    """All figures, every minute, for as long as the settings keep them."""
    figures = SharedFigures(context.pool, context.clock)

    async def measure() -> None:
        found, readings = await figures.get()
        values: list[Labelled] = [(name, {}, value) for name, value in found.items()]
        values += [(one.name, one.labels, one.value) for one in readings]
        fresh = [one for one in values if not one[0].startswith(NOTED_PREFIXES)]
        await metrics.record(context.pool, fresh, context.clock.now())

    await _every(context, lambda: current(MonitoringOptions).measure_seconds, measure)


async def presence(context: WorkerContext) -> None:
    """Whether the platform is there for those who need it, and since when not."""
    watch, began = Watch(context.settings, MonitoringOptions().api_url), context.clock.monotonic()
    has_been_there = False

    async def look() -> None:
        nonlocal has_been_there
        seen = await watch.look()
        is_starting = context.clock.monotonic() - began < START_SECONDS and not has_been_there
        if context.stopping.is_set() or (seen.state == DOWN and is_starting):
            return
        has_been_there = True
        await _note(context, seen)

    try:
        await _every(context, lambda: LOOK_SECONDS, look)
        await _note(context, Look(STOPPED, "The worker was stopped."))
    finally:
        await watch.close()


async def vendors(context: WorkerContext) -> None:
    """Vendors whose key is set, and how far the clock is off."""
    options = MonitoringOptions()
    await offer(context.pool, open_vault(context.settings.home, context.settings.app))
    addresses = await asyncio.to_thread(bootstrap.vendor_addresses)
    async with httpx.AsyncClient(timeout=external.ANSWER_SECONDS) as client:

        async def look() -> None:
            found = await external.reach_all(client, addresses)
            for one in found:
                name = f"{heartbeats.EXTERNAL}:{one.vendor}"
                await heartbeats.beat(context.pool, name, msgspec.structs.asdict(one))
            heard = [one.drift_ms for one in found if one.drift_ms is not None]
            await _note_clock(context, options.time_server, heard)

        await _every(context, lambda: current(MonitoringOptions).vendor_seconds, look)


async def _note(context: WorkerContext, seen: Look) -> None:
    async with context.pool.acquire() as db, db.transaction():
        await availability.note(db, seen.state, seen.reason, context.clock.now())
    if seen.score is not None:
        scored: list[Labelled] = [("health_score", {}, seen.score)]
        await metrics.record(context.pool, scored, context.clock.now())


async def _note_clock(context: WorkerContext, server: str | None, heard: list[float]) -> None:
    try:
        found = await clocks.drift(context.pool, server, heard)
    except (OSError, TimeoutError) as error:
        log.warning("time_server_does_not_answer", server=server, error=str(error))
        return
    if abs(found.ms) >= clocks.DEGRADED_MS:
        log.warning("clock_is_off", ms=round(found.ms), against=found.against)
    await metrics.note(
        context.pool, context.name, {"clock_drift_ms": found.ms}, context.clock.now()
    )


async def _every(
    context: WorkerContext, seconds: Callable[[], float], work: Callable[[], Awaitable[None]]
) -> None:
    """Until the stop; a database that is away is waited for. `seconds` may change meanwhile."""
    while not context.stopping.is_set():
        try:
            await work()
        except AWAY as error:
            log.warning("monitoring_waits_for_database", error=str(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds()):
                await context.stopping.wait()
