"""`tradewright options` and `data import --kind options` as a person runs them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli import main
from app.core.config import get_settings

Run = Callable[..., tuple[int, str, str]]
CHAIN = """date,underlying,underlying_close,expiry,strike,right,close,volume,open_interest
2015-12-24,GOOG,748.40,2016-01-15,750,C,14.5,3,
2015-12-24,GOOG,748.40,2016-01-15,750,P,15.1,0,10
2015-12-24,GOOG,748.40,2016-02-19,760,C,27.2,0,10
2015-12-24,GOOG,748.40,2016-02-19,760,X,27.2,0,10
"""


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
            main(list(map(str, words)))
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return call


def test_a_chain_is_imported_and_shown(run: Run, tmp_path: Path) -> None:
    assert "data import FILE --kind options" in run("options", "GOOG")[2]
    file = tmp_path / "goog.csv"
    file.write_text(CHAIN)
    code, said, _ = run("data", "import", file, "--kind", "options", "--json")
    report = json.loads(said)
    assert (code, report["rows_stored"], report["rows_quarantined"]) == (0, 3, 1)
    code, said, _ = run("data", "import", file, "--kind", "options")
    assert "duplicates             3" in said

    code, said, _ = run("options", "goog")
    assert code == 0
    assert "GOOG in import:files at 2015-12-24 18:00:00 UTC, underlying 748.40" in said
    assert "Expiries: 2016-01-15, 2016-02-19" in said
    assert said.count("750") == 2, "the nearest expiry only"
    words = ("options", "GOOG", "--expiry", "2016-02-19", "--type", "call", "--json")
    found = json.loads(run(*words)[1])
    assert (found["symbol"], found["underlying_price"]) == ("GOOG", 748.4)
    (option,) = found["options"]
    assert option["symbol"] == "GOOG160219C00760000"
    assert 0.2 < option["implied_volatility"] < 0.4
    narrowed = run("options", "GOOG", "--min-strike", "751", "--max-strike", "752")[1]
    assert "Nothing to show." in narrowed

    assert run("data", "import", file, "--kind", "options", "--dataset", "other")[0] == 0
    assert "--dataset: import:files, import:other" in run("options", "GOOG")[2]
    code, said, _ = run("options", "SPY", "--dataset", "other")
    assert "import:other has no option chain on SPY." in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--expiry", "soon"), "'soon' is no day"),
        (("--type", "straddle"), "neither call nor put"),
        (("--min-strike", "low"), "'low' is no strike"),
        (("--dataset", "nowhere"), "No option chain is stored in import:nowhere"),
    ],
)
def test_what_cannot_be_shown_says_why(run: Run, words: tuple[str, ...], said: str) -> None:
    code, _, error = run("options", "GOOG", *words)
    assert (code, said in error) == (2, True)


def test_interest_of_the_files_time_changes_its_volatilities(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "goog.csv"
    file.write_text(CHAIN)

    def volatilities(dataset: str, *more: str) -> list[float]:
        arguments = ("data", "import", file, "--kind", "options", "--dataset", dataset)
        assert run(*arguments, *more)[0] == 0
        _, said, _ = run("options", "GOOG", "--dataset", dataset, "--json")
        return [one["implied_volatility"] for one in json.loads(said)["options"]]

    dear, cheap = volatilities("dear"), volatilities("cheap", "--rate", "0.004")
    assert len(dear) == len(cheap) > 0
    assert dear != cheap
    code, _, error = run("data", "import", file, "--kind", "options", "--rate", "four")
    assert code != 0
    assert "--rate must be numbers" in error
