"""Contracts and their quotes on a real PostgreSQL."""

from datetime import date
from decimal import Decimal

import asyncpg
import numpy as np
import pytest

from app.domain.options import OptionContract, OptionType
from app.marketdata.options import OptionBatch
from app.repositories import instruments, option_contracts, options_data, stocks
from app.repositories.options_data import OptionsData
from app.repositories.stock_data import StockData, Stored
from tests.factories import make_batch, ns, utc
from tests.marketdata.test_options import chain, contract

CALL, PUT = contract(100, root="AAPL"), contract(100, OptionType.PUT, root="AAPL")


async def aapl(pool: asyncpg.Pool) -> int:
    return (await stocks.get(pool, "AAPL")).id


async def test_a_contract_is_an_instrument_of_a_hundred_shares(pool: asyncpg.Pool) -> None:
    ids = await option_contracts.ensure(pool, [CALL, PUT])
    assert await option_contracts.ensure(pool, [PUT, CALL]) == ids
    found = await instruments.find(pool, "AAPL240621C00100000")
    assert found is not None
    assert (found.kind, found.multiplier, found.tick) == ("option", 100, Decimal("0.01"))
    listed = await option_contracts.listed(pool, await aapl(pool))
    assert listed == {ids[CALL]: CALL, ids[PUT]: PUT}
    assert await option_contracts.listed(pool, await aapl(pool), date(2024, 6, 22)) == {}


async def test_a_root_stands_for_a_stock_with_punctuation(pool: asyncpg.Pool) -> None:
    made = await stocks.ensure(pool, "BRK.B")
    found = await option_contracts.underlyings(pool, ["BRKB", "AAPL", "NEWCO"])
    assert found["BRKB"] == (made.id, "BRK.B")
    assert found["AAPL"] == (await aapl(pool), "AAPL")
    assert found["NEWCO"][1] == (await stocks.get(pool, "NEWCO")).symbol


async def test_rows_are_stored_once_and_corrected(pool: asyncpg.Pool) -> None:
    table = OptionsData(pool, "import:x")
    rows = chain([CALL, PUT], "2024-03-01 15:00", bid=[5, 1], ask=[6, np.nan])
    assert await table.store(rows, "test") == Stored(inserted=2)
    assert await table.store(rows, "test") == Stored(unchanged=2)
    rows.rows["bid"][0] = 5.5
    assert await OptionsData(pool, "import:x").store(rows, "again") == Stored(0, 1, 1)
    assert await table.store(rows[:0], "test") == Stored()
    stored = await pool.fetch("SELECT bid, ask, last, source FROM options_data ORDER BY bid")
    assert [tuple(row) for row in stored] == [(1, None, None, "test"), (5.5, 6, None, "again")]


async def test_a_chain_is_the_newest_row_of_each_contract(pool: asyncpg.Pool) -> None:
    table = OptionsData(pool, "import:x")
    await table.store(chain([CALL, PUT], "2024-03-01 15:00", bid=[5, 1]), "test")
    await table.store(chain([CALL], "2024-03-04 15:00", bid=[7]), "test")
    await OptionsData(pool, "import:y").store(chain([PUT], "2024-03-04 15:00", bid=[9]), "test")
    stock = await aapl(pool)
    newest = await table.chain(stock)
    assert newest.contracts == [CALL, PUT]
    assert newest.rows["bid"].tolist() == [7, 1]
    assert newest.at == ns("2024-03-04 15:00")
    assert np.isnan(newest.rows["ask"]).all()
    earlier = await table.chain(stock, at=utc("2024-03-02 00:00"))
    assert earlier.rows["bid"].tolist() == [5, 1]
    assert len(await table.chain(stock, since=date(2024, 6, 22))) == 0
    assert (await OptionsData(pool, "import:y").chain(stock)).contracts == [PUT]
    assert await options_data.datasets(pool) == ["import:x", "import:y"]
    assert await options_data.datasets_of(pool, stock) == ["import:x", "import:y"]
    assert await options_data.datasets_of(pool, (await stocks.get(pool, "SPY")).id) == []


async def test_many_roots_go_in_one_batch(pool: asyncpg.Pool) -> None:
    table = OptionsData(pool, "import:x")
    other = OptionContract("SPY", CALL.expiry, Decimal("512.5"), OptionType.CALL)
    both = OptionBatch.of(
        [CALL, other],
        np.array([ns("2024-03-01 15:00")] * 2),
        np.array([0, 1]),
        last=np.array([1.0, 2.0]),
    )
    assert await table.store(both, "test") == Stored(inserted=2)
    spy = await stocks.get(pool, "SPY")
    assert (await table.chain(spy.id)).contracts == [other]


async def test_a_bad_row_stores_none(pool: asyncpg.Pool) -> None:
    table = OptionsData(pool, "import:x")
    rows = chain([CALL, PUT], "2024-03-01 15:00", bid=[5, -1])
    with pytest.raises(asyncpg.CheckViolationError):
        await table.store(rows, "test")
    assert await pool.fetchval("SELECT count(*) FROM options_data") == 0


async def test_the_underlyings_price_is_the_newest_of_quote_and_bar(pool: asyncpg.Pool) -> None:
    table = OptionsData(pool, "import:x")
    assert await table.underlying_price("AAPL", utc("2024-03-01 15:00")) is None
    await StockData(pool, "import:x").store([make_batch([50, 51, 52])], "test")
    assert await table.underlying_price("AAPL", utc("2024-03-01 15:00")) == 52
    assert await table.underlying_price("AAPL", utc("2024-03-01 14:31")) == 50
    await pool.execute(
        "INSERT INTO quotes (dataset, stock_id, at, bid, bid_size, ask, ask_size, source)"
        " VALUES ('import:x', $1, $2, 60, 1, 62, 1, 'test')",
        await aapl(pool),
        utc("2024-03-01 14:40"),
    )
    assert await table.underlying_price("AAPL", utc("2024-03-01 15:00")) == 61


async def test_caches_hear_of_what_is_stored(pool: asyncpg.Pool) -> None:
    heard: list[str] = []
    async with pool.acquire() as connection:
        await connection.add_listener("market_data", lambda *words: heard.append(words[-1]))
        table = OptionsData(pool, "import:x")
        await table.store(chain([CALL], "2024-03-01 15:00", bid=[5]), "test")
        await table.store(chain([CALL], "2024-03-01 15:01", bid=[5]), "test", announced=False)
        await connection.execute("SELECT 1")
        await connection.reset()
    assert heard == ["import:x|AAPL"]
