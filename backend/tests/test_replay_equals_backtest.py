"""The paper account that the real trading process replays, against a backtest on the same bars."""

import asyncio
import csv
import json
import os
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from app.db.session import create_pool
from app.domain.commands import CommandKind
from app.domain.market import Timeframe
from app.repositories import commands, config, deployments, strategies
from app.research.report import BacktestRequest
from app.services.backtests import run_on_database
from app.services.first_run import FirstRun
from app.strategies.catalog import Catalogue
from tests import core_process
from tests.core_process import REPLAY_OVER, running, until

DAYS = tuple(f"2013-10-{day:02}" for day in (4, 7, 8, 9, 10, 11))
REQUEST = BacktestRequest(
    strategy="sma_cross",
    symbols=("IBM", "SPY"),
    timeframe=Timeframe.M1,
    parameters={"fast": 10, "slow": 30},
)
EXECUTIONS = """
SELECT e.at, i.symbol, e.side, e.quantity, e.price, e.commission
FROM executions e JOIN instruments i ON i.id = e.instrument_id ORDER BY e.id
"""
TRADES = """
SELECT i.symbol, t.quantity, t.entry_at, t.entry_price, t.exit_at, t.exit_price, t.commission,
       t.pnl, t.exit_leg
FROM trades t JOIN instruments i ON i.id = t.instrument_id ORDER BY t.id
"""
POSITIONS = """
SELECT i.symbol, p.quantity FROM positions p JOIN instruments i ON i.id = p.instrument_id
WHERE p.quantity <> 0 ORDER BY 1
"""


async def test_executions_and_trades_are_the_same_row_by_row(
    shared_data: Path, tmp_path: Path, database_url: str
) -> None:
    bars = core_process.cut(shared_data / "equity_minute", tmp_path / "bars", ("SPY", "IBM"), DAYS)
    pool = await create_pool(database_url, max_size=3)
    try:
        await replay(pool, database_url, tmp_path, bars)
        report = await run_on_database(pool, Catalogue(), REQUEST, dataset="replay:bars")
        result = report.result

        assert await rows(pool, EXECUTIONS) == [
            (x.at, x.symbol, x.side, x.quantity, x.price, x.commission) for x in result.executions
        ]
        assert await rows(pool, TRADES) == [
            (t.symbol, t.quantity, t.entry_at, t.entry_price, t.exit_at, t.exit_price, t.commission,
             t.pnl, t.exit_leg)
            for t in result.trades
        ]  # fmt: skip
        assert await pool.fetchval("SELECT cash FROM accounts") == result.final_cash
        assert await rows(pool, POSITIONS) == [
            (one.symbol, one.quantity) for one in report.open_positions
        ]
        assert len(result.trades) > 90

        told, listed = await command(database_url, tmp_path)
        assert told["journal_hash"] == result.journal_hash
        assert told["causality"] == "causal"
        assert Decimal(told["final_equity"]) == result.final_equity
        assert [(row["symbol"], Decimal(row["pnl"])) for row in listed] == [
            (trade.symbol, trade.pnl) for trade in result.trades
        ]
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("strategy", "parameters", "days", "moves"),
    [
        ("pairs", {"length": 30, "entry": 1.5}, DAYS[:1], 10),
        ("rotation", {"length": 1}, DAYS[2:5], 1),
    ],
)
async def test_a_panel_goes_through_a_crash_as_through_a_backtest(
    shared_data: Path,
    tmp_path: Path,
    database_url: str,
    strategy: str,
    parameters: dict[str, Any],
    days: Sequence[str],
    moves: int,
) -> None:
    bars = core_process.cut(shared_data / "equity_minute", tmp_path / "bars", ("SPY", "IBM"), days)
    pool = await create_pool(database_url, max_size=3)
    try:
        await config.change(pool, "all", "allow_short", True, "test", "pairs sell short")
        await deployed(pool, bars, strategy, parameters)
        variables = {"TRADEWRIGHT_REPLAY": bars, "TRADEWRIGHT_REPLAY_SPEED": 0}
        async with running(database_url, tmp_path, **variables) as core:
            await until(pool, "SELECT count(*) > 0 FROM executions", core=core)
            await core.kill()
        await replay(pool, database_url, tmp_path, bars)
        request = structs.replace(REQUEST, strategy=strategy, parameters=parameters)
        report = await run_on_database(pool, Catalogue(), request, dataset="replay:bars")

        assert await rows(pool, EXECUTIONS) == [
            (x.at, x.symbol, x.side, x.quantity, x.price, x.commission)
            for x in report.result.executions
        ]
        assert await pool.fetchval("SELECT cash FROM accounts") == report.result.final_cash
        assert len(report.result.executions) >= moves
        assert await pool.fetchval("SELECT bool_and(differences = '{}') FROM reconciliations")
    finally:
        await pool.close()


async def deployed(
    pool: asyncpg.Pool, bars: Path, strategy: str, parameters: dict[str, Any]
) -> None:
    """The account of the replay, with this strategy in place of the one that it begins with."""
    catalogue = Catalogue()
    account_id = await FirstRun(pool, catalogue).replay(bars)
    assert account_id is not None
    await pool.execute("DELETE FROM commands")
    await pool.execute("DELETE FROM deployments")
    complete = catalogue.make(strategy, parameters).parameters
    said = catalogue.describe(strategy)
    strategy_id = await strategies.ensure(
        pool, strategy, said.description, said.defaults, said.parameters_schema, said.origin
    )
    deployment_id = await deployments.add(
        pool,
        account_id=account_id,
        strategy_id=strategy_id,
        name=strategy,
        parameters=complete,
        symbols=list(REQUEST.symbols),
        timeframe=Timeframe.M1,
        capital=None,
        created_by=None,
    )
    payload = {"deployment_id": deployment_id, "strategy": strategy, "parameters": complete}
    payload |= {"symbols": list(REQUEST.symbols), "timeframe": "1m", "capital": None}
    await commands.submit(pool, account_id, CommandKind.DEPLOYMENT_START, payload, "test")


async def replay(pool: asyncpg.Pool, url: str, home: Path, bars: Path) -> None:
    variables = {"TRADEWRIGHT_REPLAY": bars, "TRADEWRIGHT_REPLAY_SPEED": 0}
    async with running(url, home, **variables) as core:
        await until(pool, REPLAY_OVER, core=core)
        assert await core.stop() == 0


async def command(url: str, folder: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """What `tradewright backtest` says, and the round trips that it writes."""
    trades = folder / "trades.csv"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "backtest", "sma_cross", "--symbols", "IBM,SPY",
        "--dataset", "replay:bars", "--param", "fast=10", "--param", "slow=30",
        "--trades", str(trades), "--json",
        env={**os.environ, "DATABASE_URL": url}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    with trades.open(newline="") as file:
        return json.loads(output), list(csv.DictReader(file))


async def rows(pool: asyncpg.Pool, question: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await pool.fetch(question)]
