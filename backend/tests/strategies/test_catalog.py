"""Strategies by name: built in, installed, and the user's own files."""

import os
from importlib.metadata import EntryPoint
from pathlib import Path

import jsonschema
import msgspec
import pytest

from app.core.errors import InvalidInput, NotFound
from app.strategies import catalog, loading
from app.strategies.catalog import Catalogue
from app.strategies.scaffold import strategy_text
from app.strategies.sma_cross import SmaCross

MINE = strategy_text("mine")


def folder_with(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_the_built_in_strategies_are_there() -> None:
    assert Catalogue().names() == [
        *("breakout", "buy_and_hold", "pairs", "rotation", "rsi_reversion", "sma_cross")
    ]


def test_make_takes_parameters_and_defaults() -> None:
    strategy = Catalogue().make("sma_cross", {"fast": "5"})
    assert strategy == SmaCross(fast=5, slow=30)


def test_every_strategy_made_has_a_memory_of_its_own() -> None:
    first, second = (Catalogue().make("breakout", {}) for _ in range(2))
    assert first.memory is not second.memory


def test_an_unknown_strategy_gets_the_nearest() -> None:
    with pytest.raises(NotFound, match=r"no strategy sma_cros\. Did you mean sma_cross\?"):
        Catalogue().make("sma_cros", {})
    with pytest.raises(NotFound, match="There are breakout, buy_and_hold"):
        Catalogue().find("zzz")


@pytest.mark.parametrize(
    ("parameters", "sentence", "field"),
    [
        ({"fast": 0}, "fast must be at least 1, not 0.", "fast"),
        ({"slow": 9999}, "slow must be at most 2000, not 9999.", "slow"),
        ({"fast": "x"}, "fast must be a whole number, not 'x'.", "fast"),
        ({"fast": 40}, "fast must be less than slow: 40 is not less than 30.", "fast"),
        ({"fsat": 4}, "sma_cross has no parameter fsat. Did you mean fast?", "fsat"),
    ],
)
def test_wrong_parameters_are_named(
    parameters: dict[str, object], sentence: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Catalogue().make("sma_cross", parameters)
    assert str(refused.value) == sentence
    assert refused.value.field == field


def test_a_description_is_complete_and_its_defaults_are_valid() -> None:
    for found in Catalogue().describe_all():
        jsonschema.validate(found.defaults, found.parameters_schema)
        assert found.description
        assert found.columns
        assert found.lookback >= 1
        assert found.origin == "built in"
        msgspec.json.encode(found)
    assert Catalogue().describe("breakout").decides_by_row
    assert Catalogue().describe("sma_cross").title == "Sma cross"


def test_the_source_can_be_read() -> None:
    assert "class SmaCross" in Catalogue().source("sma_cross")


def test_files_of_the_user_are_in_the_catalogue(tmp_path: Path) -> None:
    catalogue = Catalogue((folder_with(tmp_path, mine=MINE), tmp_path / "missing"))
    assert "mine" in catalogue.names()
    assert catalogue.describe("mine").origin == str(tmp_path / "mine.py")
    assert catalogue.source("mine") == MINE
    assert catalogue.make("mine", {"length": 5}).lookback == 5
    assert catalogue.problems == {}


def test_a_strategy_may_refuse_its_parameters_in_its_own_way(tmp_path: Path) -> None:
    refusing = (
        "\n    def __post_init__(self):\n        if self.length == 9: raise ValueError('not 9')\n"
    )
    catalogue = Catalogue((folder_with(tmp_path, mine=MINE + refusing),))
    with pytest.raises(InvalidInput, match="mine refuses its parameters: not 9"):
        catalogue.make("mine", {"length": 9})


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    catalogue = Catalogue((folder_with(tmp_path, mine=MINE),))
    first = catalogue.find("mine")
    assert catalogue.find("mine") is first
    (tmp_path / "mine.py").write_text(MINE.replace("parameter(20", "parameter(25"))
    os.utime(tmp_path / "mine.py", ns=(0, 0))
    assert catalogue.describe("mine").lookback == 25


def test_tests_and_private_files_are_not_strategies(tmp_path: Path) -> None:
    catalogue = Catalogue((folder_with(tmp_path, test_mine="1/0", _draft="1/0"),))
    assert catalogue.problems == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def (", r"broken.py cannot be loaded: SyntaxError: .* \(line 1\)"),
        ("x = 1\n1 / 0", r"ZeroDivisionError: division by zero \(line 2\)"),
        ("import nothing_like_it", "ModuleNotFoundError"),
        ("raise SystemExit", "ends the program"),
        ("x = 1", "broken.py has no strategy. Write a subclass"),
        (MINE.replace("@dataclass\n", ""), "Mine is not a dataclass"),
        (
            MINE.replace("return ta.sma.lookback(length=self.length)", "return 0"),
            "lookback must be",
        ),
        (MINE.replace("parameter(20", "parameter(1"), "length must be at least 2"),
        (MINE.replace("    columns", '    name = "Bad Name"\n    columns'), "must be lower-case"),
        (strategy_text("sma_cross"), r"name sma_cross is taken \(built in\)"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_hides_nothing(
    tmp_path: Path, text: str, reason: str
) -> None:
    catalogue = Catalogue((folder_with(tmp_path, broken=text, mine=MINE),))
    assert "mine" in catalogue.names()
    (origin,) = catalogue.problems
    assert origin == str(tmp_path / "broken.py")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(catalogue.problems[origin])


def test_asking_for_a_broken_file_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    catalogue = Catalogue((folder_with(tmp_path, broken="1 / 0"),))
    with pytest.raises(NotFound, match=r"no strategy broken\. .*division by zero"):
        catalogue.make("broken", {})


def test_two_folders_may_hold_files_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    folder_with(tmp_path / "a", mine=MINE)
    folder_with(tmp_path / "b", mine=MINE.replace("class Mine", "class Other"))
    catalogue = Catalogue((tmp_path / "a", tmp_path / "b"))
    assert "class Other" in catalogue.source("other")
    assert "class Mine" in catalogue.source("mine")


def test_what_is_missing_is_no_python_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"is not a Python file"):
        loading.load_file(tmp_path / "nothing.py")
    with pytest.raises(InvalidInput, match=r"is not a Python file"):
        loading.load_file(tmp_path)


@pytest.mark.parametrize("value", ["app.strategies.sma_cross:SmaCross", "app.strategies.sma_cross"])
def test_an_entry_point_names_a_class_or_a_module(value: str) -> None:
    point = EntryPoint("x", value, loading.ENTRY_POINTS)
    assert loading.load_entry_point(point) == [SmaCross]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nothing_like_it:X", "cannot be loaded"),
        ("app.strategies.base:Row", "is not a strategy"),
        ("app.core.errors", "is not a strategy"),
    ],
)
def test_an_entry_point_that_cannot_be_used_says_why(value: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        loading.load_entry_point(EntryPoint("x", value, loading.ENTRY_POINTS))


def test_an_installed_package_is_in_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "other-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{loading.ENTRY_POINTS}]\nfar = far_away\n")
    (tmp_path / "far_away.py").write_text(strategy_text("far"))
    monkeypatch.syspath_prepend(tmp_path)
    assert catalog.Catalogue().describe("far").origin == "package far_away"
    assert "class Far" in catalog.Catalogue().source("far")
