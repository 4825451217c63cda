"""Prices survive the loss of Redis: saved now and then, and brought back by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import asyncpg
import pytest
from redis.asyncio import Redis

from app.adapters.publishers.redis import Adapter
from app.core.clock import system
from app.ingest.cache_keeper import CacheKeeper
from app.repositories import metrics
from tests.factories import make_batch
from tests.waiting import until

NEVER = 3600.0


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[Adapter]:
    publisher = Adapter(redis_url)
    yield publisher
    await publisher.close()


def last(redis: Redis) -> Callable[[], Awaitable[float | None]]:
    async def ask() -> float | None:
        text = await redis.get("quote:simulated:AAPL")
        return float(json.loads(text)["last"]) if text else None

    return ask


def keeper(pool: asyncpg.Pool, publisher: Adapter, seconds: float = NEVER) -> CacheKeeper:
    return CacheKeeper(pool, publisher, seconds, "test:1", system)


async def test_prices_of_an_earlier_life_fill_an_empty_redis(
    pool: asyncpg.Pool, publisher: Adapter, redis_url: str
) -> None:
    publisher.offer("simulated", [make_batch([10.0, 11.0])])
    first = keeper(pool, publisher)
    first.start()
    await first.stop()
    async with Redis.from_url(redis_url) as redis:
        assert await until(last(redis)) == 11
        await redis.flushdb()
        later = Adapter(redis_url)
        second = keeper(pool, later)
        second.start()
        assert await until(last(redis)) == 11
        await redis.flushdb()  # and once more, under the running process
        assert await until(last(redis)) == 11
        await second.stop()
        await later.close()


async def test_what_changes_is_saved_by_itself_with_the_figures_of_the_process(
    pool: asyncpg.Pool, publisher: Adapter
) -> None:
    one = keeper(pool, publisher, 0.01)
    one.start()
    publisher.offer("simulated", [make_batch([10.0])])
    await until(lambda: pool.fetchval("SELECT count(*) FROM market_data_cache"))
    since = system.now() - timedelta(minutes=1)
    figures = await until(lambda: metrics.noted(pool, "publisher_", since))
    assert figures["publisher_dropped_total"] == 0
    await one.stop()


async def test_what_could_not_be_saved_is_saved_later(
    pool: asyncpg.Pool, publisher: Adapter
) -> None:
    publisher.offer("simulated", [make_batch([10.0])])
    one = keeper(pool, publisher)
    await pool.execute("ALTER TABLE market_data_cache RENAME TO away")
    await one.save()
    await pool.execute("ALTER TABLE away RENAME TO market_data_cache")
    await one.save()
    assert await pool.fetchval("SELECT count(*) FROM market_data_cache") == 1


async def test_warming_waits_for_the_database(
    pool: asyncpg.Pool, publisher: Adapter, redis_url: str
) -> None:
    publisher.offer("simulated", [make_batch([10.0])])
    one = keeper(pool, publisher)
    await one.save()
    async with Redis.from_url(redis_url) as redis:
        await until(last(redis))
        await pool.execute("ALTER TABLE market_data_cache RENAME TO away")
        one.start()
        await asyncio.sleep(0)
        await redis.flushdb()
        await pool.execute("ALTER TABLE away RENAME TO market_data_cache")
        assert await until(last(redis)) == 10
    await one.stop()
