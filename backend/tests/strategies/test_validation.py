"""Strategy files are tried before anything depends on them."""

from pathlib import Path

import pytest

from app.strategies.scaffold import strategy_text
from app.strategies.trial import as_opinion
from app.strategies.validation import Report, validate

COLUMNS = strategy_text("mine")
"A strategy whose columns decide."
MEMORY = '''
"""Long every other bar."""
from dataclasses import dataclass, field
from tradewright import Opinion, Strategy

@dataclass
class Turn:
    on: bool = False

@dataclass
class Mine(Strategy):
    """Long every other bar."""
    memory: Turn = field(default_factory=Turn, init=False)

    @property
    def lookback(self):
        return 1

    def prepare(self, bars):
        return {"close": bars["close"]}

    def decide(self, row, held):
        self.memory.on = not self.memory.on
        return Opinion(1.0 if self.memory.on else 0.0, stop_loss=row["close"] / 2)
'''


def tried(folder: Path, text: str) -> Report:
    path = folder / "mine.py"
    path.write_text(text)
    return validate(path)


@pytest.mark.parametrize("text", [COLUMNS, MEMORY], ids=["columns", "memory"])
def test_a_sound_strategy_passes(tmp_path: Path, text: str) -> None:
    report = tried(tmp_path, text)
    assert report.is_valid
    assert report.strategies == ("mine",)
    assert report.warnings == ()


PREPARE = 'average = ta.sma(bars["close"], self.length)'
WRONG = [
    (COLUMNS, PREPARE, 'average = bars["close"] - bars["close"].mean()', "looks ahead"),
    (COLUMNS, PREPARE, 'average = np.append(bars["close"][1:], 1.0)', "looks ahead"),
    (COLUMNS, PREPARE, 'average = bars["close"]; average += 1', "changes the bars"),
    (COLUMNS, PREPARE, 'average = bars["closing"]', r"prepare fails: KeyError: .*\(line \d+\)"),
    (COLUMNS, '{"average": average,', '{"average": average[1:],', "must be an array of"),
    (COLUMNS, '{"average": average,', '{"average": average.astype(str),', "must hold numbers"),
    (COLUMNS, "1.0, 0.0)", "2.0, 0.0)", "exposure must be from -1 to 1"),
    (COLUMNS, "1.0, 0.0)", "np.inf, 0.0)", "exposure must be from -1 to 1"),
    (COLUMNS, '{"average": average,', '{"stop_loss": average * 0,', "must be above 0"),
    (COLUMNS, '"exposure": np.where(', '"other": np.where(', "must return a column `exposure`"),
    (COLUMNS, 'return {"average"', 'return [] and {"average"', "must return columns by name"),
    (MEMORY, "1.0 if self.memory.on", "3 if self.memory.on", "exposure must be from -1 to 1"),
    (MEMORY, 'row["close"] / 2', "-1", "must be above 0"),
    (MEMORY, 'row["close"] / 2', 'row["none"]', "decide fails: KeyError"),
    (MEMORY, "= not self.memory.on", "= print", "memory cannot be stored"),
    (MEMORY, "self.memory.on", "self.on", "keep all it knows in `memory`"),
]


@pytest.mark.parametrize(("text", "old", "new", "problem"), WRONG)
def test_what_is_wrong_is_found(
    tmp_path: Path, text: str, old: str, new: str, problem: str
) -> None:
    assert old in text
    text = text.replace(old, new).replace(
        "class Mine(Strategy):", "class Mine(Strategy):\n    on = False", 1
    )
    report = tried(tmp_path, text)
    assert not report.is_valid
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(report.problems[0])


def test_a_file_that_does_not_load_is_a_problem(tmp_path: Path) -> None:
    report = tried(tmp_path, "1 / 0")
    assert not report.is_valid
    assert "division by zero" in report.problems[0]


ADVICE = [
    (
        '    """Long while the close is above its moving average, flat otherwise."""',
        "",
        "docstring",
    ),
    ('"average": "Moving average of the close.",', "", "columns names"),
    ("import numpy as np", "import numpy as np\nfrom app.core import errors", "imports app.core"),
    ("import numpy as np", "import numpy as np\nimport app.core.errors", "imports app.core"),
    ("return ta.sma.lookback(length=self.length)", "return 3", "lookback may be too short"),
]


@pytest.mark.parametrize(("old", "new", "advice"), ADVICE)
def test_advice_is_given(tmp_path: Path, old: str, new: str, advice: str) -> None:
    assert old in COLUMNS
    report = tried(tmp_path, COLUMNS.replace(old, new))
    assert report.is_valid
    assert advice in report.warnings[0]


def test_no_opinion_stays_none() -> None:
    assert as_opinion(None) is None
