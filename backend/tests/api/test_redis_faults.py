"""Redis killed, emptied and paused while prices flow: the API goes on and it heals by itself."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from app.adapters.publishers.redis import Adapter
from app.api.parts import Parts
from app.core.clock import system
from app.db import home as home_folder
from app.db.embedded import EmbeddedRedis
from app.domain.market import Timeframe
from app.ingest.cache_keeper import CacheKeeper
from app.repositories.stock_data import StockData
from app.services.market import Span
from tests.api.world import World
from tests.factories import make_batch
from tests.redis_faults import kill, pause, resume
from tests.waiting import until

CLOSES = [100.0 + number for number in range(60)]
NEWEST = Span(timeframe=Timeframe.M1, limit=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that may be killed."""
    home_folder.prepare(tmp_path / "home")
    server = EmbeddedRedis(tmp_path / "home")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(server: EmbeddedRedis) -> str:
    """The API's Redis is that one."""
    return server.url


class Feed:
    """Stores a bar at a time and tells it, as core does."""

    def __init__(self, world: World, publisher: Adapter) -> None:
        self._data = StockData(world.pool, "simulated")
        self._publisher = publisher
        self._bars = make_batch(CLOSES)
        self.last = 0

    async def tick(self) -> None:
        batch = self._bars[self.last : self.last + 1]
        await self._data.store([batch], "test", is_told=True)
        self._publisher.offer("simulated", [batch])
        self.last += 1

    @property
    def close(self) -> float:
        return CLOSES[self.last - 1]


@pytest.fixture
async def feed(world: World, parts: Parts, redis_url: str) -> AsyncIterator[Feed]:
    publisher = Adapter(redis_url)
    keeper = CacheKeeper(parts.pool, publisher, 0.05, "test:1", system)
    keeper.start()
    yield Feed(world, publisher)
    await keeper.stop()
    await publisher.close()


Act = Callable[[EmbeddedRedis], None]


@pytest.mark.parametrize(
    ("fail", "heal"), [(kill, EmbeddedRedis.start), (pause, resume)], ids=["killed", "paused"]
)
async def test_bars_and_prices_stay_right_without_redis_and_are_remembered_after(
    feed: Feed, parts: Parts, server: EmbeddedRedis, fail: Act, heal: Act
) -> None:
    async def bar() -> float:
        found = await parts.market.bars("AAPL", "simulated", NEWEST)
        return float(found.rows["close"][-1])

    async def price() -> float:
        return float((await parts.market.quote("AAPL", "simulated"))["last"])

    async def both_are_new() -> bool:
        return await bar() == await price() == feed.close

    async def hits() -> float:
        return (await parts.cache.figures())["cache_bars_hits_total"]

    await feed.tick()
    await until(both_are_new)
    fail(server)
    for _ in range(2):
        await feed.tick()
        assert await bar() == feed.close
        assert await price() == feed.close
    assert not (await parts.cache.figures())["cache_available"]
    heal(server)
    await feed.tick()
    await until(both_are_new)
    before = await hits()

    async def are_remembered() -> bool:
        assert await bar() == feed.close
        return await hits() > before

    await until(are_remembered)


async def test_an_emptied_redis_is_filled_again(
    admin: httpx.AsyncClient, feed: Feed, parts: Parts, redis_url: str
) -> None:
    await feed.tick()
    async with Redis.from_url(redis_url) as redis:
        await until(lambda: redis.exists("quote:simulated:AAPL"))
        await until(lambda: parts.pool.fetchval("SELECT count(*) FROM market_data_cache"))
        await redis.flushall()
        answer = await admin.get("/api/stocks/AAPL/bars?dataset=simulated&limit=1")
        assert answer.json()["items"][-1]["close"] == feed.close
        await until(lambda: redis.exists("quote:simulated:AAPL"))  # nobody asked for it
