"""`tradewright data` as a person runs it, on a real database."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli import main
from app.console import stored
from app.core.config import get_settings

Run = Callable[..., tuple[int, str, str]]
ROWS = "".join(f"2024-03-01T14:3{i}:00Z,10,11,9,10.{i},100\n" for i in range(6))


@pytest.fixture
def run(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()

    def call(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["data", *map(str, words)])
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "SPY.csv"
    path.write_text("ts_utc,open,high,low,close,volume\n" + ROWS)
    return path


def test_prints_and_quotes_are_imported(run: Run, tmp_path: Path) -> None:
    ticks, quotes = tmp_path / "SPY.trade.csv", tmp_path / "SPY.quote.csv"
    ticks.write_text("ts_utc,price,size\n2024-03-01T14:30:00Z,10,100\n")
    quotes.write_text("ts_utc,bid,bid_size,ask,ask_size\n2024-03-01T14:30:00Z,10,1,11,1\n")
    code, said, _ = run("import", ticks, "--symbol", "SPY", "--kind", "ticks")
    assert (code, "minutes made           1" in said) == (0, True)
    code, said, _ = run("import", quotes, "--symbol", "SPY", "--kind", "quotes", "--json")
    assert (code, json.loads(said)["rows_stored"]) == (0, 1)
    ticks.write_text("ts_utc,price,size\n2024-03-01T14:30:00Z,-10,100\n")
    assert run("import", ticks, "--symbol", "SPY", "--kind", "ticks", "--no-bars")[0] == 1


def test_a_file_is_imported_checked_listed_and_exported(run: Run, file: Path) -> None:
    code, said, _ = run("import", file, "--symbol", "SPY", "--json")
    report = json.loads(said)
    assert (code, report["rows_stored"], report["dataset"]) == (0, 6, "import:files")
    code, said, _ = run("import", file, "--symbol", "SPY")
    assert (code, "duplicates             6" in said) == (0, True)
    (verdict,) = json.loads(run("check", "--json")[1])
    assert (verdict["symbol"], verdict["verdict"], verdict["bars"]) == ("SPY", "good", 6)
    assert "Nothing to show." in run("gaps", "--dataset", "files")[1]
    out = file.with_name("out.csv")
    dates = ("--start", "2024-03-01", "--end", "2024-03-01T14:33")
    code, said, _ = run("export", out, "--symbol", "spy", *dates)
    assert (code, len(out.read_text().splitlines())) == (0, 4)
    assert "Wrote 3 bars of SPY" in said


def test_gaps_are_listed(run: Run, file: Path) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:3] + lines[4:]))
    run("import", file, "--symbol", "SPY", "--timeframe", "1m")
    run("check", "--dataset", "files")
    (gap,) = json.loads(run("gaps", "--symbol", "SPY", "--json")[1])
    assert gap["start"] == "2024-03-01T14:32:00Z"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--symbol SPY"),
        (("--symbol", "SPY", "--timeframe", "7m"), "'7m' is no timeframe"),
        (("--symbol", "SPY", "--kind", "candles"), "'candles' cannot be imported"),
        (("--symbol", "SPY", "--exchange", "XMARS"), "'XMARS'"),
    ],
)
def test_wrong_use_is_a_sentence_and_code_two(
    run: Run, file: Path, words: tuple[str, ...], said: str
) -> None:
    code, _, error = run("import", file, *words)
    assert code == 2
    assert said in error


def test_a_file_of_which_nothing_is_believed_fails(run: Run, file: Path) -> None:
    file.write_text(file.read_text().replace("100", "-100"))
    code, said, _ = run("import", file, "--symbol", "SPY")
    assert code == 1
    assert "6 negative_volume: the volume is negative" in said


def test_a_database_that_is_behind_is_not_touched(
    run: Run, file: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    get_settings.cache_clear()
    code, _, error = run("import", file, "--symbol", "SPY")
    assert code == 1
    assert "tradewright db upgrade" in error


def test_a_terminal_shows_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with stored.progress_bar("SPY.csv") as progress:
        progress(5, 10)
        progress(12, 10)


@pytest.mark.parametrize("command", ["check", "gaps"])
def test_an_unknown_data_set_is_answered_with_the_nearest(
    run: Run, file: Path, command: str
) -> None:
    run("import", file, "--symbol", "SPY", "--dataset", "mine")
    code, _, said = run(command, "--dataset", "mien")
    assert (code, "Did you mean import:mine?" in said) == (2, True)


def test_corporate_actions_are_imported_and_bars_exported_by_them(
    run: Run, tmp_path: Path, file: Path
) -> None:
    assert run("import", file, "--symbol", "SPY")[0] == 0
    actions = tmp_path / "actions.csv"
    actions.write_text("symbol,kind,ex_date,ratio\nSPY,split,2024-03-04,2\n")
    code, said, _ = run("import", actions, "--kind", "actions")
    assert (code, "1 split" in said) == (0, True)
    actions.write_text("symbol,kind,ex_date,ratio,why\nSPY,split,2024-03-04,4,\n" * 1)
    code, said, _ = run("import", actions, "--kind", "actions", "--json")
    report = json.loads(said)
    assert (code, report["rows_corrected"], report["notes"]) == (0, 1, ["Not used: 'why'."])
    assert "corrected              1" in run("import", _three(actions), "--kind", "actions")[1]
    out = tmp_path / "out.csv"
    assert run("export", out, "--symbol", "SPY", "--adjusted")[0] == 0
    assert out.read_text().splitlines()[1].endswith("5.0,5.5,4.5,5.0,200.0")
    assert run("export", out, "--symbol", "SPY", "--as-of", "2024-03-02")[0] == 0
    assert out.read_text().splitlines()[1].endswith("10.0,11.0,9.0,10.0,100.0")
    code, _, wrong = run("import", file, "--kind", "actions")
    assert (code, "no column kind" in wrong) != (0, False)


def _three(actions: Path) -> Path:
    """Two tellings of one day: the last holds."""
    row = "SPY,split,2024-03-04"
    actions.write_text(f"symbol,kind,ex_date,ratio\n{row},3\n{row},2\n")
    return actions
