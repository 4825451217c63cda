"""Live quotes of options: folded to the last a second, valued, stored; bad ones quarantined."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import numpy as np
import orjson
import pytest

from app.core.clock import ManualClock
from app.ingest.option_writer import market_model
from app.ingest.options import OptionCounts, OptionIngest, last_by, split_options
from app.marketdata.batch import QUOTE, BarBatch, QuoteBatch, TickBatch
from app.marketdata.options import OPTION
from app.repositories import quarantine
from app.repositories.options_data import OptionsData
from app.repositories.stock_data import StockData
from tests.factories import make_batch, ns, utc

CALL, PUT = "AAPL240621C00100000", "AAPL240621P00100000"
CLOCK = ManualClock(utc("2024-03-01 16:00"))
Row = tuple[str, str, float, float]


def quotes(*rows: Row) -> QuoteBatch:
    """(symbol, time of 2024-03-01, bid, ask); NaN is an absent side."""
    symbols = tuple(dict.fromkeys(row[0] for row in rows))
    made = np.zeros(len(rows), dtype=QUOTE)
    for i, (symbol, at, bid, ask) in enumerate(rows):
        made[i] = (ns(f"2024-03-01 {at}"), symbols.index(symbol), 0, bid, 10, ask, 10)
    return QuoteBatch(symbols, made)


def ingest(pool: asyncpg.Pool, publisher: "Publisher | None" = None) -> OptionIngest:
    return OptionIngest(pool, "live", source="opra", publisher=publisher, clock=CLOCK)


class Publisher:
    """Remembers the chains that were offered."""

    def __init__(self) -> None:
        self.chains: list[tuple[str, str, dict[str, list[object]], datetime]] = []

    def offer_chain(self, dataset: str, underlying: str, body: bytes, at: datetime) -> None:
        self.chains.append((dataset, underlying, orjson.loads(body), at))

    def offer(self, dataset: str, bars: Sequence[BarBatch]) -> None: ...

    def offer_quotes(self, dataset: str, quotes: QuoteBatch) -> None: ...

    def offer_prints(self, dataset: str, ticks: TickBatch) -> None: ...

    def figures(self) -> dict[str, float]:
        return {}

    async def close(self) -> None: ...


def test_stocks_and_options_part() -> None:
    both = quotes(("AAPL", "15:00", 1, 2), (CALL, "15:00", 3, 4), ("SPY", "15:00", 5, 6))
    stocks, options = split_options(both)
    assert stocks.rows["bid"].tolist() == [1, 5]
    assert options.rows["bid"].tolist() == [3]
    stocks, options = split_options(stocks)
    assert (len(stocks), len(options)) == (2, 0)


async def test_the_last_quote_of_a_second_is_stored_once_the_second_is_over(
    pool: asyncpg.Pool,
) -> None:
    feed = ingest(pool)
    feed.underlying("AAPL", 102.0)
    counts = await feed.take(
        quotes(
            (CALL, "15:00:00.1", 5.0, 5.2),
            (CALL, "15:00:00.9", 5.1, 5.3),
            (PUT, "15:00:00.5", 3.0, 3.2),
        )
    )
    assert counts == OptionCounts(taken=3, folded=1)
    counts = await feed.take(quotes((CALL, "15:00:01.2", 5.2, 5.4)))
    assert counts == OptionCounts(taken=1, stored=2, valued=2)
    assert await feed.flush() == OptionCounts(stored=1, valued=1)
    assert await feed.flush() == OptionCounts()
    rows = await pool.fetch(
        "SELECT i.symbol, o.bid, o.underlying_price, o.implied_volatility, o.delta, o.source"
        " FROM options_data o JOIN instruments i ON i.id = o.contract_id ORDER BY o.at, o.bid"
    )
    assert [(row["symbol"], row["bid"]) for row in rows] == [(PUT, 3.0), (CALL, 5.1), (CALL, 5.2)]
    assert {row["underlying_price"] for row in rows} == {102.0}
    assert -1 < rows[0]["delta"] < 0 < rows[1]["delta"] < 1
    assert 0.1 < rows[1]["implied_volatility"] < 0.5
    assert rows[0]["source"] == "opra"


async def test_bad_quotes_are_quarantined_with_their_reasons(pool: asyncpg.Pool) -> None:
    feed = ingest(pool)
    counts = await feed.take(
        quotes(
            (CALL, "15:00", 5.0, 5.2),
            (CALL, "15:01", 5.3, 5.2),
            (CALL, "15:02", -1.0, 5.2),
            (CALL, "17:02", 5.0, 5.2),
            ("AAPL1240621C00100000", "15:00", 5.0, 5.2),
            ("AAPL", "15:00", 5.0, 5.2),
        )
    )
    assert (counts.taken, counts.refused) == (6, 5)
    await feed.aclose()
    assert await quarantine.counts(pool, "live") == {
        "adjusted": 1,
        "bad_contract": 1,
        "crossed": 1,
        "future": 1,
        "negative": 1,
    }
    row = await pool.fetchrow("SELECT * FROM quarantine WHERE reason = 'crossed'")
    assert (row["kind"], row["symbol"], row["at"]) == ("option", CALL, utc("2024-03-01 15:01"))
    assert orjson.loads(row["record"])["bid"] == "5.3"


async def test_a_symbol_with_blanks_is_the_same_contract(pool: asyncpg.Pool) -> None:
    feed = ingest(pool)
    padded = "AAPL  240621C00100000"
    await feed.take(quotes((CALL, "15:00", 5.0, 5.2), (padded, "15:00", 6.0, 6.2)))
    assert (await feed.flush()).stored == 1
    assert await feed.take(quotes()[:0]) == OptionCounts()


async def test_the_underlyings_price_may_come_from_the_table(pool: asyncpg.Pool) -> None:
    await StockData(pool, "live").store([make_batch([102.0])], "test")
    feed = ingest(pool)
    await feed.take(quotes((CALL, "15:00", 5.0, 5.2), (PUT, "15:00", np.nan, 3.2)))
    assert await feed.flush() == OptionCounts(stored=2, valued=1)
    stored = await pool.fetch("SELECT DISTINCT underlying_price FROM options_data")
    assert [row[0] for row in stored] == [102.0]


async def test_without_any_price_of_the_underlying_there_are_no_greeks(
    pool: asyncpg.Pool,
) -> None:
    feed = ingest(pool)
    await feed.take(quotes((CALL, "15:00", 5.0, 5.2)))
    assert await feed.flush() == OptionCounts(stored=1, valued=0)


async def test_the_chain_is_published_whole(pool: asyncpg.Pool) -> None:
    before = ingest(pool)
    await before.take(quotes((PUT, "14:59", 3.0, 3.2)))
    await before.flush()
    publisher = Publisher()
    feed = ingest(pool, publisher)
    feed.underlying("AAPL", 102.0)
    await feed.take(quotes((CALL, "15:00", 5.0, 5.2)))
    await feed.flush()
    ((dataset, underlying, document, at),) = publisher.chains
    assert (dataset, underlying, at) == ("live", "AAPL", utc("2024-03-01 15:00"))
    assert document["symbol"] == [CALL, PUT]
    assert document["bid"] == [5.0, 3.0]
    await feed.take(quotes((CALL, "15:01", 6.0, 6.2)))
    await feed.flush()
    assert publisher.chains[-1][2]["bid"] == [6.0, 3.0]


async def test_rows_wait_for_a_database_that_is_away(pool: asyncpg.Pool) -> None:
    feed = ingest(pool)
    feed.underlying("AAPL", 102.0)
    await pool.execute("ALTER TABLE options_data RENAME TO away")
    await feed.take(quotes((CALL, "15:00:00", 5.0, 5.2), (PUT, "15:00:00", 3.0, 3.2)))
    with pytest.raises(asyncpg.PostgresError):
        await feed.take(quotes((CALL, "15:00:01", 5.1, 5.3)))
    with pytest.raises(asyncpg.PostgresError):
        await feed.take(quotes((CALL, "15:00:02", 5.2, 5.4)))
    await pool.execute("ALTER TABLE away RENAME TO options_data")
    assert (await feed.flush()).stored == 2, "one a contract: the others were folded"
    chain = await OptionsData(pool, "live").chain(
        await pool.fetchval("SELECT id FROM stocks WHERE symbol = 'AAPL'")
    )
    assert chain.rows["bid"].tolist() == [5.2, 3.0]


def test_the_last_of_every_group_stays_in_the_order_of_time() -> None:
    rows = np.zeros(4, dtype=OPTION)
    rows["at"], rows["contract"], rows["bid"] = [3, 1, 2, 4], [0, 0, 1, 1], [30, 10, 20, 40]
    assert last_by(rows, np.zeros_like)["bid"].tolist() == [30, 40]
    assert last_by(rows, lambda at: at)["bid"].tolist() == [10, 20, 30, 40]
    assert len(last_by(rows[:0], np.zeros_like)) == 0


def test_yields_are_known_by_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTIONS_DIVIDEND_YIELDS", "BRK.B:0.01")
    assert market_model().dividend_yields == {"BRKB": 0.01}
