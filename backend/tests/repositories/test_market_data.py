"""Stocks, instruments, quotes, quarantine and gaps on a real PostgreSQL."""

from decimal import Decimal

import asyncpg
import pytest

from app.core.errors import NotFound
from app.domain.instruments import InstrumentKind
from app.domain.market import Timeframe
from app.repositories import instruments, quarantine, quotes, stocks
from app.repositories.quarantine import Refused
from app.repositories.stock_data import StockData
from tests.factories import make_batch, utc


async def test_stocks_are_found_whatever_the_case(pool: asyncpg.Pool) -> None:
    stock = await stocks.get(pool, "aapl")
    assert (stock.symbol, stock.kind, stock.tick) == ("AAPL", "stock", Decimal("0.01"))
    assert await stocks.find(pool, "IBM") is None
    with pytest.raises(NotFound, match="Did you mean NVDA"):
        await stocks.get(pool, "NVDIA")


async def test_a_new_stock_is_made_once(pool: asyncpg.Pool) -> None:
    made = await stocks.ensure(pool, "EURUSD", exchange="24/5", kind=InstrumentKind.FX)
    assert (made.exchange, made.kind) == ("24/5", InstrumentKind.FX)
    assert await stocks.ensure(pool, "EURUSD") == made
    listed = await stocks.list_stocks(pool, ["SPY", "EURUSD", "NOPE"])
    assert [stock.symbol for stock in listed] == ["EURUSD", "SPY"]
    assert len(await stocks.list_stocks(pool)) == 10


async def test_instruments_are_those_of_the_domain(pool: asyncpg.Pool) -> None:
    known = await instruments.load(pool)
    assert known["SPY"] == await instruments.find(pool, "SPY")
    assert (str(known["AAPL"].tick), str(known["AAPL"].lot)) == ("0.01", "1")
    assert known["AAPL"].sector is not None
    assert await instruments.find(pool, "NOPE") is None


async def test_the_newest_price_and_the_close_before_it(pool: asyncpg.Pool) -> None:
    bars = StockData(pool, "simulated")
    await bars.store([make_batch([50], timeframe=Timeframe.D1), make_batch([7] * 391)], "feed")
    (price,) = await quotes.last_prices(pool, "simulated", ["AAPL"])
    assert (price.last, price.previous_close) == (7, 50)
    assert price.at == utc("2024-03-04 14:31")
    (before,) = await quotes.last_prices(pool, "simulated", until=utc("2024-03-01 20:00"))
    assert (before.last, before.previous_close) == (7, None)


async def test_the_newest_quote(pool: asyncpg.Pool) -> None:
    assert await quotes.last_quote(pool, "live", "SPY") is None
    stock = await stocks.get(pool, "SPY")
    for minute in (1, 2):
        await pool.execute(
            "INSERT INTO quotes (dataset, stock_id, at, bid, bid_size, ask, ask_size, source)"
            " VALUES ('live', $1, $2, 10, 100, 11, 200, 'test')",
            stock.id,
            utc(f"2024-03-01 15:0{minute}"),
        )
    quote = await quotes.last_quote(pool, "live", "SPY")
    assert quote is not None
    assert (quote.at, quote.bid, quote.ask_size) == (utc("2024-03-01 15:02"), 10, 200)


async def test_a_record_is_refused_once_however_often_it_comes(pool: asyncpg.Pool) -> None:
    refused = [
        Refused(symbol="IBM", reason="jump", record={"close": "1"}, timeframe=Timeframe.M1),
        Refused(symbol="IBM", reason="future", record={"close": "2"}, at=utc("2030-01-01")),
    ]
    assert await quarantine.add(pool, "import:x", "ibm.csv", refused) == 2
    assert await quarantine.add(pool, "import:x", "ibm.csv", refused) == 0
    assert await quarantine.add(pool, "import:x", "ibm.csv", []) == 0
    assert await quarantine.counts(pool, "import:x") == {"future": 1, "jump": 1}
    assert await quarantine.counts(pool, "import:x", "SPY") == {}
