"""What is remembered on a real Redis: read through, invalidated, and without it just as right."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.adapters.caches.redis import Adapter
from app.adapters.clients.market_keys import bars_key, outdate
from app.core.config import CacheOptions
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from app.marketdata.cache import Kind
from tests.factories import make_batch
from tests.waiting import until

M1 = Timeframe.M1


class Stored:
    """A series in a database that counts how often it is asked."""

    def __init__(self, closes: list[float]) -> None:
        self.closes = closes
        self.loads = 0

    async def load(self, count: int) -> BarBatch:
        self.loads += 1
        batch = make_batch(self.closes)
        return batch[max(len(batch) - count, 0) :]


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[Adapter]:
    cache = Adapter(redis_url, CacheOptions().model_copy(update={"bars": 300}))
    yield cache
    await cache.stop()


async def closes(cache: Adapter, stored: Stored, limit: int = 3) -> list[float]:
    batch = await cache.bars("test", "AAPL", M1, limit, stored.load)
    return [float(close) for close in batch.rows["close"]]


async def unknown(_: list[str]) -> dict[str, bytes]:
    return {}


async def test_a_price_that_came_meanwhile_is_newer_than_the_one_that_was_loaded(
    cache: Adapter, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as redis:

        async def load(_: list[str]) -> dict[str, bytes]:
            await redis.set("quote:test:AAPL", b"newer")
            return {"AAPL": b"older"}

        await cache.quotes("test", ["AAPL"], load)
        assert await cache.quotes("test", ["AAPL"], unknown) == {"AAPL": b"newer"}


async def test_bars_are_loaded_once(cache: Adapter) -> None:
    stored = Stored([float(n) for n in range(1, 200)])
    assert await closes(cache, stored) == [197, 198, 199]
    assert await closes(cache, stored) == [197, 198, 199]
    assert stored.loads == 1
    figures = await cache.figures()
    assert (figures["cache_bars_hits_total"], figures["cache_bars_misses_total"]) == (1, 1)
    assert figures["cache_hit_ratio"] == 0.5


async def test_a_longer_read_is_loaded_and_serves_the_shorter_ones(cache: Adapter) -> None:
    stored = Stored([float(n) for n in range(1, 400)])
    await closes(cache, stored, 3)
    assert len(await closes(cache, stored, 250)) == 250
    assert await closes(cache, stored, 2) == [398, 399]
    assert stored.loads == 2


async def test_a_series_that_is_shorter_than_asked_is_remembered_as_whole(cache: Adapter) -> None:
    stored = Stored([1.0, 2.0])
    assert await closes(cache, stored, 50) == [1, 2]
    assert await closes(cache, stored, 50) == [1, 2]
    assert stored.loads == 1


async def test_that_there_are_no_bars_is_remembered_too(cache: Adapter) -> None:
    stored = Stored([1.0])

    async def nothing(count: int) -> BarBatch:
        return (await stored.load(count))[:0]

    for _ in range(2):
        assert len(await cache.bars("test", "AAPL", M1, 5, nothing)) == 0
    assert stored.loads == 1


async def test_more_than_is_kept_goes_past_the_cache(cache: Adapter) -> None:
    stored = Stored([float(n) for n in range(400)])
    for _ in range(2):
        assert len(await closes(cache, stored, 301)) == 301
    assert stored.loads == 2


async def test_who_miss_together_load_once(cache: Adapter) -> None:
    stored = Stored([1.0, 2.0, 3.0])
    found = await asyncio.gather(*(closes(cache, stored, 2) for _ in range(10)))
    assert found == [[2, 3]] * 10
    assert stored.loads == 1


async def test_what_was_read_before_a_change_is_not_remembered(cache: Adapter) -> None:
    stored = Stored([1.0, 2.0])

    async def overtaken(count: int) -> BarBatch:
        batch = await stored.load(count)
        await cache.forget("test", "AAPL")  # a correction is committed between read and write
        return batch

    await cache.bars("test", "AAPL", M1, 5, overtaken)
    stored.closes = [1.0, 2.5]
    assert await closes(cache, stored, 5) == [1, 2.5]


async def test_a_notice_of_the_database_outdates_what_is_remembered(
    cache: Adapter, redis_url: str
) -> None:
    stored = Stored([1.0, 2.0])
    await closes(cache, stored)
    async with Redis.from_url(redis_url) as redis:

        async def is_forgotten() -> bool:
            return not await redis.exists(bars_key("test", "AAPL", M1))

        for tell in (lambda: cache.heard("test|AAPL"), cache.catch_up):
            await closes(cache, stored)
            assert await redis.exists(bars_key("test", "AAPL", M1))
            tell()
            await until(is_forgotten)
    stored.closes = [1.0, 7.0]
    assert await closes(cache, stored) == [1, 7]


async def test_a_list_that_is_not_in_order_is_loaded_anew(cache: Adapter, redis_url: str) -> None:
    stored = Stored([1.0, 2.0, 3.0])
    await closes(cache, stored)
    async with Redis.from_url(redis_url) as redis:
        await redis.rpush(bars_key("test", "AAPL", M1), make_batch([9.0]).rows.tobytes())
    assert await closes(cache, stored) == [1, 2, 3]
    assert stored.loads == 2


async def test_documents_are_loaded_once_and_forgotten_with_their_symbol(cache: Adapter) -> None:
    loads = []

    async def load() -> bytes:
        loads.append(1)
        return b'{"calls": []}'

    for _ in range(2):
        found = await cache.document(Kind.OPTION_CHAIN, ("test", "AAPL"), load)
        assert found == b'{"calls": []}'
    assert len(loads) == 1
    await cache.forget("test", "AAPL")
    await cache.document(Kind.OPTION_CHAIN, ("test", "AAPL"), load)
    assert len(loads) == 2


async def test_a_signal_is_forgotten_when_there_is_a_newer_one(cache: Adapter) -> None:
    bodies = [b"1", b"2"]

    async def load() -> bytes:
        return bodies.pop(0)

    names = ("account:1", "AAPL")
    assert await cache.document(Kind.SIGNAL, names, load) == b"1"
    await cache.forget_signal(*names)
    assert await cache.document(Kind.SIGNAL, names, load) == b"2"


async def test_that_there_is_no_document_is_asked_again(cache: Adapter) -> None:
    async def load() -> None:
        return None

    assert await cache.document(Kind.SIGNAL, ("account:1", "AAPL"), load) is None


async def test_quotes_are_counted_by_symbol(cache: Adapter, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set("quote:test:AAPL", b"{}")
    asked = []

    async def load(symbols: list[str]) -> dict[str, bytes]:
        asked.append(symbols)
        return {"MSFT": b"[]"}

    for _ in range(2):
        found = await cache.quotes("test", ["AAPL", "MSFT"], load)
        assert found == {"AAPL": b"{}", "MSFT": b"[]"}
    assert asked == [["MSFT"]]
    assert await cache.quotes("test", [], load) == {}
    figures = await cache.figures()
    assert (figures["cache_quote_hits_total"], figures["cache_quote_misses_total"]) == (3, 1)


async def test_counts_are_those_of_all_processes(cache: Adapter, redis_url: str) -> None:
    other = Adapter(redis_url)
    other.start()
    for one in (cache, other):
        await one.quotes("test", ["AAPL"], unknown)
    await cache.figures()

    async def are_shared() -> bool:  # by the other one itself
        return (await cache.figures())["cache_quote_misses_total"] == 2

    await until(are_shared)
    await other.stop()


async def test_without_redis_everything_is_loaded() -> None:
    cache = Adapter("redis://127.0.0.1:1/0")
    stored = Stored([1.0, 2.0])

    async def load() -> bytes:
        return b"1"

    assert await closes(cache, stored) == [1, 2]
    assert await cache.quotes("test", ["AAPL"], unknown) == {}
    assert await cache.document(Kind.SIGNAL, ("account:1", "AAPL"), load) == b"1"
    await cache.forget("test", "AAPL")
    figures = await cache.figures()
    assert figures["cache_failures_total"] > 0
    assert figures["cache_bars_misses_total"] == 1
    await cache.stop()


async def test_a_correction_announced_while_redis_is_away_is_made_up_for(redis_url: str) -> None:
    cache = Adapter(redis_url)
    stored = Stored([1.0, 2.0])
    await closes(cache, stored)
    real = cache._redis
    cache._redis = Adapter("redis://127.0.0.1:1/0")._redis
    await cache.forget("test", "AAPL")
    cache._redis = real
    cache._away_until = 0.0
    cache.start()
    stored.closes = [1.0, 3.0]

    async def is_right() -> bool:
        return await closes(cache, stored) == [1, 3]

    await until(is_right)
    await cache.stop()


async def test_outdating_covers_every_timeframe(cache: Adapter, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        for timeframe in Timeframe:
            await redis.rpush(bars_key("test", "AAPL", timeframe), b"")
        async with redis.pipeline() as pipeline:
            outdate(pipeline, "test", "AAPL")
            await pipeline.execute()
        assert [key async for key in redis.scan_iter("bars.*")] == []
