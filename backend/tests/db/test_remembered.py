"""After a restore a real Redis says nothing of the database that was there, and keeps the rest."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.adapters.caches.redis import Adapter as Cache
from app.adapters.clients.market_keys import WARM
from app.api.limits import RateLimits
from app.core.clock import system
from app.core.errors import Unavailable
from app.core.security import hash_token
from app.core.tasks import end
from app.db import remembered
from app.db.pool import opened_pool
from app.domain.events import FeedConnected
from app.domain.market import Timeframe
from app.domain.ports import Entry
from app.domain.users import SCOPES, Caller, Role
from app.events.streams import StreamPublisher, StreamReader
from app.marketdata.batch import BarBatch
from app.marketdata.cache import Kind
from app.repositories.events import JournalReads
from app.repositories.journal import SharedJournal
from app.repositories.session_cache import SessionCache
from app.services.tickets import Tickets
from tests import servers
from tests.factories import make_batch, utc
from tests.servers import TestServers
from tests.waiting import until

KEY = b"k" * 32
ADA = Caller(
    user_id=1,
    email="ada@example.com",
    name=None,
    role=Role.TRADER,
    scopes=SCOPES[Role.TRADER],
    via="session",
    credential="1",
    accounts=(1,),
    session_expires_at=utc("2100-01-01 00:00"),
)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


async def live(url: str, *feeds: str) -> None:
    """A database's life: an event a feed."""
    async with opened_pool(url, min_size=0, max_size=2) as pool:
        events = [FeedConnected(feed=feed, at=system.now()) for feed in feeds]
        await SharedJournal(pool, KEY).append([Entry(event) for event in events])


async def published(url: str, redis: Redis, count: int) -> list[str]:
    """What a reader of Redis who knows the first event hears of the next ones."""
    async with opened_pool(url, min_size=0, max_size=3) as pool:
        journal = JournalReads(pool)
        publisher = StreamPublisher(redis, journal)
        task = asyncio.create_task(publisher.run())

        async def is_there() -> bool:
            return bool(await redis.xlen("events:system") >= count)

        try:
            await until(is_there, 30)
            found: list[str] = []
            async for event in StreamReader(redis, journal, {"system": 1}).events():
                found.append(event["data"]["feed"])
                if len(found) == count - 1:
                    return found
        finally:
            await end([task])
    raise AssertionError


async def test_a_resumed_reader_hears_nothing_of_the_abandoned_future(
    database_url: str, test_servers: TestServers, template_database: str, redis: Redis,
    redis_url: str,
) -> None:  # fmt: skip
    await live(database_url, "first", "abandoned", "abandoned too")
    assert await published(database_url, redis, 3) == ["abandoned", "abandoned too"]
    with servers.copied(test_servers.database_url, template_database) as restored:
        await live(restored, "first", "new")
        assert remembered.forget(redis_url) == 1
        assert await published(restored, redis, 2) == ["new"]


async def test_all_that_is_made_of_rows_is_forgotten_and_nothing_else(
    redis: Redis, redis_url: str
) -> None:
    cache, limits = Cache(redis_url), RateLimits(redis_url)

    async def price(_: list[str]) -> dict[str, bytes]:
        return {"AAPL": b"{}"}

    async def bars(_: int) -> BarBatch:
        return make_batch([1.0, 2.0])

    async def document() -> bytes:
        return b"{}"

    await cache.quotes("live", ["AAPL"], price)
    await cache.bars("live", "AAPL", Timeframe.M1, 2, bars)
    await cache.document(Kind.OPTION_CHAIN, ("live", "AAPL"), document)
    await cache.document(Kind.SIGNAL, ("1", "AAPL"), document)
    await redis.set(WARM, 1)
    await SessionCache(redis, system).put(hash_token("a cookie"), ADA)
    await Tickets(redis, system).issue(ADA)
    assert len(await redis.keys()) == 9  # two stamps, of the price and of the signal

    await limits.admit("orders", "ada")
    kept = {*await redis.keys(b"*limit*"), b"session:of another program", b"events:theirs"}
    assert len(kept) > 2
    await redis.mset({"session:of another program": 1, "events:theirs": 1})
    await cache.stop()
    await limits.close()
    assert remembered.forget(redis_url) == 9
    counts = {b"cache.counts"}
    assert {*await redis.keys()} - counts == kept


def test_a_redis_that_is_away_is_said() -> None:
    with pytest.raises(Unavailable, match="Redis does not answer"):
        remembered.forget("redis://127.0.0.1:1/0")
