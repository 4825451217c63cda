"""Stored prices: the newest stays, the expired go, and changes of bars are announced."""

import asyncio
from datetime import datetime, timedelta

import asyncpg

from app.marketdata.cache import Kind, Remembered
from app.repositories import market_data_cache, stocks
from app.repositories.stock_data import Policy, StockData
from tests.factories import make_batch, utc

AT = utc("2024-03-01 15:00")


def price(payload: bytes, at: datetime = AT, symbol: str = "AAPL") -> Remembered:
    return Remembered("simulated", symbol, Kind.QUOTE, payload, at)


async def test_the_newest_price_of_a_known_symbol_stays(pool: asyncpg.Pool) -> None:
    later = AT + timedelta(seconds=1)
    for rows in ([price(b'{"last": 2}', later), price(b"{}", symbol="NOSUCH")], [price(b"{}")]):
        await market_data_cache.save(pool, rows, later + timedelta(days=1))
    await market_data_cache.save(pool, [], None)
    assert await market_data_cache.load(pool, AT) == [price(b'{"last": 2}', later)]


async def test_what_expired_is_neither_loaded_nor_kept(pool: asyncpg.Pool) -> None:
    await market_data_cache.save(pool, [price(b"{}")], AT)
    assert await market_data_cache.load(pool, AT) == []
    await market_data_cache.drop_expired(pool, AT)
    assert await pool.fetchval("SELECT count(*) FROM market_data_cache") == 0


async def test_whatever_a_publisher_does_not_tell_is_announced(
    pool: asyncpg.Pool, database_url: str
) -> None:
    await stocks.ensure(pool, "MSFT")
    data = StockData(pool, "import:told")
    heard: asyncio.Queue[str] = asyncio.Queue()
    batch = make_batch([1.0, 2.0, 3.0, 4.0], symbol="MSFT")
    listening = await asyncpg.connect(database_url)
    try:
        await listening.add_listener(
            market_data_cache.CHANNEL, lambda *notice: heard.put_nowait(notice[-1])
        )
        await data.store([batch[1:2]], "feed", is_told=True)
        await data.store([batch[1:2]], "feed")  # nothing new
        await data.store([batch[3:]], "first run")
        assert await asyncio.wait_for(heard.get(), 5) == "import:told|MSFT"
        await data.store([batch[:2]], "late", is_told=True)
        assert await asyncio.wait_for(heard.get(), 5) == "import:told|MSFT"
        changed = make_batch([1.0, 2.5], symbol="MSFT")
        await data.store([changed[1:]], "correction", Policy.CORRECT, is_told=True)
        assert await asyncio.wait_for(heard.get(), 5) == "import:told|MSFT"
        assert heard.empty()
    finally:
        await listening.close()
