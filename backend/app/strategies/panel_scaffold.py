"""The text of a new panel strategy, and of the test beside it."""

from string import Template
from typing import Final

STRATEGY: Final = Template('''\
"""$title: say in one sentence what it bets on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tradewright import Columns, Panel, PanelStrategy, parameter, ta


@dataclass
class $kind(PanelStrategy):
    """Holds the symbol that stands highest above its daily average, if any does."""

    # Longer bars that it looks at beside its own; they are made of its own.
    timeframes = ("1d",)

    # What `prepare` returns for each symbol. Charts and the journal show these values.
    columns = {
        "height": "Close over its daily average, less 1.",
        "exposure": "1 for the highest above its average, 0 for the others; none before it exists.",
    }

    # Each field is a parameter: the form on screen is made from it, and the bounds are checked.
    length: int = parameter(20, minimum=2, maximum=250, unit="days", help="Length of the average.")

    @property
    def lookback(self) -> int:
        """Its own bars needed before the first opinion."""
        return 1

    @property
    def lookbacks(self) -> dict[str, int]:
        """Bars needed of each of `timeframes`: ask the indicators, do not count yourself."""
        return {"1d": ta.sma.lookback(length=self.length)}

    def shares(self, symbols: int) -> int:
        """Into how many parts the capital goes: one symbol is held at a time."""
        return 1

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        """All rows at once. There is a row for each instant at which a bar of any symbol closed.

        `panel[symbol]` and `panel[symbol, "1d"]` give columns as of each row: those of the newest
        bar that had closed, NaN before the first. Compute indicators on `.bars`, which has the bars
        themselves, and bring them to the rows with `.aligned`. `exposure` is the wish: 1 is one
        share of the capital, 0 out, -1 short, NaN no opinion (what is held stays).
        """
        height = np.stack([self.height(panel, symbol) for symbol in panel.symbols])
        best = np.max(np.where(np.isnan(height), 0.0, height), axis=0)
        is_held = (height == best) & (height > 0)
        exposure = np.where(np.isnan(height), np.nan, is_held.astype(np.float64))
        return {
            symbol: {"height": height[i], "exposure": exposure[i]}
            for i, symbol in enumerate(panel.symbols)
        }

    def height(self, panel: Panel, symbol: str) -> np.ndarray:
        daily = panel[symbol, "1d"]
        average = daily.aligned(ta.sma(daily.bars["close"], self.length))
        return panel[symbol]["close"] / average - 1
''')

TEST: Final = Template('''\
"""$kind: run with `pytest $path`."""

from pathlib import Path

from tradewright.testing import bars_of, load_file, panel_opinions, validate

FILE = Path(__file__).with_name("$name.py")
STRATEGY = load_file(FILE)[0]


def exposures(**closes: list[float]) -> list[dict[str, float | None]]:
    """What it wants of each symbol, from the first day with an opinion. NaN: no bar."""
    bars = {symbol: bars_of(values) for symbol, values in closes.items()}
    said = panel_opinions(STRATEGY(length=2), bars)
    return [{symbol: one and one.exposure for symbol, one in row.items()} for row in said]


def test_the_file_is_valid() -> None:
    report = validate(FILE)
    assert report.problems == ()


def test_it_holds_the_higher_one() -> None:
    assert exposures(A=[100, 110], B=[100, 105]) == [{"A": 1.0, "B": 0.0}]


def test_it_holds_nothing_in_a_fall() -> None:
    assert exposures(A=[100, 90], B=[100, 95]) == [{"A": 0.0, "B": 0.0}]


def test_it_has_no_opinion_on_what_is_new() -> None:
    listed_today = [float("nan"), 100]
    assert exposures(A=listed_today, B=[100, 105]) == [{"A": None, "B": 1.0}]
''')
