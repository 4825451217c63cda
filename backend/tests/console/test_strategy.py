"""`tradewright strategy` and `tradewright indicators`."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.console import strategy
from app.core.errors import ConfigurationError, Conflict, InvalidInput

INDICATORS = typer.Typer()
INDICATORS.command()(strategy.indicators)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, app: typer.Typer = strategy.app) -> str:
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_new_writes_a_strategy_and_its_test() -> None:
    assert "Wrote strategies/my_idea.py and strategies/test_my_idea.py" in run("new", "my_idea")
    assert "my_idea can be used" not in run("list")
    assert "my_idea" in run("list")


def test_new_writes_where_it_is_told(tmp_path: Path) -> None:
    found = json.loads(run("new", "my_idea", "--dir", "elsewhere", "--json"))
    assert Path(found["strategy"]) == Path("elsewhere/my_idea.py")
    assert (tmp_path / "elsewhere" / "test_my_idea.py").exists()
    assert "my_idea" in run("list", "--dir", "elsewhere")


def test_new_writes_a_panel() -> None:
    run("new", "my_panel", "--panel")
    assert "can be used: my_panel" in run("validate", "strategies/my_panel.py")
    assert "It decides for all symbols of a deployment at once." in run("show", "my_panel")


@pytest.mark.parametrize("name", ["my_idea.py", "test_my_idea.py"])
def test_new_overwrites_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / name).write_text("# mine")
    with pytest.raises(Conflict, match=f"{name} exists and stays as it is"):
        run("new", "my_idea")
    assert (tmp_path / "strategies" / name).read_text() == "# mine"


def test_new_refuses_a_name_that_is_taken() -> None:
    with pytest.raises(Conflict, match="There is a strategy sma_cross already"):
        run("new", "sma_cross")


@pytest.mark.parametrize("name", ["class", "My-Idea", "1st", "../up", "test_it"])
def test_new_refuses_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a strategy"):
        run("new", name)


def test_new_says_when_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "strategies").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        strategy.write_new({tmp_path / "strategies" / "x.py": ""})


def test_list_names_what_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "broken.py").write_text("1 / 0")
    assert "Not usable:" in run("list")
    found = json.loads(run("list", "--json"))
    assert "division by zero" in next(iter(found["problems"].values()))
    assert {one["name"] for one in found["strategies"]} >= {"sma_cross", "breakout"}


def test_show_tells_parameters_with_their_bounds() -> None:
    text = run("show", "breakout")
    assert "2 to 1000 bars" in text
    assert "true or false" in text
    assert "Lookback with the defaults: 202 bars." in text


def test_show_prints_the_source() -> None:
    assert "class SmaCross" in run("show", "sma_cross", "--source")
    found = json.loads(run("show", "sma_cross", "--json"))
    assert found["strategy"]["defaults"] == {"fast": 10, "slow": 30, "short": False}


def test_validate_says_whether_a_file_can_be_used(tmp_path: Path) -> None:
    run("new", "my_idea")
    assert "can be used: my_idea" in run("validate", "strategies/my_idea.py")
    (tmp_path / "bad.py").write_text("from app import core")
    done = CliRunner().invoke(strategy.app, ["validate", "bad.py"])
    assert done.exit_code == 1
    assert "Problem: bad.py has no strategy" in done.output
    report = json.loads(CliRunner().invoke(strategy.app, ["validate", "bad.py", "--json"]).output)
    assert report["is_valid"] is False


def test_validate_gives_advice(tmp_path: Path) -> None:
    run("new", "my_idea")
    path = tmp_path / "strategies" / "my_idea.py"
    path.write_text(path.read_text() + "\nimport app.core\n")
    assert "Warning: line" in run("validate", str(path))


def test_indicators_are_listed() -> None:
    assert "Relative strength index" in run(app=INDICATORS)
    found = json.loads(run("--json", app=INDICATORS))
    assert len(found["indicators"]) > 150


def test_an_indicator_is_described() -> None:
    text = run("macd", app=INDICATORS)
    assert "gives macd, signal, histogram" in text
    assert "sma, ema, wma, rma" in run("kc", app=INDICATORS)
    assert "From open, high, low, close" in run("bop", app=INDICATORS)


def test_bounds_are_said_in_words() -> None:
    assert strategy.bounds_of({"type": "integer", "minimum": 1}) == "at least 1"
    assert strategy.bounds_of({"type": "integer", "maximum": 3, "unit": "bars"}) == "at most 3 bars"
    assert strategy.bounds_of({"type": "number"}) == "any"
