"""Live prices on a real Redis, and trading on without one."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis

from app.adapters.caches.redis import Adapter as Cache
from app.adapters.clients.market_keys import WARM, bars_key
from app.adapters.publishers.redis import LEASE_MS, MOST_BARS, MOST_SAVED, Adapter
from app.domain.market import Timeframe
from app.marketdata.batch import QUOTE, TICK, BarBatch, QuoteBatch, TickBatch, TickLabel
from app.marketdata.cache import Kind, Remembered
from tests.factories import make_batch, ns
from tests.waiting import until

M1 = Timeframe.M1
AT = ns("2024-03-01 15:00")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[Adapter]:
    publisher = Adapter(redis_url)
    yield publisher
    await publisher.close()


async def price(redis: Redis, symbol: str = "AAPL") -> dict[str, Any] | None:
    text = await redis.get(f"quote:test:{symbol}")
    return json.loads(text) if text else None


def quotes(*rows: tuple[int, int, float, float]) -> QuoteBatch:
    """Of AAPL (0) and MSFT (1): symbol, seconds, bid, ask."""
    made = np.zeros(len(rows), dtype=QUOTE)
    for row, (symbol, seconds, bid, ask) in zip(made, rows, strict=True):
        row["symbol"], row["at"], row["bid"], row["ask"] = symbol, AT + seconds * 10**9, bid, ask
    return QuoteBatch(("AAPL", "MSFT"), made)


def prints(*rows: tuple[int, float, int]) -> TickBatch:
    """Of AAPL: seconds, price, label (1 does not count)."""
    made = np.zeros(len(rows), dtype=TICK)
    for row, (seconds, price, label) in zip(made, rows, strict=True):
        row["at"], row["price"], row["label"] = AT + seconds * 10**9, price, label
    return TickBatch(("AAPL",), made, (TickLabel(), TickLabel(counts=False)))


async def test_bars_and_prices_reach_who_listens(publisher: Adapter, redis: Redis) -> None:
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
    assert await price(redis) == bodies[2]


async def test_the_newest_quote_and_print_make_one_price(publisher: Adapter, redis: Redis) -> None:
    publisher.offer_quotes("test", quotes((0, 1, 9.0, 9.2), (1, 1, 3.0, 3.1), (0, 2, 10.0, 10.2)))
    publisher.offer_prints("test", prints((3, 10.1, 0), (4, 99.0, 1)))
    publisher.offer_quotes("test", quotes((0, 1, 1.0, 1.2)))  # older: too late
    found = await until(lambda: price(redis))
    assert (found["bid"], found["ask"], found["last"]) == (10.0, 10.2, 10.1)
    assert (found["source"], found["at"]) == ("trade", "2024-03-01T15:00:03Z")
    other = await price(redis, "MSFT")
    assert other
    assert (other["last"], other["source"]) == (None, "quote")


async def test_prices_that_change_while_nothing_is_sent_are_sent_once(
    publisher: Adapter, redis: Redis
) -> None:
    for number in range(1000):
        publisher.offer_quotes("test", quotes((0, number, 10.0 + number, math.nan)))
    assert publisher.figures()["publisher_waiting"] == 1
    found = await until(lambda: price(redis))
    assert (found["bid"], found["ask"]) == (1009.0, None)

    async def sent() -> float:
        return publisher.figures()["publisher_sent_total"]

    assert await until(sent) == 1


async def test_many_symbols_are_sent_and_saved_some_at_a_time(
    publisher: Adapter, redis: Redis
) -> None:
    symbols = tuple(f"S{number}" for number in range(MOST_SAVED + 1))
    rows = np.zeros(len(symbols), dtype=QUOTE)
    rows["symbol"], rows["at"], rows["bid"] = np.arange(len(symbols)), AT, 10
    publisher.offer_quotes("test", QuoteBatch(symbols, rows))
    await until(lambda: price(redis, symbols[-1]))
    assert len(publisher.unsaved()) == MOST_SAVED
    assert len(publisher.unsaved()) == 1


async def test_new_bars_are_appended_to_those_that_are_remembered(
    publisher: Adapter, redis_url: str, redis: Redis
) -> None:
    cache, stored = Cache(redis_url), make_batch([1.0, 2.0, 3.0, 4.0, 5.0])

    def load(until: int) -> Any:
        async def loaded(count: int) -> BarBatch:
            return stored[:until]

        return loaded

    async def last() -> float:
        batch = await cache.bars("test", "AAPL", M1, 2, load(3))
        return float(batch.rows["close"][-1])

    publisher.offer("test", [stored[2:3]])
    await until(lambda: redis.exists(WARM))
    assert await last() == 3
    publisher.offer("test", [stored[2:4]])
    publisher.offer("test", [stored[4:5]])
    publisher.offer("test", [stored[4:5]])  # another account on the same data set
    publisher.offer("test", [stored[:2]])

    async def is_appended() -> bool:
        return await last() == 5

    await until(is_appended)
    assert (await cache.figures())["cache_bars_misses_total"] == 1
    assert 0 < await redis.pttl(bars_key("test", "AAPL", M1)) <= 60_000

    async def is_leased() -> bool:
        return await redis.pttl(bars_key("test", "AAPL", M1)) <= LEASE_MS

    await until(is_leased)
    await cache.stop()


async def test_a_new_minute_outdates_the_bars_that_are_made_of_minutes(
    publisher: Adapter, redis: Redis
) -> None:
    await redis.rpush(bars_key("test", "AAPL", Timeframe.H1), b"")
    publisher.offer("test", [make_batch([10.0])])
    await until(lambda: redis.exists(WARM))
    assert not await redis.exists(bars_key("test", "AAPL", Timeframe.H1))


async def test_chains_are_remembered(publisher: Adapter, redis: Redis) -> None:
    at = datetime(2024, 3, 1, 15, tzinfo=UTC)
    publisher.offer_chain("test", "AAPL", b"[1]", at)
    assert await until(lambda: redis.get("option_chain.1:test:AAPL")) == b"[1]"
    assert publisher.unsaved() == [Remembered("test", "AAPL", Kind.OPTION_CHAIN, b"[1]", at)]
    assert publisher.unsaved() == []


async def test_an_empty_redis_is_noticed_and_filled_with_what_is_newer_staying(
    publisher: Adapter, redis: Redis
) -> None:
    publisher.offer("test", [make_batch([10.0])])
    await asyncio.wait_for(publisher.is_cold.wait(), 10)
    publisher.is_cold.clear()
    [saved] = publisher.unsaved()
    await redis.flushdb()
    await asyncio.wait_for(publisher.is_cold.wait(), 10)
    await redis.set("quote:test:MSFT", b"newer")
    at = datetime(2024, 3, 1, tzinfo=UTC)
    other = Remembered("test", "MSFT", Kind.QUOTE, b"older", at)
    chain = Remembered("test", "MSFT", Kind.OPTION_CHAIN, b"chain", at)
    publisher.restore([saved, other, chain])
    assert await until(lambda: redis.get("option_chain.1:test:MSFT")) == b"chain"
    assert (await until(lambda: price(redis)))["last"] == 10
    assert await redis.get("quote:test:MSFT") == b"newer"


async def test_without_redis_bars_are_dropped_and_nobody_waits() -> None:
    publisher = Adapter("redis://127.0.0.1:1/0")
    batch = make_batch([1.0] * 15_000)
    publisher.offer("test", [batch])
    publisher.offer("test", [batch])
    figures = publisher.figures()
    assert figures["publisher_dropped_total"] == 15_000
    assert figures["publisher_waiting"] <= MOST_BARS
    async with asyncio.timeout(60):
        await publisher.first_failure.wait()
    assert publisher.figures()["publisher_failures_total"] >= 1
    await publisher.close()
