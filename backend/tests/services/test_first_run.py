"""The first start makes something to look at, once."""

from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from app import bootstrap
from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.batch import to_datetime
from app.services.first_run import FirstRun, together
from app.strategies.catalog import Catalogue
from tests.factories import make_batch
from tests.runner.conftest import waves, write_bars
from tests.vendors.twelve_data import TwelveDataLoopback

START = datetime(2025, 6, 2, tzinfo=UTC)


@pytest.fixture
def first(pool: asyncpg.Pool) -> FirstRun:
    return FirstRun(pool, Catalogue())


async def test_an_empty_database_gets_a_simulation_with_history_and_two_deployments(
    pool: asyncpg.Pool, first: FirstRun
) -> None:
    assert await first.simulation(bootstrap.simulator(), START) == 1
    account = await pool.fetchrow("SELECT * FROM accounts")
    assert (account["name"], account["dataset"], account["cash"]) == (
        "Simulation",
        "simulated",
        100_000,
    )
    assert account["clock_at"] == datetime(2025, 5, 30, 20, tzinfo=UTC)
    bars = await pool.fetch("SELECT timeframe, count(*) AS n FROM stock_data GROUP BY 1 ORDER BY 1")
    assert {row["timeframe"]: row["n"] for row in bars} == {"1d": 9 * 249, "1m": 9 * 20 * 390}
    kinds = await pool.fetch("SELECT kind, status FROM commands")
    assert [tuple(row) for row in kinds] == [("deployment_start", "pending")] * 2
    assert await pool.fetchval("SELECT amount FROM cash_movements") == 100_000
    assert await first.simulation(bootstrap.simulator(), START) is None


async def test_a_replay_gets_its_account_once(
    pool: asyncpg.Pool, first: FirstRun, tmp_path: Path
) -> None:
    folder = write_bars(tmp_path / "waves", {"AAPL": waves(40), "NEW": waves(40)})
    assert await first.replay(folder) == 1
    assert await first.replay(folder) is None
    account = await pool.fetchrow("SELECT * FROM accounts")
    assert (account["name"], account["dataset"]) == ("Replay waves", "replay:waves")
    deployment = await pool.fetchrow("SELECT * FROM deployments")
    assert (deployment["symbols"], deployment["timeframe"]) == (["AAPL", "NEW"], "1m")
    assert '"fast": 10' in deployment["parameters"]
    assert await pool.fetchval("SELECT EXISTS (SELECT FROM stocks WHERE symbol = 'NEW')")


async def test_the_catalogue_fills_the_strategies_table(
    pool: asyncpg.Pool, first: FirstRun
) -> None:
    for _ in range(2):
        await first.fill_strategies()
    found = {row["name"] for row in await pool.fetch("SELECT name FROM strategies")}
    assert {"sma_cross", "rsi_reversion", "breakout", "buy_and_hold"} <= found


def test_files_of_other_years_do_not_trade_side_by_side() -> None:
    old = make_batch(waves(30), symbol="OLD")
    pair = [make_batch(waves(30), symbol=symbol, first=390) for symbol in ("SPY", "IBM")]
    assert [batch.symbol for batch in together([old, *pair])] == ["IBM", "SPY"]


def test_symbols_may_be_named_and_must_be_there() -> None:
    batches = [make_batch(waves(30), symbol=symbol) for symbol in ("IBM", "SPY")]
    assert [batch.symbol for batch in together(batches, ["spy"])] == ["SPY"]
    with pytest.raises(InvalidInput, match="no bars of NOPE"):
        together(batches, ["NOPE"])
    with pytest.raises(InvalidInput, match="no bars to replay"):
        together([])


async def test_a_provider_with_a_key_gets_a_live_account_with_history_and_deployments(
    pool: asyncpg.Pool, first: FirstRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = make_batch(waves(390 * 3))
    days = make_batch(waves(3), timeframe=Timeframe.D1)
    start = to_datetime(int(minutes.end[-1]))
    async with TwelveDataLoopback() as vendor:
        for name, value in vendor.variables.items():
            monkeypatch.setenv(name, value)
        vendor.hold(minutes)
        vendor.hold(days)
        vendor.know("SPY")
        assert await bootstrap.configured_feeds() == ("twelve_data",)
        account = await first.live(("twelve_data",), ("AAPL", "SPY", "ZZZZ"), start)
        assert account is not None
        assert (account.name, account.dataset) == ("Live data (paper)", "live")
        assert account.settings.chain == ("twelve_data",)
        again = await first.live(("twelve_data",), ("AAPL",), start)
        assert again == account
        providers, _ = bootstrap.chain(account.settings.chain, "XNYS")
        await first.fill_live(account, providers)
        await providers[0].close()
    bars = await pool.fetch("SELECT timeframe, source, count(*) AS n FROM stock_data GROUP BY 1, 2")
    assert {(row["timeframe"], row["source"]): row["n"] for row in bars} == {
        ("1d", "twelve_data"): 3,
        ("1m", "twelve_data"): 390 * 3,
    }
    traded = await pool.fetch("SELECT symbols FROM deployments")
    assert [row["symbols"] for row in traded] == [["AAPL", "SPY"]]
    assert await first.live(("twelve_data",), ("AAPL",), start) is None


async def test_without_a_key_no_provider_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await bootstrap.configured_feeds() == ()
    monkeypatch.setenv("LIVE_FEEDS", "yfinance,alpaca")
    assert await bootstrap.configured_feeds() == ("yfinance", "alpaca")
