"""Chains of vendors into the tables."""

from datetime import date

import asyncpg
import pytest

from app.core.clock import ManualClock, to_ns
from app.ingest.option_chains import ChainReport, fetch_chain, store_chain
from app.marketdata.options import MarketModel
from app.marketdata.ports import OptionSnapshot
from app.repositories import quarantine
from tests.contracts.alpaca_vendor import alpaca_vendor
from tests.contracts.databento_vendor import databento_vendor
from tests.factories import utc
from tests.vendors import databento_records as records

AT = utc("2024-03-01 15:00")
CLOCK = ManualClock(utc("2024-03-01 16:00"))


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


async def test_contracts_that_are_only_defined_are_known_and_have_no_rows(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    morning, clock = utc("2026-11-20 11:00"), ManualClock(utc("2026-11-20 17:00"))
    async with databento_vendor(monkeypatch, clock) as vendor:
        vendor.loopback.history.end = "2026-11-20T16:50:00Z"
        for symbol in ("AAPL  261218C00250000", "AAPL  270115P00200000"):
            vendor.loopback.history.add(records.definition(symbol, "AAPL", to_ns(morning)))
        report = await fetch_chain(vendor.source, pool, "live", "AAPL", clock=clock)
    assert (report.contracts, report.rows_stored, report.rows_quarantined) == (2, 0, 0)
    assert await pool.fetchval("SELECT count(*) FROM option_contracts") == 2


async def test_a_chain_of_alpaca_arrives_with_greeks(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(utc("2026-11-20 17:00"))
    async with alpaca_vendor(monkeypatch, clock) as vendor:
        at = "2026-11-20T16:59:58.5Z"
        quote = {"t": at, "ax": "C", "ap": 5.1, "as": 3, "bx": "N", "bp": 4.9, "bs": 2, "c": "A"}
        vendor.server.chains = {"AAPL": {"AAPL261218C00250000": {"latestQuote": quote}}}
        await vendor.server.trade("AAPL", to_ns(clock.now()), 245.0, 100)
        report = await fetch_chain(vendor.source, pool, "live", "AAPL", clock=clock)
    assert (report.rows_stored, report.rows_valued) == (1, 1)
    row = await pool.fetchrow("SELECT * FROM options_data")
    assert (row["bid"], row["ask"], row["source"]) == (4.9, 5.1, "alpaca")
    assert 0 < row["delta"] < 1
