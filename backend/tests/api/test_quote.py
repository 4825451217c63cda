"""The newest price of a stock, told by a bar where nobody quotes."""

import httpx
import orjson
from redis.asyncio import Redis

from tests.api.world import World


async def test_a_price_that_a_bar_told_is_a_quote_without_sides(
    admin: httpx.AsyncClient, world: World, redis_url: str
) -> None:
    await world.account()
    told = {"at": "2026-11-19T15:00:00Z", "bid": None, "ask": None, "last": 187.5, "source": "bar"}
    async with Redis.from_url(redis_url) as redis:
        await redis.set("quote:simulated:AAPL", orjson.dumps(told))
    found = (await admin.get("/api/stocks/AAPL/quote")).json()
    assert (found["last"], found["source"], found["bid"]) == (187.5, "bar", None)
