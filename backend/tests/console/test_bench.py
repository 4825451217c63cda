"""`tradewright bench`: what there is, one quick benchmark, and wrong names."""

import json

import pytest

from app.cli import main
from app.console import bench


def test_one_benchmark_runs_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", "help", "--json"])

    (line,) = json.loads(capsys.readouterr().out)
    assert end.value.code in (None, 0)
    assert {"name", "value", "unit", "limit", "ratio", "peak_rss_mb"} <= set(line)
    assert line["value"] > 0
    assert line["ratio"] == pytest.approx(line["value"] / line["limit"], abs=1e-3)


def test_people_get_a_table_and_a_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "help"])
    assert "cli: --help" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["bench", "--list"])
    assert "order-path" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["bench", "--list", "--json"])
    assert "engine-ten" in json.loads(capsys.readouterr().out)


def test_a_wrong_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", "jornal"])

    assert end.value.code == 2
    assert "Did you mean journal?" in capsys.readouterr().err


def test_a_benchmark_that_breaks_says_why() -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'nothing'"):
        bench.measured("nothing")


def test_numbers_have_three_digits() -> None:
    assert [bench.short(n) for n in (None, 0.01234, 1.5, 12.34, 1_234_567.0)] == [
        "", "0.0123", "1.5", "12.3", "1,234,567",
    ]  # fmt: skip
