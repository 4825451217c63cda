"""sma_cross over real minutes: the engine against an independent calculation, to the cent."""

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from app.domain.events import PositionChanged
from app.domain.limits import UNLIMITED, Limits
from app.domain.market import Timeframe
from app.engine.history import Tape
from app.marketdata.calendar import trading_calendar
from app.research.backtest import BacktestResult, run_backtest
from app.research.market import series_of
from app.research.sources import read_files
from app.strategies.catalog import Catalogue
from app.strategies.sma_cross import SmaCross
from tests.research.naive import Naive, Rules, minutes_of

CASH = Decimal(100_000)
SYMBOLS = ("SPY", "IBM")
HUGE = {"position": Decimal(10), "exposure": Decimal(10), "patience": 10**9}
MILLION = Decimal(1_000_000)


class Case(NamedTuple):
    """What the engine is told, and the same in the words of the calculation by hand."""

    limits: Limits
    rules: Rules
    cash: Decimal = CASH
    fast: int = 10
    slow: int = 30


CASES = {
    "default limits": Case(Limits(), Rules()),
    "no limits": Case(UNLIMITED, Rules(stop=None, **HUGE)),
    "stops that are hit": Case(
        Limits(default_stop_loss=Decimal("0.001")), Rules(stop=Decimal("0.001")), MILLION
    ),
    "stops that are hit, all in": Case(
        msgspec.structs.replace(UNLIMITED, default_stop_loss=Decimal("0.002")),
        Rules(stop=Decimal("0.002"), **HUGE),
        fast=20,
        slow=60,
    ),
    "orders larger than the bars": Case(UNLIMITED, Rules(stop=None, **HUGE), 5 * MILLION),
    "orders that run out of time": Case(Limits(), Rules(), 100 * MILLION),
}


@pytest.fixture(scope="module")
def minutes(shared_data: Path) -> Path:
    return shared_data / "equity_minute"


def engine(folder: Path, case: Case) -> BacktestResult:
    calendar = trading_calendar()
    source = read_files(folder, calendar, symbols=SYMBOLS)
    return run_backtest(
        "sma_cross",
        strategies=Catalogue().make,
        bars=source.bars,
        timeframe=Timeframe.M1,
        calendar=calendar,
        parameters={"fast": case.fast, "slow": case.slow},
        cash=case.cash,
        limits=case.limits,
    )


def by_hand(folder: Path, case: Case) -> Naive:
    bars = {symbol: minutes_of(folder / f"{symbol}.trade.csv.gz") for symbol in SYMBOLS}
    return Naive(bars, case.cash, case.fast, case.slow, case.rules).run()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_executions_cash_positions_and_trades_agree_to_the_cent(minutes: Path, case: Case) -> None:
    result, expected = engine(minutes, case), by_hand(minutes, case)

    cash = [e.account_cash for e in result.journal.events if isinstance(e, PositionChanged)]
    executions = [
        (x.at, x.symbol, x.side, x.quantity, x.price, x.commission, after)
        for x, after in zip(result.executions, cash, strict=True)
    ]
    assert executions == [
        (f.at, f.symbol, f.side, f.quantity, f.price, f.commission, f.cash) for f in expected.fills
    ]
    trades = [
        (t.symbol, t.quantity, t.entry_at, t.exit_at, t.commission, t.pnl) for t in result.trades
    ]
    assert trades == [
        (t.symbol, t.quantity, t.entry_at, t.exit_at, t.commission, t.pnl) for t in expected.trips
    ]
    held = {s: one.held for s, one in expected.holdings.items() if one.held}
    assert positions(result) == held
    assert result.final_cash == expected.cash
    assert result.final_equity == expected.equity
    assert len(executions) > 100


def test_every_opinion_is_that_of_exact_sums(minutes: Path) -> None:
    expected = by_hand(minutes, CASES["default limits"])
    said = {(int(at.timestamp() * 1e9), symbol): o for at, symbol, o in expected.opinions}
    ties = {(int(at.timestamp() * 1e9), symbol) for at, symbol in expected.ties}
    different = []
    for batch in read_files(minutes, trading_calendar(), symbols=SYMBOLS).bars:
        series = series_of(batch, trading_calendar())
        exposures = Tape(SmaCross(), series).exposures()
        for end, exposure in zip(series.end.tolist(), exposures.tolist(), strict=True):
            key = end, batch.symbol
            assert np.isnan(exposure) == (key not in said)
            if key in said and exposure != said[key]:
                different.append(key)
    assert ties, "the data has bars at which both averages are equal"
    assert different == [], "floating point decides a tie the other way"


def positions(result: BacktestResult) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for one in result.executions:
        held[one.symbol] = held.get(one.symbol, Decimal(0)) + one.signed_quantity
    return {symbol: quantity for symbol, quantity in held.items() if quantity}
