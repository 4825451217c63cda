"""Chains of vendors into the tables."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest

from app.core.clock import ManualClock
from app.db.session import opened_pool
from app.ingest.option_chains import ChainReport, fetch_chain, store_chain
from app.marketdata.options import MarketModel
from app.marketdata.ports import OptionSnapshot
from app.repositories import quarantine
from tests.factories import utc

AT = utc("2024-03-01 15:00")
CLOCK = ManualClock(utc("2024-03-01 16:00"))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with opened_pool(database_url) as opened:
        yield opened


def snapshot(symbol: str, bid: float | None, **more: float | None) -> OptionSnapshot:
    return OptionSnapshot(
        symbol=symbol,
        at=AT,
        bid=bid,
        ask=None if bid is None else bid + 0.2,
        underlying_price=102.0,
        **more,
    )


CHAIN = [
    snapshot("AAPL240621C00100000", 5.0, volume=3, open_interest=10),
    snapshot("AAPL240621P00100000", None, last=3.0),
    snapshot("AAPL240621C00300000", 0.0),
    snapshot("AAPL240621C00100000", 5.0, volume=3, open_interest=10),
    snapshot("AAPL240621C001", 5.0),
    snapshot("AAPL240621C00105000", -5.0),
]


class Vendor:
    """Shows one chain."""

    name = "vendor"

    async def chain(self, underlying: str, expiry: date | None = None) -> list[OptionSnapshot]:
        assert (underlying, expiry) == ("AAPL", date(2024, 6, 21))
        return CHAIN


async def test_a_chain_is_fetched_valued_and_stored_once(pool: asyncpg.Pool) -> None:
    async def fetched() -> ChainReport:
        return await fetch_chain(Vendor(), pool, "import:x", "AAPL", date(2024, 6, 21), clock=CLOCK)

    first = await fetched()
    assert (first.rows_stored, first.duplicates, first.rows_valued) == (3, 1, 2)
    assert (first.rows_quarantined, first.reasons) == (2, {"bad_contract": 1, "negative": 1})
    again = await fetched()
    assert (again.rows_stored, again.rows_corrected, again.duplicates) == (0, 0, 4)
    assert await quarantine.counts(pool, "import:x") == {"bad_contract": 1, "negative": 1}
    rows = await pool.fetch("SELECT bid, volume, delta FROM options_data ORDER BY bid")
    assert [(row["bid"], row["volume"]) for row in rows] == [(5.0, 3.0), (None, None), (None, None)]


async def test_other_rates_correct_the_greeks(pool: asyncpg.Pool) -> None:
    await store_chain(pool, "import:x", CHAIN[:1], source="vendor", clock=CLOCK)
    before = await pool.fetchval("SELECT rho FROM options_data")
    model = MarketModel(((0.0, 0.0),))
    report = await store_chain(
        pool, "import:x", CHAIN[:1], source="vendor", model=model, clock=CLOCK
    )
    assert (report.rows_stored, report.rows_corrected) == (0, 1)
    assert await pool.fetchval("SELECT rho FROM options_data") != before


async def test_an_empty_chain_is_no_trouble(pool: asyncpg.Pool) -> None:
    report = await store_chain(pool, "import:x", [], source="vendor", clock=CLOCK)
    assert (report.rows_stored, report.contracts) == (0, 0)
