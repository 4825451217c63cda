"""Live prices on a real Redis, and trading on without one."""

import asyncio
import json

from redis.asyncio import Redis

from app.adapters.publishers.redis import Adapter
from tests.factories import make_batch


async def test_bars_and_prices_reach_who_listens(redis_url: str) -> None:
    redis: Redis = Redis.from_url(redis_url)
    publisher = Adapter(redis_url)
    async with redis.pubsub(ignore_subscribe_messages=True) as listening:
        await listening.subscribe("bars:test:AAPL:1m", "quotes:test:AAPL")
        await listening.get_message(ignore_subscribe_messages=False, timeout=5)
        await listening.get_message(ignore_subscribe_messages=False, timeout=5)
        publisher.offer("test", [make_batch([10, 11])])
        heard = [await listening.get_message(timeout=5) for _ in range(3)]
    bodies = [json.loads(message["data"]) for message in heard if message]
    assert [body.get("close") for body in bodies] == [10, 11, None]
    assert bodies[1]["start"] == "2024-03-01T14:31:00Z"
    assert bodies[1]["vwap"] is None
    assert (bodies[2]["last"], bodies[2]["source"]) == (11, "bar")
    remembered = await redis.get("quote:test:AAPL")
    assert json.loads(remembered) == bodies[2]
    await publisher.close()
    await redis.aclose()


async def test_without_redis_bars_are_dropped_and_nobody_waits() -> None:
    publisher = Adapter("redis://127.0.0.1:1/0")
    publisher.offer("test", [make_batch([1.0] * 15_000)])
    publisher.offer("test", [make_batch([1.0] * 15_000)])
    assert publisher.dropped == 2 * 15_001 - 20_000
    async with asyncio.timeout(10):
        await publisher.first_failure.wait()
    await publisher.close()
