"""The text of a new strategy file, and of the test beside it."""

from keyword import iskeyword
from string import Template
from typing import Final

from app.core.errors import InvalidInput
from app.strategies import panel_scaffold
from app.strategies.loading import NAME

STRATEGY: Final = Template('''\
"""$title: say in one sentence what it bets on."""

from dataclasses import dataclass

import numpy as np

from tradewright import Columns, Strategy, parameter, ta


@dataclass
class $kind(Strategy):
    """Long while the close is above its moving average, flat otherwise."""

    # What `prepare` returns. Charts and the journal show these values beside each signal.
    columns = {
        "average": "Moving average of the close.",
        "exposure": "1 above the average, 0 below; none until it exists.",
    }

    # Each field is a parameter: the form on screen is made from it, and the bounds are checked.
    length: int = parameter(20, minimum=2, maximum=500, unit="bars", help="Length of the average.")

    @property
    def lookback(self) -> int:
        """Bars needed before the first opinion: ask the indicators, do not count yourself."""
        return ta.sma.lookback(length=self.length)

    def prepare(self, bars: Columns) -> Columns:
        """All rows at once. Row i may use rows up to i only; `validate` and the tests check that.

        `bars` has open, high, low, close, volume and session. `exposure` is the wish: 1 all in,
        0 out, -1 short, NaN no opinion (what is held stays). Optional columns `stop_loss` and
        `take_profit` are prices that protect the position.
        """
        average = ta.sma(bars["close"], self.length)
        exposure = np.where(bars["close"] > average, 1.0, 0.0)
        return {"average": average, "exposure": np.where(np.isnan(average), np.nan, exposure)}
''')

TEST: Final = Template('''\
"""$kind: run with `pytest $path`."""

from pathlib import Path

from tradewright.testing import bars_of, load_file, opinions, validate

FILE = Path(__file__).with_name("$name.py")
STRATEGY = load_file(FILE)[0]


def exposures(closes: list[float]) -> list[float | None]:
    """What it wants to hold after each bar, from the first bar with an opinion."""
    return [said and said.exposure for said in opinions(STRATEGY(length=3), bars_of(closes))]


def test_the_file_is_valid() -> None:
    report = validate(FILE)
    assert report.problems == ()


def test_it_is_long_in_a_rise() -> None:
    assert exposures([100, 101, 102, 103]) == [1.0, 1.0]


def test_it_leaves_after_a_fall() -> None:
    assert exposures([100, 101, 102, 99]) == [1.0, 0.0]
''')


def strategy_text(name: str, *, panel: bool = False) -> str:
    """A strategy that works, with comments that say what to change. Raises InvalidInput.

    With `panel` one that sees several symbols at once.
    """
    return (panel_scaffold.STRATEGY if panel else STRATEGY).substitute(_words(name))


def test_text(name: str, path: str, *, panel: bool) -> str:
    """A test file that passes; it lies beside the strategy, at `path`."""
    return (panel_scaffold.TEST if panel else TEST).substitute(_words(name), path=path)


def _words(name: str) -> dict[str, str]:
    if not NAME.fullmatch(name) or iskeyword(name) or name.startswith("test_"):
        raise InvalidInput(
            f"{name!r} cannot be the name of a strategy.",
            field="name",
            remedy="Use lower-case letters, digits and underscores, e.g. my_idea.",
        )
    kind = "".join(part.capitalize() for part in name.split("_"))
    return {"name": name, "kind": kind, "title": name.replace("_", " ").capitalize()}
