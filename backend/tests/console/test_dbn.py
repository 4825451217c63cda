"""`tradewright data import` of Databento's files as a person runs it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from app.cli import main
from app.core.config import get_settings
from tests.vendors import databento_records as records

Run = Callable[..., tuple[int, str, str]]
AT = 1_709_303_400 * 10**9


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
            main(["data", "import", *map(str, words)])
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return call


def written(path: Path, schema: str, content: bytes) -> Path:
    head = records.history_head("XNAS.ITCH", schema, ["AAPL"], (AT, AT + 10**12))
    path.write_bytes(zstandard.compress(head + content))
    return path


def test_a_file_says_itself_what_it_holds(run: Run, tmp_path: Path) -> None:
    trade = records.trade("AAPL", 187.5, 100, AT).shown
    prints = written(tmp_path / "prints.dbn.zst", "trades", trade["trades"])
    code, said, _ = run(prints)
    assert code == 0
    assert "prints.dbn.zst: ticks (trades) of AAPL, into import:files" in said
    bar = records.bar("AAPL", "ohlcv-1m", AT, (1.0, 2.0, 0.5, 1.5, 10)).shown["ohlcv-1m"]
    code, said, _ = run(written(tmp_path / "bars.dbn.zst", "ohlcv-1m", bar), "--json")
    assert (code, json.loads(said)["rows_stored"]) == (0, 1)


def test_of_two_things_in_a_file_one_is_chosen(run: Run, tmp_path: Path) -> None:
    content = records.quote("AAPL", 99.0, 101.0, AT).shown["mbp-1"]
    content += records.trade("AAPL", 100.0, 5, AT + 1, 2).shown["mbp-1"]
    path = written(tmp_path / "book.dbn.zst", "mbp-1", content)
    for kind in ("quotes", "ticks"):
        code, said, _ = run(path, "--kind", kind, "--json")
        report = json.loads(said)
        assert (code, report["kind"], report["rows_stored"]) == (0, kind, 1)


def test_a_wrong_kind_names_the_right_one(run: Run, tmp_path: Path) -> None:
    content = records.trade("AAPL", 187.5, 100, AT).shown["trades"]
    path = written(tmp_path / "prints.dbn.zst", "trades", content)
    for kind in ("bars", "quotes"):
        code, _, complaint = run(path, "--kind", kind)
        assert code != 0
        assert f"holds trades, not {kind}. --kind ticks." in complaint.replace("\n", " ")
