"""A replay over real splits and dividends, killed on its way, against a backtest of the same."""

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from app.db.session import create_pool
from app.domain.events import PositionAdjusted
from app.domain.market import Timeframe
from app.repositories import account_reports, fold_check
from app.research.report import BacktestRequest
from app.services.backtests import run_on_database
from app.strategies.catalog import Catalogue
from tests.core_process import REPLAY_OVER, running, until
from tests.test_replay_equals_backtest import EXECUTIONS, POSITIONS, TRADES, rows

REQUEST = BacktestRequest(
    strategy="sma_cross",
    symbols=("AAPL", "IBM"),
    timeframe=Timeframe.D1,
    parameters={"fast": 10, "slow": 30},
)
MOVEMENTS = "SELECT kind, amount, at FROM cash_movements WHERE seq IS NOT NULL ORDER BY seq"


def cut(source: Path, target: Path) -> Path:
    """Two and a half years of daily bars with AAPL's split of 2014, and the factor files."""
    target.mkdir()
    for symbol in REQUEST.symbols:
        header, *lines = gzip.decompress((source / f"{symbol}.csv.gz").read_bytes()).splitlines()
        kept = [line for line in lines if b"2013-01-01" <= line < b"2015-07-01"]
        (target / f"{symbol}.csv").write_bytes(b"\n".join([header, *kept]))
        factors = (source / f"{symbol}.factors.csv.gz").read_bytes()
        (target / f"{symbol}.factors.csv.gz").write_bytes(factors)
    return target


async def test_money_and_shares_are_the_same_row_by_row(
    shared_data: Path, tmp_path: Path, database_url: str
) -> None:
    bars = cut(shared_data / "equity_daily", tmp_path / "bars")
    variables = {"TRADEWRIGHT_REPLAY": bars, "TRADEWRIGHT_REPLAY_SPEED": 0}
    pool = await create_pool(database_url, max_size=3)
    try:
        async with running(database_url, tmp_path, **variables) as core:
            await until(pool, f"SELECT EXISTS ({MOVEMENTS})", core=core)
            await core.kill()
        async with running(database_url, tmp_path, **variables) as core:
            await until(pool, REPLAY_OVER, core=core)
            assert await core.stop() == 0
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
        assert await rows(pool, MOVEMENTS) == [
            (e.kind, e.amount, e.at) for e in result.journal.adjustments if hasattr(e, "amount")
        ]
        (split,) = [e for e in result.journal.adjustments if isinstance(e, PositionAdjusted)]
        assert split.position.quantity == 7 * split.before
        assert await pool.fetchval("SELECT cash FROM accounts") == result.final_cash
        assert await rows(pool, POSITIONS) == [(p.symbol, p.quantity) for p in result.positions]
        assert await pool.fetchval("SELECT count(*) FROM corporate_actions") == 133
        assert await pool.fetchval("SELECT bool_and(differences = '{}') FROM reconciliations")
        account_id = await pool.fetchval("SELECT id FROM accounts")
        assert await fold_check.differences(pool, account_id) == []
        moves = await account_reports.fills(pool, account_id)
        shares = {one["instrument_id"]: 0.0 for one in moves}
        for one in moves:
            shares[one["instrument_id"]] += one["quantity"]
        assert sum(shares.values()) == sum(float(p.quantity) for p in result.positions)
        assert 100_000 + sum(one["cash"] for one in moves) == pytest.approx(
            float(result.final_cash)
        )
        assert result.final_equity == pytest.approx(Decimal(result.equity[-1]), abs=Decimal("0.01"))
    finally:
        await pool.close()
