"""`tradewright backtest` as a person types it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.cli import main
from tests.factories import make_batch
from tests.research.test_sources import write

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, stdout and stderr of a command."""

    def command(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return command


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    folder = tmp_path / "bars"
    folder.mkdir()
    closes = np.round(100 + 3 * np.sin(np.arange(900) / 12), 2).tolist()
    for symbol in ("AAPL", "IBM"):
        write(folder, make_batch(closes, symbol=symbol, volume=1e6))
    return folder


def test_a_first_backtest_needs_nothing_but_a_file(run: Run, bars: Path) -> None:
    code, out, err = run("backtest", "sma_cross", "--data", bars / "AAPL.csv")

    assert (code, err) == (0, "")
    for words in ("Sharpe ratio", "Largest drawdown", "does not look ahead", "900 bars in"):
        assert words in out


def test_json_and_files_say_the_same(run: Run, bars: Path, tmp_path: Path) -> None:
    trades, equity, page = tmp_path / "t.csv", tmp_path / "e.csv", tmp_path / "r.html"
    code, out, _ = run(
        "backtest", "sma_cross", "--symbols", "IBM,AAPL", "--symbols", "ibm", "--data", bars,
        "--param", "fast=3", "--param", "slow=12", "--start", "2024-03-01", "--end", "2024-03-04",
        "--cash", "50,000", "--capital", "20_000", "--limits", "none", "--trades", trades,
        "--equity", equity, "--report", page, "--json",
    )  # fmt: skip
    value = json.loads(out)

    assert code == 0
    assert value["symbols"] == ["IBM", "AAPL"]
    assert value["parameters"] == {"fast": 3, "slow": 12, "short": False}
    assert (value["initial_cash"], value["limits"], value["bars"]) == ("50000", "none", 1_560)
    with trades.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == value["trades"] > 10
    with equity.open(newline="") as file:
        assert list(csv.DictReader(file))[-1]["at"] == "2024-03-04T21:00:00Z" == value["end"]
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sma_cros"], "no strategy sma_cros. Did you mean sma_cross?"),
        (["sma_cross", "--symbols", "APPL"], "Did you mean AAPL?"),
        (["sma_cross", "--symbols", "A PL"], "is no symbol"),
        (["sma_cross", "--param", "fast"], "'fast' is no parameter"),
        (["sma_cross", "--param", "fast=0"], "fast must be at least 1, not '0'"),
        (["sma_cross", "--param", "fast=50"], "fast must be less than slow"),
        (["sma_cross", "--param", "fats=5"], "Did you mean fast?"),
        (["sma_cross", "--timeframe", "2m"], "'2m' is no timeframe"),
        (["sma_cross", "--start", "yesterday"], "'yesterday' is no time"),
        (["sma_cross", "--start", "2024-03-05", "--end", "2024-03-04"], "end must be after"),
        (["sma_cross", "--start", "2025-01-01"], "holds 900 from 2024-03-01 14:30 to"),
        (["sma_cross", "--cash", "lots"], "cash must be an amount above zero, not 'lots'"),
        (["sma_cross", "--capital", "-1"], "capital must be an amount above zero"),
        (["sma_cross", "--limits", "some"], "limits must be account or none"),
        (["sma_cross", "--exchange", "MOON"], "exchange 'MOON'"),
    ],
)
def test_wrong_use_is_answered_with_a_sentence(
    run: Run, bars: Path, arguments: list[str], sentence: str
) -> None:
    code, out, err = run("backtest", *arguments, "--data", bars)

    assert (code, out) == (2, "")
    assert sentence in err


def test_without_a_database_the_way_out_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path / "nothing"))

    assert "Name the symbols" in run("backtest", "sma_cross")[2]
    code, _, err = run("backtest", "sma_cross", "--symbols", "SPY")

    assert code == 1
    assert "--data" in err
    assert not (tmp_path / "nothing").exists()


def test_stored_bars_are_used_by_their_data_set(
    run: Run, bars: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    run("data", "import", bars / "IBM.csv", "--symbol", "IBM", "--dataset", "mine")

    code, out, _ = run("backtest", "sma_cross", "--symbols", "IBM", "--dataset", "mine", "--json")

    value = json.loads(out)
    assert code == 0
    assert (value["source"], value["backtest_id"]) == ("import:mine", 1)


def test_a_strategy_that_fails_ends_with_1(run: Run, bars: Path, tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(
        "from dataclasses import dataclass\n"
        "from tradewright import Strategy\n\n"
        "@dataclass\n"
        "class Fails(Strategy):\n"
        '    """Always."""\n\n'
        "    @property\n"
        "    def lookback(self): return 1\n\n"
        "    def prepare(self, bars): raise ValueError('no')\n"
    )
    code, out, _ = run("backtest", "fails", "--strategies", tmp_path, "--data", bars)

    assert code == 1
    assert "The strategy failed: ValueError: no" in out


def test_a_file_that_cannot_be_written_is_a_sentence(run: Run, bars: Path) -> None:
    code, _, err = run(
        "backtest", "sma_cross", "--data", bars / "IBM.csv", "--trades", "/no/such/folder/t.csv"
    )

    assert code == 1
    assert "cannot be written: No such file or directory" in err
