"""The worker's bus and fan-out: what they do, what they say of themselves, how they stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.core.config import get_settings
from app.core.tasks import end
from app.events.streams import key_of
from app.repositories import heartbeats, metrics
from app.worker import bus, fan_out
from app.worker.context import WorkerContext, opened
from app.worker.handlers import every_handler
from tests.events.bus_world import BusWorld, Noting
from tests.waiting import until


@pytest.fixture
async def context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str
) -> AsyncIterator[WorkerContext]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setattr(bus, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(fan_out, "BEAT_SECONDS", 0.05)
    get_settings.cache_clear()
    async with opened() as context:
        yield context


@asynccontextmanager
async def working(work: Awaitable[None], context: WorkerContext) -> AsyncIterator[None]:
    """Until the end of the block; then stopped as the worker stops it."""
    task = asyncio.ensure_future(work)
    try:
        yield
        context.stopping.set()
        await task
    finally:
        await end([task])


async def test_the_bus_handles_says_so_and_takes_its_leave(context: WorkerContext) -> None:
    world = BusWorld(context.pool, context.url)
    await world.prepare()

    async def said() -> dict[str, float]:
        since = context.clock.now() - timedelta(minutes=1)
        found = await metrics.noted(context.pool, "bus_", since)
        return found if found.get("bus_handled_total") == 2 else {}

    async with working(bus.run_handlers(context, [Noting(from_beginning=True)]), context):
        await world.append("a", "b")
        figures = await until(said, 30)
        (row,) = await heartbeats.listed(context.pool, "bus:%")
    assert (figures["bus_published_total"], figures["bus_lag"]) == (2, 0)
    assert row["name"] == f"bus:{context.name}"
    assert row["state"]["handlers"]["noting"]["handled"] == 2
    assert await heartbeats.listed(context.pool, "bus:%") == []


async def test_committed_events_are_copied_to_redis(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    get_settings.cache_clear()
    world = BusWorld(context.pool, context.url)

    async def said() -> bool:
        rows = await heartbeats.listed(context.pool, "fan_out:%")
        return bool(rows) and rows[0]["state"] == {"is_connected": True, "published": 2, "lag": 0}

    async with Redis.from_url(redis_url) as redis, working(fan_out.run(context), context):
        await world.append("a", "b")
        await until(said, 30)
        assert await redis.xlen(key_of("system")) == 2


async def test_without_redis_there_is_nothing_to_copy(context: WorkerContext) -> None:
    async with working(fan_out.run(context), context):
        await asyncio.sleep(0)
    assert await heartbeats.listed(context.pool, "fan_out:%") == []


async def test_every_handler_of_the_product_has_a_name_of_its_own(context: WorkerContext) -> None:
    names = [handler.name for handler in every_handler(context)]
    assert len(set(names)) == len(names)
