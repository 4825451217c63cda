"""pairs and rotation over real minutes: the engine against an independent calculation."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from app.domain.limits import UNLIMITED
from app.domain.market import Timeframe
from app.domain.matching import FREE
from app.engine.panels import PanelTape
from app.marketdata.calendar import trading_calendar
from app.research.backtest import BacktestResult, run_backtest
from app.research.causality import Verdict, check_causality
from app.research.market import series_of
from app.research.sources import read_files
from app.strategies.catalog import Catalogue
from app.strategies.rotation import Rotation
from tests.research import naive_panels
from tests.research.naive import minutes_of

CAPITAL = Decimal(1_000_000)
SYMBOLS = ("SPY", "IBM")


@pytest.fixture(scope="module")
def minutes(shared_data: Path) -> Path:
    return shared_data / "equity_minute"


def engine(
    folder: Path, strategy: str, parameters: Mapping[str, Any], **given: Any
) -> BacktestResult:
    calendar = trading_calendar()
    return run_backtest(
        strategy,
        strategies=Catalogue().make,
        bars=read_files(folder, calendar, symbols=SYMBOLS).bars,
        timeframe=Timeframe.M1,
        calendar=calendar,
        parameters=parameters,
        capital=CAPITAL,
        cash=10 * CAPITAL,
        limits=UNLIMITED,
        model=FREE,
        **given,
    )


def moves(result: BacktestResult) -> list[naive_panels.Move]:
    """Executions of one symbol at one instant as one."""
    found = []
    for (at, symbol, price), some in groupby(
        result.executions, key=lambda one: (one.at, one.symbol, one.price)
    ):
        found.append((at, symbol, sum(one.signed_quantity for one in some), price))
    return sorted(found)


def account(folder: Path, shares: int) -> naive_panels.Account:
    bars = {symbol: minutes_of(folder / f"{symbol}.trade.csv.gz") for symbol in SYMBOLS}
    return naive_panels.Account(bars, CAPITAL / shares)


@pytest.mark.parametrize(
    ("length", "entry", "leave", "patience"), [(60, 2.0, 0.5, 3), (20, 1.5, 0.0, 1)]
)
def test_pairs_moves_as_calculated_by_hand(
    minutes: Path, length: int, entry: float, leave: float, patience: int
) -> None:
    asked = {"length": length, "entry": entry, "exit": leave, "patience": patience}
    rule = naive_panels.Pairs(*SYMBOLS, length, entry, leave, patience)
    expected = sorted(account(minutes, 2).run(rule).moves)
    result = engine(minutes, "pairs", asked)
    assert moves(result) == expected
    assert len(expected) > 80
    assert engine(minutes, "pairs", asked, visit_all=True).journal_hash == result.journal_hash


@pytest.mark.parametrize("length", [1, 2, 3])
def test_rotation_moves_as_calculated_by_hand(minutes: Path, length: int) -> None:
    expected = sorted(account(minutes, 1).run(naive_panels.Rotation(length)).moves)
    result = engine(minutes, "rotation", {"length": length})
    assert moves(result) == expected
    assert expected
    every = engine(minutes, "rotation", {"length": length}, visit_all=True)
    assert every.journal_hash == result.journal_hash
    assert result.visited < 20 < every.visited


@pytest.mark.parametrize("strategy", ["pairs", "rotation"])
def test_they_do_not_look_ahead(minutes: Path, strategy: str) -> None:
    calendar = trading_calendar()
    bars = read_files(minutes, calendar, symbols=SYMBOLS).bars
    series = [series_of(batch, calendar) for batch in bars]
    parameters = {"length": 2} if strategy == "rotation" else {}
    found = check_causality(lambda: Catalogue().make(strategy, parameters), series, calendar)
    assert found.verdict is Verdict.CAUSAL
    assert found.cuts >= 12


def test_daily_bars_of_a_panel_are_known_at_the_close(minutes: Path) -> None:
    calendar = trading_calendar()
    bars = read_files(minutes, calendar, symbols=SYMBOLS).bars
    series = [series_of(batch, calendar) for batch in bars]
    tape = PanelTape(Rotation(length=1), series, Timeframe.M1, calendar)
    closes = [session.close for session in calendar.sessions(int(tape.ends[0]) - 10**13, 2**62)]
    second = int((tape.ends < closes[1]).sum())
    before, after = tape.row(second - 1), tape.row(second)
    assert before is not None
    assert after is not None
    assert before["SPY"]["momentum"] != before["SPY"]["momentum"]
    assert after["SPY"]["momentum"] == after["SPY"]["close"] / before_close(tape, closes[0]) - 1


def before_close(tape: PanelTape, close: int) -> float:
    row = tape.row(int((tape.ends <= close).sum()) - 1)
    assert row is not None
    return row["SPY"]["close"]
