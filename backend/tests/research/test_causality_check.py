"""The causality check finds those that know the future, and lets the others pass."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from app.domain.market import Timeframe
from app.engine.history import Series
from app.marketdata.calendar import trading_calendar
from app.research.causality import Verdict, check_causality
from app.research.market import series_of
from app.strategies.base import Columns, Opinion, Row, Strategy
from app.strategies.breakout import Breakout
from app.strategies.pairs import Pairs
from app.strategies.panel import Panel, PanelRow, PanelStrategy
from app.strategies.rotation import Rotation
from app.strategies.rsi_reversion import RsiReversion
from app.strategies.sma_cross import SmaCross
from tests.factories import make_batch


@dataclass
class Reader(Strategy):
    """By columns; looks ahead in one of the usual ways."""

    way: str = "next"

    @property
    def lookback(self) -> int:
        return 1

    def prepare(self, bars: Columns) -> Columns:
        close = bars["close"]
        if self.way == "next":
            wanted = np.append(close[1:] > close[:-1], False)
        elif self.way == "mean":
            wanted = close < close.mean()
        elif self.way == "appears":
            return {"exposure": close * 0, **({"more": close} if len(close) % 390 == 0 else {})}
        else:
            raise ValueError("no such way")
        return {"exposure": wanted.astype(np.float64)}


@dataclass
class Peeker(Strategy):
    """By row; reads the row after the one that it is asked about."""

    careful: bool = False
    memory: list[int] = field(default_factory=list, init=False)

    @property
    def lookback(self) -> int:
        return 1

    def prepare(self, bars: Columns) -> Columns:
        return {"price": bars["close"]}

    def decide(self, row: Row, held: float) -> float | Opinion | None:
        prices = row.columns["price"]
        if self.careful and row.index + 1 >= len(prices):
            return 0.0
        return float(prices[row.index + 1] > prices[row.index])


@dataclass
class Prophet(PanelStrategy):
    """Looks ahead in one of the ways that only panels know."""

    way: str = "other"
    timeframes = ("1d",)

    @property
    def lookback(self) -> int:
        return 1

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        first, second = panel.symbols
        close = panel[second]["close"]
        wanted = close * 0
        if self.way == "other":
            wanted = (np.append(close[1:], 0) > close).astype(np.float64)
        elif self.way == "day":
            wanted = np.full(len(panel), len(panel[second, "1d"].bars["close"]) % 2)
        return {symbol: {"price": close, "exposure": wanted} for symbol in (first, second)}


@dataclass
class Peeping(Prophet):
    """Reads a row of the other symbol after the one that it is asked about."""

    way: str = "row"

    def decide(self, row: PanelRow, held: Mapping[str, float]) -> Mapping[str, float]:
        first, second = row
        prices, index = row[second].columns["price"], row[second].index
        return {first: float(prices[index + 1] > prices[index])}


def pair(timeframe: Timeframe = Timeframe.M1) -> list[Series]:
    one = series(timeframe=timeframe)
    return [replace(one, symbol="A"), replace(one, symbol="B").rows(5, len(one))]


def series(count: int = 800, timeframe: Timeframe = Timeframe.M1) -> Series:
    walk = 100 + np.cumsum(np.random.default_rng(5).normal(0, 0.1, count))
    return series_of(
        make_batch(np.round(walk, 2).tolist(), timeframe=timeframe), trading_calendar()
    )


@pytest.mark.parametrize("make", [SmaCross, RsiReversion, Breakout])
def test_those_of_the_catalogue_are_causal(make: type[Strategy]) -> None:
    found = check_causality(make, [series(), series(300, Timeframe.D1)])

    assert found.verdict is Verdict.CAUSAL
    assert found.cuts >= 6


@pytest.mark.parametrize("way", ["next", "mean", "appears"])
def test_columns_that_change_when_later_bars_are_known_look_ahead(way: str) -> None:
    found = check_causality(lambda: Reader(way), [series()])

    assert found.verdict is Verdict.LOOKS_AHEAD
    assert "UTC" in found.detail


@pytest.mark.parametrize("careful", [False, True])
def test_a_decision_that_reads_the_next_row_looks_ahead(careful: bool) -> None:
    found = check_causality(lambda: Peeker(careful), [series()])

    assert found.verdict is Verdict.LOOKS_AHEAD
    assert "decide" in found.detail


@pytest.mark.parametrize("make", [Pairs, lambda: Rotation(length=1)])
def test_panels_of_the_catalogue_are_causal(make: Callable[[], PanelStrategy]) -> None:
    found = check_causality(make, pair())

    assert found.verdict is Verdict.CAUSAL, found.detail
    assert found.cuts >= 6


@pytest.mark.parametrize("way", ["other", "day"])
def test_a_panel_that_looks_ahead_is_found(way: str) -> None:
    found = check_causality(lambda: Prophet(way), pair())

    assert found.verdict is Verdict.LOOKS_AHEAD
    assert "The column exposure of A changes its rows before" in found.detail


def test_a_panel_whose_decision_reads_the_next_row_looks_ahead() -> None:
    found = check_causality(Peeping, pair())

    assert (found.verdict, "decide" in found.detail) == (Verdict.LOOKS_AHEAD, True)


def test_a_strategy_that_raises_and_bars_too_few_stay_unchecked() -> None:
    raising = check_causality(lambda: Reader("none"), [series()])
    assert (raising.verdict, raising.detail) == (
        Verdict.UNCHECKED,
        "It raised ValueError: no such way",
    )
    assert check_causality(SmaCross, [series(20)]).verdict is Verdict.UNCHECKED
