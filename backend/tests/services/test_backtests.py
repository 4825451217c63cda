"""Backtests on files and on the database, and what is kept of them."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import msgspec
import numpy as np
import orjson
import pytest

from app.core.errors import InvalidInput, NotFound
from app.domain.limits import UNLIMITED, Limits
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, to_datetime
from app.repositories import backtests, config, stocks
from app.repositories.journal import SharedJournal, read
from app.repositories.stock_data import StockData
from app.research.causality import Verdict
from app.research.report import BacktestRequest
from app.services.backtests import run_on_database, run_on_files
from app.strategies.catalog import Catalogue
from tests.factories import make_batch, utc
from tests.research.test_sources import write

REQUEST = BacktestRequest(
    strategy="sma_cross",
    symbols=("AAPL",),
    timeframe=Timeframe.M1,
    parameters={"fast": "3", "slow": 10},
)


def wave(symbol: str = "AAPL", count: int = 900) -> BarBatch:
    """Three sessions up and down, so that averages cross."""
    closes = 100 + 3 * np.sin(np.arange(count) / 12)
    return make_batch(np.round(closes, 2).tolist(), symbol=symbol, volume=1e6)


async def stored(pool: asyncpg.Pool, dataset: str, *batches: BarBatch) -> None:
    for batch in batches:
        await stocks.ensure(pool, batch.symbol)
    await StockData(pool, dataset).store(batches, "test")


async def test_a_run_is_kept_with_its_round_trips_and_its_curve(pool: asyncpg.Pool) -> None:
    await stored(pool, "import:wave", wave())

    journal = SharedJournal(pool, b"k" * 32)
    report = await run_on_database(pool, Catalogue(), REQUEST, journal=journal)

    row = await pool.fetchrow("SELECT * FROM backtests")
    (event,) = await read(pool, "system")
    assert event.event_type == "backtest_finished"
    told = orjson.loads(event.payload)
    assert (told["backtest_id"], told["strategy"]) == (row["id"], "sma_cross")
    assert Decimal(told["final_equity"]) == row["final_equity"]
    assert row["id"] == report.backtest_id
    assert (row["status"], row["causality"], row["progress"]) == ("finished", "causal", 1)
    assert (row["dataset"], row["symbols"], row["limits"]) == ("import:wave", ["AAPL"], "account")
    assert row["parameters"] == '{"fast": 3, "slow": 10, "short": false}'
    assert row["final_equity"] == report.result.final_equity
    assert row["journal_hash"] == report.result.journal_hash
    trades = await pool.fetch("SELECT symbol, pnl FROM backtest_trades ORDER BY number")
    assert [tuple(trade) for trade in trades] == [("AAPL", t.pnl) for t in report.result.trades]
    assert len(trades) > 5
    artefact = backtests.unpack(row["artefact"])
    assert artefact.executions == list(report.result.executions)
    assert artefact.equity == report.result.equity.tolist()


async def test_the_limits_are_those_of_the_account_or_none(pool: asyncpg.Pool) -> None:
    await stored(pool, "import:wave", wave())
    await config.change(pool, "all", "max_position_size", "0.02", "test", "")

    limited = await run_on_database(pool, Catalogue(), REQUEST)
    free = await run_on_database(pool, Catalogue(), msgspec.structs.replace(REQUEST, limits="none"))

    assert limited.result.limits == msgspec.structs.replace(
        Limits(), max_position_size=Decimal("0.02")
    )
    assert free.result.limits == UNLIMITED
    assert free.result.executions[0].quantity > 40 * limited.result.executions[0].quantity


async def test_a_later_start_is_warmed_by_the_bars_before_it(pool: asyncpg.Pool) -> None:
    await stored(pool, "import:wave", wave())
    start = utc("2024-03-04 14:30")
    later = msgspec.structs.replace(REQUEST, start=start, end=start + timedelta(hours=2))

    report = await run_on_database(pool, Catalogue(), later)

    assert (report.start, report.result.bars) == (start, 120)
    assert report.end == start + timedelta(hours=2)
    assert report.result.executions[0].at <= start + timedelta(minutes=30)


async def test_a_panel_that_starts_later_is_warmed_by_the_days_before_it(
    pool: asyncpg.Pool,
) -> None:
    """From the third of January its block begins with the year: the days before it count too."""
    days = date(2023, 12, 26)
    ramps = np.arange(390 * 6) / 100
    up = make_batch((100 + ramps).tolist(), symbol="AAPL", day=days, volume=1e6)
    flat = make_batch((100 + ramps * 0).tolist(), symbol="IBM", day=days, volume=1e6)
    await stored(pool, "import:ramps", up, flat[7:])
    start = utc("2024-01-03 14:30")
    asked = replaced(
        strategy="rotation", symbols=("IBM", "AAPL"), parameters={"length": 3}, start=start
    )

    report = await run_on_database(pool, Catalogue(), asked)

    (bought,) = report.result.executions[:1]
    assert (bought.symbol, bought.at) == ("AAPL", start + timedelta(minutes=1))
    assert report.causality.verdict is Verdict.CAUSAL


async def test_symbols_that_a_panel_refuses_leave_no_run(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await stored(pool, "import:wave", wave())
    with pytest.raises(InvalidInput, match="exactly two symbols, not 1") as caught:
        await run_on_database(pool, Catalogue(), replaced(strategy="pairs", parameters={}))
    assert caught.value.field == "symbols"
    path = write(tmp_path, wave())
    with pytest.raises(InvalidInput, match="exactly two symbols, not 1"):
        run_on_files(Catalogue(), replaced(strategy="pairs", parameters={}), path)
    assert await pool.fetchval("SELECT count(*) FROM backtests") == 0


async def test_bars_that_are_not_there_are_told_with_those_that_are(pool: asyncpg.Pool) -> None:
    with pytest.raises(InvalidInput, match="holds no bars yet"):
        await run_on_database(pool, Catalogue(), REQUEST)
    await stored(pool, "import:wave", wave())
    await stocks.ensure(pool, "IBM")

    with pytest.raises(NotFound, match=r"Did you mean AAPL\?"):
        await run_on_database(pool, Catalogue(), replaced(symbols=("APPL",)))
    with pytest.raises(InvalidInput, match=r"No data set has 1m bars of IBM\. .* import:wave"):
        await run_on_database(pool, Catalogue(), replaced(symbols=("IBM",)))
    with pytest.raises(InvalidInput, match=r"import:wave holds 900 from 2024-03-01 14:30"):
        await run_on_database(pool, Catalogue(), replaced(start=utc("2030-01-01")))
    await stored(pool, "live", wave())
    with pytest.raises(InvalidInput, match="--dataset: import:wave, live"):
        await run_on_database(pool, Catalogue(), REQUEST)
    assert await pool.fetchval("SELECT count(*) FROM backtests") == 0


async def test_sessions_of_different_exchanges_are_not_mixed(pool: asyncpg.Pool) -> None:
    await stored(pool, "live", wave())
    await stocks.ensure(pool, "EURUSD", exchange="24/5")

    with pytest.raises(InvalidInput, match="different sessions: "):
        await run_on_database(
            pool, Catalogue(), replaced(symbols=("AAPL", "EURUSD")), dataset="live"
        )


def replaced(**changes: object) -> BacktestRequest:
    return msgspec.structs.replace(REQUEST, **changes)


BROKEN = '''
from dataclasses import dataclass
from tradewright import Strategy

@dataclass
class Breaks(Strategy):
    """Works until a bar closes above 102."""

    @property
    def lookback(self): return 1

    def prepare(self, bars): return {"price": bars["close"]}

    def decide(self, row, held):
        if row["price"] > 102.9:
            raise ValueError("too high")
        return float(row["price"] > 100)
'''


async def test_a_strategy_that_fails_leaves_a_failed_run_with_the_reason(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "breaks.py").write_text(BROKEN)
    await stored(pool, "import:wave", wave())

    report = await run_on_database(
        pool, Catalogue([tmp_path]), replaced(strategy="breaks", parameters={})
    )

    assert report.failure is not None
    assert report.failure.startswith("ValueError: too high (at 2024-03-01 14:")
    row = await pool.fetchrow("SELECT status, error, causality FROM backtests")
    assert tuple(row) == ("failed", report.failure, "unchecked")


async def test_files_give_what_the_database_gives(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = write(tmp_path, wave())
    await stored(pool, "import:wave", wave())

    on_files = run_on_files(Catalogue(), REQUEST, file)
    on_database = await run_on_database(pool, Catalogue(), REQUEST)

    assert on_files.result.journal_hash == on_database.result.journal_hash
    assert on_files.result.fingerprint == on_database.result.fingerprint
    assert on_files.causality.verdict is Verdict.CAUSAL
    assert on_files.backtest_id is None


def test_bars_after_the_end_are_not_part_of_the_run(tmp_path: Path) -> None:
    bars = wave()
    end = to_datetime(int(bars.end[499]))
    whole = run_on_files(Catalogue(), replaced(end=end), write(tmp_path, bars, name="AAPL.csv"))
    short = run_on_files(Catalogue(), REQUEST, write(tmp_path, bars[:500], name="AAPL.csv"))

    assert whole.result.fingerprint == short.result.fingerprint
    assert whole.result.journal_hash == short.result.journal_hash
