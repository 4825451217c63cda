"""Live prices from a real Redis: bars at once, quotes as often as screens are refreshed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.events.outbox import Outbox
from app.events.prices import Prices

QUOTES, BARS = "quotes:test:AAPL", "bars:test:AAPL:1m"
NEVER = 3600.0


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
async def prices(redis: Redis) -> AsyncIterator[Prices]:
    prices = Prices(redis)
    prices.start()
    yield prices
    await prices.stop()


async def publish(redis: Redis, channel: str, body: str) -> None:
    async with asyncio.timeout(60):
        while not await redis.publish(channel, body):  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.005)


async def texts(outbox: Outbox) -> list[str]:
    async with asyncio.timeout(60):
        return [message.text for message in await outbox.take()]


async def test_a_quote_after_a_pause_comes_at_once_and_the_next_ones_are_conflated(
    redis: Redis, prices: Prices
) -> None:
    prices.refresh_every(NEVER)
    one, other = Outbox(), Outbox()
    await prices.subscribe(QUOTES, "quotes:AAPL", one)
    await prices.subscribe(QUOTES, "quotes:AAPL@test", other)
    await prices.subscribe(BARS, "bars:AAPL:1m", one)
    await publish(redis, QUOTES, "0")
    assert await texts(one) == ['{"topic":"quotes:AAPL","type":"quote","data":0}']
    for number in (1, 2, 3):
        await publish(redis, QUOTES, str(number))
    await publish(redis, BARS, "{}")  # a closed bar does not wait, and comes after all of them
    assert await texts(one) == ['{"topic":"bars:AAPL:1m","type":"bar","data":{}}']
    assert prices.conflated == 2
    assert len(await other.take()) == 1
    prices.refresh_every(0.01)  # what waits is sent when the limit changes
    assert await texts(one) == ['{"topic":"quotes:AAPL","type":"quote","data":3}']
    assert await texts(other) == ['{"topic":"quotes:AAPL@test","type":"quote","data":3}']


async def test_what_was_conflated_comes_when_its_time_has_come(
    redis: Redis, prices: Prices
) -> None:
    prices.refresh_every(0.05)
    outbox = Outbox()
    await prices.subscribe(QUOTES, "quotes:AAPL", outbox)
    await publish(redis, QUOTES, "first")
    assert "first" in (await texts(outbox))[0]
    for body in ("second", "third"):
        await publish(redis, QUOTES, body)
    heard = ""
    while "third" not in heard:
        [heard] = await texts(outbox)


async def test_nothing_waits_for_somebody_who_has_left(redis: Redis, prices: Prices) -> None:
    prices.refresh_every(NEVER)
    outbox, bars = Outbox(), Outbox()
    await prices.subscribe(QUOTES, "quotes:AAPL", outbox)
    await prices.subscribe(BARS, "bars:AAPL:1m", bars)
    for body in ("1", "2"):
        await publish(redis, QUOTES, body)
    await publish(redis, BARS, "{}")
    await texts(bars)
    await texts(outbox)
    await prices.unsubscribe(QUOTES, "quotes:AAPL", outbox)
    prices.refresh_every(1)
    assert len(outbox) == 0


async def test_channels_are_asked_for_again_when_redis_comes_back(
    redis: Redis, prices: Prices
) -> None:
    outbox = Outbox()
    await prices.subscribe(BARS, "bars:AAPL:1m", outbox)
    await publish(redis, BARS, "1")
    await texts(outbox)
    ours = str(redis.connection_pool.connection_kwargs["db"])
    for client in await redis.client_list(_type="pubsub"):
        if client["db"] == ours:  # other tests have theirs
            await redis.client_kill_filter(_id=client["id"])
    await publish(redis, BARS, "2")
    assert await texts(outbox) == ['{"topic":"bars:AAPL:1m","type":"bar","data":2}']
