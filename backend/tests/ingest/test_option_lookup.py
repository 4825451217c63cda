"""Contracts to follow: whoever lists them, around whatever price is known."""

from collections.abc import AsyncIterator, Sequence
from datetime import date

import asyncpg
import pytest

from app.core.clock import ManualClock
from app.core.errors import FeedRefused, NotFound, Unavailable
from app.db.session import opened_pool
from app.ingest.option_lookup import OptionLookup
from app.marketdata.option_choice import OptionLimits
from app.marketdata.ports import OptionSnapshot
from app.repositories import stocks
from app.repositories.stock_data import StockData
from tests.factories import make_batch, utc

TODAY = date(2024, 3, 4)
NOW = utc("2024-03-04 15:00")
NEAR, FAR = "BRKB240315C00400000", "BRKB240315C00900000"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with opened_pool(database_url) as opened:
        await stocks.ensure(opened, "BRK.B")
        yield opened


class Vendor:
    """Lists contracts, or refuses."""

    def __init__(self, name: str, *symbols: str, price: float | None = None) -> None:
        self.name = name
        self.symbols = symbols
        self.price = price

    async def chain(self, underlying: str, expiry: date | None = None) -> list[OptionSnapshot]:
        if not self.symbols:
            raise FeedRefused(f"{self.name} wants more money.", api_name=self.name)
        return [
            OptionSnapshot(symbol=symbol, at=NOW, underlying_price=self.price)
            for symbol in self.symbols
        ]


async def found(
    pool: asyncpg.Pool, sources: Sequence[Vendor], price: float | None = None
) -> list[str]:
    lookup = OptionLookup(sources, pool, "live", OptionLimits(), ManualClock(NOW))
    return [one.symbol for one in await lookup.contracts("BRK.B", price, TODAY)]


async def test_the_next_provider_is_asked_where_one_refuses(pool: asyncpg.Pool) -> None:
    sources = [Vendor("poor"), Vendor("rich", NEAR, FAR, "BRKB1240315C00400000", "nonsense")]
    assert await found(pool, sources, price=405.0) == [NEAR]


async def test_the_price_is_the_feeds_else_the_tables_else_the_vendors(pool: asyncpg.Pool) -> None:
    source = Vendor("vendor", NEAR, FAR, price=905.0)
    assert await found(pool, [source]) == [FAR]
    await StockData(pool, "live").store([make_batch([404.0], symbol="BRK.B")], "test")
    assert await found(pool, [source]) == [NEAR]
    assert await found(pool, [source], price=890.0) == [FAR]


async def test_without_a_price_another_try_may_help(pool: asyncpg.Pool) -> None:
    with pytest.raises(Unavailable, match=r"No price of BRK\.B is known yet"):
        await found(pool, [Vendor("vendor", NEAR)])


async def test_nothing_within_the_limits_says_what_to_widen(pool: asyncpg.Pool) -> None:
    with pytest.raises(NotFound, match=r"no contract within 30 days and 10 % of 500\..*Widen"):
        await found(pool, [Vendor("vendor", NEAR, FAR)], price=500.0)


async def test_what_is_stored_must_do_where_all_refuse(pool: asyncpg.Pool) -> None:
    with pytest.raises(FeedRefused, match="poor wants more money"):
        await found(pool, [Vendor("poor"), Vendor("poorer")], price=400.0)
    await found(pool, [Vendor("rich", NEAR)], price=400.0)
    assert await found(pool, [Vendor("poor")], price=400.0) == [NEAR]
