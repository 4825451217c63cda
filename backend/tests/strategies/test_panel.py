"""Panels: columns as of each row, and what a panel strategy inherits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.indicators.samples import bars_of
from app.strategies.base import Columns
from app.strategies.panel import Panel, PanelStrategy, View
from app.strategies.panel_trial import PanelTrial, panel_opinions
from app.strategies.rotation import Rotation

NAN = float("nan")


def nanos(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def view(rows: np.ndarray = nanos(10, 20, 30, 40)) -> View:  # noqa: B008 - never written to
    return View({"close": np.array([1.0, 2.0])}, nanos(20, 35), rows)


@dataclass
class Simple(PanelStrategy):
    """Long everything."""

    timeframes = ("1d",)

    @property
    def lookback(self) -> int:
        return 2

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        ones = np.ones(len(panel))
        return {symbol: {"exposure": ones} for symbol in panel.symbols[:1]} | {
            symbol: {"exposure": ones * NAN} for symbol in panel.symbols[1:]
        }


def test_a_row_knows_the_newest_bar_that_had_closed() -> None:
    assert view()["close"].tolist()[1:] == [1.0, 1.0, 2.0]
    assert np.isnan(view()["close"][0])


def test_a_bar_is_new_at_the_row_with_which_it_closed() -> None:
    assert view().is_new.tolist() == [False, True, False, False]


def test_a_series_without_bars_is_empty_everywhere() -> None:
    empty = View({"close": np.empty(0)}, nanos(), nanos(10, 20))
    assert np.isnan(empty["close"]).all()
    assert not empty.is_new.any()


def test_a_panel_says_what_it_has() -> None:
    views = {("SPY", Timeframe.M1): view(), ("SPY", Timeframe.D1): view()}
    panel = Panel(("SPY",), Timeframe.M1, nanos(10, 20, 30, 40), np.zeros(4), views)
    assert panel["SPY"] is views["SPY", Timeframe.M1]
    assert panel["SPY", "1d"] is views["SPY", Timeframe.D1]
    assert len(panel) == 4
    with pytest.raises(KeyError, match="the panel has no IBM 1m, only SPY 1m, SPY 1d"):
        panel["IBM"]


def test_longer_bars_need_as_many_as_its_own_unless_it_says_otherwise() -> None:
    assert Simple().bars_needed(Timeframe.M5) == {Timeframe.M5: 2, Timeframe.D1: 2}
    assert Rotation(length=5).bars_needed(Timeframe.M5) == {Timeframe.M5: 1, Timeframe.D1: 6}
    assert Rotation(length=5).bars_needed(Timeframe.D1) == {Timeframe.D1: 6}


def test_it_trades_any_symbols_in_equal_shares_unless_it_says_otherwise() -> None:
    Simple().check_deployment(["A"], Timeframe.M1)
    assert Simple().shares(7) == 7
    assert not Simple().decides_by_row


def test_opinions_leave_out_symbols_without_one() -> None:
    said = panel_opinions(Simple(), {"A": bars_of([1, 2, 3]), "B": bars_of([1, 2, 3])})
    assert [row["A"] and row["A"].exposure for row in said] == [1.0, 1.0]
    assert [row["B"] for row in said] == [None, None]


def test_opinions_need_symbols_of_equal_length_that_go_together() -> None:
    with pytest.raises(InvalidInput, match="equally many rows"):
        panel_opinions(Simple(), {"A": bars_of([1, 2]), "B": bars_of([1])})
    with pytest.raises(InvalidInput, match="name at least 2, not 1"):
        panel_opinions(Rotation(), {"A": bars_of([1, 2])})


def test_a_trial_sees_longer_bars_only_once_they_are_over() -> None:
    bars = {"A": bars_of([float(i) for i in range(1, 15)])}
    daily = PanelTrial(Simple(), bars, Timeframe.H1).panel(14)["A", "1d"]["close"]
    assert np.isnan(daily[:6]).all()  # seven hours a day, the last of half an hour
    assert daily[6:13].tolist() == [7.0] * 7
    assert daily[13] == 14.0
