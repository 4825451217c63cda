"""Option chains: volatilities and greeks a second, quotes stored, and chains over HTTP."""

import asyncio
import csv
import json
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import numpy as np

from app.core.clock import from_ns
from app.db.copy import Instants, Value, copy_in
from app.domain.options import OptionContract, OptionType
from app.ingest.option_writer import OptionWriter
from app.marketdata import american
from app.marketdata.black_scholes import Terms
from app.marketdata.calendar import trading_calendar
from app.marketdata.option_chain import NUMBERS
from app.marketdata.options import MarketModel, OptionBatch, valued
from benchmarks.api import calls
from benchmarks.measure import (
    Result,
    at_least,
    at_most,
    percentile,
    result,
    scratch_home,
    scratch_pool,
    timed,
)
from benchmarks.start import running

DAY = date(2024, 3, 1)
SPOT = 100.0
EXPIRIES = 12
STRIKES = 100
INSTANTS = 10
EVERY_SECOND = 10_000
"Contracts that move in a busy second on nine symbols."


def options() -> list[Result]:
    chain = sample_chain()
    rates = MarketModel(((0.0, 0.04),), {"BENCH": 0.01})
    best = min(timed(lambda: valued(chain, trading_calendar(), rates))[0] for _ in range(3))
    stored, bare = asyncio.run(_stored(chain, rates))
    newest, one = _over_http()
    return [
        at_least("options: volatilities and greeks, American", len(chain) / best, "contracts/s",
                 EVERY_SECOND),
        result(
            "options: quotes valued and stored", len(chain) / stored, "rows/s",
            limit=len(chain) / bare, against="binary COPY of the same rows into the same table",
            figure="none: the greeks take the time",
        ),
        at_most("http: a chain of 2,400 contracts, p95", percentile(newest, 0.95), "ms", 50),
        at_most("http: one expiry of it, p95", percentile(one, 0.95), "ms", 50),
    ]  # fmt: skip


def sample_chain() -> OptionBatch:
    """Prices of a surface with a smile, a day apart: INSTANTS rows of each of 2,400 contracts."""
    contracts = [
        OptionContract("BENCH", DAY + timedelta(days=7 * (1 + week) ** 2), Decimal(strike), kind)
        for week in range(EXPIRIES)
        for strike in np.linspace(60, 159, STRIKES).round().astype(int).tolist()
        for kind in OptionType
    ]
    which = np.tile(np.arange(len(contracts)), INSTANTS)
    session = trading_calendar().session_on(DAY)
    assert session is not None
    at = session.open + np.repeat(np.arange(INSTANTS), len(contracts)) * 60_000_000_000
    spot = SPOT + np.repeat(np.linspace(-1, 1, INSTANTS), len(contracts))
    years = np.array([(one.expiry - DAY).days for one in contracts])[which] / 365
    strikes = np.array([float(one.strike) for one in contracts])[which]
    calls_ = np.array([one.option_type is OptionType.CALL for one in contracts])[which]
    ones = np.ones(len(which))
    terms = Terms(spot, strikes, years, 0.04 * ones, 0.01 * ones, calls_)
    prices = american.price(terms, 0.2 + 0.3 * np.log(strikes / spot) ** 2)
    prices = np.maximum(prices.round(2), 0.01)
    return OptionBatch.of(contracts, at, which, bid=prices, ask=prices, underlying_price=spot)


async def _stored(chain: OptionBatch, rates: MarketModel) -> tuple[float, float]:
    """Seconds of the product, and of a bare COPY."""
    async with scratch_pool() as pool:
        writer = OptionWriter(pool, "import:product", source="bench", model=rates)
        began = time.perf_counter()
        for first in range(0, len(chain), len(chain) // INSTANTS):
            await writer.write(chain[first : first + len(chain) // INSTANTS])
        product = time.perf_counter() - began
        ids = await pool.fetch("SELECT id FROM option_contracts ORDER BY id LIMIT 2400")
        columns: dict[str, Value | Instants] = {
            "dataset": "import:bare",
            "contract_id": np.array([row["id"] for row in ids])[chain.rows["contract"]],
            "at": Instants(chain.rows["at"]),
            **{name: np.nan_to_num(chain.rows[name]) for name in NUMBERS[:5]},
            "underlying_price": chain.rows["underlying_price"],
            "source": "bench",
        }
        async with pool.acquire() as db:
            began = time.perf_counter()
            await copy_in(db, "options_data", columns, len(chain))
            return product, time.perf_counter() - began


def _over_http() -> tuple[list[float], list[float]]:
    """Milliseconds of a whole chain, and of one expiry."""
    with scratch_home() as home, running(home) as platform:
        file = home / "chain.csv"
        write_csv(file)
        platform.run("data", "import", str(file), "--kind", "options", "--dataset", "bench")
        words = ("keys", "create", "--name", "bench", "--scopes", "read", "--json")
        key = json.loads(platform.run(*words))["key"]
        path = "/api/stocks/BENCH/options?dataset=import:bench&limit=5000"
        with httpx.Client(base_url=platform.url, headers={"Authorization": f"Bearer {key}"}) as web:
            expiry = web.get(path).raise_for_status().json()["expiries"][3]
            return calls(web, path), calls(web, f"{path}&expiry={expiry}")


def write_csv(file: Path) -> None:
    """The newest row of each contract, as vendors write chains."""
    chain = sample_chain()
    newest = chain[len(chain) - len(chain) // INSTANTS :]
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("symbol", "ts_utc", "bid", "ask", "underlying_price"))
        for row in newest.rows:
            at = from_ns(int(row["at"])).isoformat()
            symbol = chain.contracts[row["contract"]].symbol
            writer.writerow((symbol, at, row["bid"], row["ask"], row["underlying_price"]))
