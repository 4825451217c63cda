"""Files with panel strategies are tried like any other."""

from pathlib import Path

import pytest

from app.strategies.scaffold import strategy_text
from app.strategies.validation import Report, validate

COLUMNS = strategy_text("mine", panel=True)
MEMORY = '''
"""Takes turns."""
from dataclasses import dataclass, field
from tradewright import Opinion, PanelStrategy

@dataclass
class Turn:
    on: bool = False

@dataclass
class Mine(PanelStrategy):
    """Takes turns."""
    memory: Turn = field(default_factory=Turn, init=False)

    @property
    def lookback(self):
        return 1

    def check_symbols(self, symbols):
        return None if len(symbols) == 3 else "It takes three."

    def prepare(self, panel):
        return {symbol: {"price": panel[symbol]["close"]} for symbol in panel.symbols}

    def decide(self, row, held):
        self.memory.on = not self.memory.on
        first, second, third = row
        return {first: 1.0 if self.memory.on else 0.0, second: Opinion(0.0), third: None}
'''


def tried(folder: Path, text: str) -> Report:
    path = folder / "mine.py"
    path.write_text(text)
    return validate(path)


@pytest.mark.parametrize("text", [COLUMNS, MEMORY], ids=["columns", "memory"])
def test_a_sound_panel_passes(tmp_path: Path, text: str) -> None:
    report = tried(tmp_path, text)
    assert report.problems == ()
    assert report.strategies == ("mine",)
    assert report.warnings == ()


CLOSE = 'return panel[symbol]["close"] / average - 1'
WRONG = [
    (COLUMNS, CLOSE, 'x = panel[symbol]["close"]; return x / np.nansum(x)', "looks ahead"),
    (COLUMNS, CLOSE, "return daily.aligned(np.append(daily.bars['close'][1:], 1))", "looks ahead"),
    (COLUMNS, CLOSE, "daily.bars['close'][:] = 1; return average", "changes the bars"),
    (COLUMNS, CLOSE, 'return panel["XYZ"]["close"]', r"prepare fails: KeyError.*\(line \d+\)"),
    (COLUMNS, "np.nan, is_held", "np.inf, is_held", "exposure must be from -1 to 1"),
    (COLUMNS, '"height": height[i],', '"height": height[i][1:],', "height of S0 must be an array"),
    (COLUMNS, "for i, symbol in enumerate(panel.symbols)", "for i, symbol in [(0, 'S0')]", "each"),
    (COLUMNS, '{"height": height[i], "exposure": exposure[i]}', "[]", "by name for S0"),
    (COLUMNS, "        return {\n", "        return [] and {\n", "not list"),
    (MEMORY, "third: None", "'XYZ': 1.0", "exposures by symbol"),
    (MEMORY, "Opinion(0.0)", "7.0", "exposure must be from -1 to 1"),
    (MEMORY, "= not self.memory.on", "= print", "memory cannot be stored"),
    (MEMORY, "self.memory.on", "self.on", "keep all it knows in `memory`"),
    (MEMORY, "None if len(symbols) == 3 else", "", "refuses 1 to 12 symbols.*It takes three"),
]


@pytest.mark.parametrize(("text", "old", "new", "problem"), WRONG)
def test_what_is_wrong_is_found(
    tmp_path: Path, text: str, old: str, new: str, problem: str
) -> None:
    assert old in text
    text = text.replace(old, new).replace(
        "class Mine(PanelStrategy):", "class Mine(PanelStrategy):\n    on = False", 1
    )
    report = tried(tmp_path, text)
    assert not report.is_valid
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(report.problems[0])


DOCSTRING = '"""Holds the symbol that stands highest above its daily average, if any does."""'
ADVICE = [
    (DOCSTRING, "", "docstring"),
    ('"height": "Close over its daily average, less 1.",', "", "columns names"),
]


@pytest.mark.parametrize(("old", "new", "advice"), ADVICE)
def test_advice_is_given(tmp_path: Path, old: str, new: str, advice: str) -> None:
    assert old in COLUMNS
    report = tried(tmp_path, COLUMNS.replace(old, new))
    assert report.is_valid
    assert advice in report.warnings[0]


def test_a_look_back_that_is_too_short_is_told(tmp_path: Path) -> None:
    text = COLUMNS.replace('panel[symbol, "1d"]', "panel[symbol]")
    report = tried(tmp_path, text)
    assert report.is_valid
    assert "after 1 rows its opinion differs" in report.warnings[0]
