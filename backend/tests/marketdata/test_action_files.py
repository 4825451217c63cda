"""Files of corporate actions: ours, LEAN's, and what is said of bad ones."""

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.errors import InvalidInput
from app.marketdata.action_files import actions_beside, read_actions
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import Action

CALENDAR = trading_calendar("XNYS")


def written(tmp_path: Path, text: str, name: str = "told.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_table_tells_everything(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "Symbol,Kind,Ex Date,Ratio,Amount,Currency,Pay_date,New symbol,Known_at,Note\n"
        "aapl,Split,2020-08-31,4:1,,,,,2020-07-30T20:30:00,big\n"
        "AAPL,dividend,20200807,,0.82,usd,2020-08-13,,,\n"
        "\n"
        "FB,symbol-change,2022-06-09,,,,,META,2022-05-31T12:00:00+00:00,\n"
        "X,split,2020-01-02,3/2,,,,,,\n",
    )
    found = read_actions(path, CALENDAR)
    assert found.rows == 4
    assert found.ignored == ["note"]
    assert found.actions[0] == Action(
        symbol="AAPL",
        kind="split",
        ex_date=date(2020, 8, 31),
        ratio=Decimal(4),
        known_at=datetime(2020, 7, 30, 20, 30, tzinfo=UTC),
    )
    assert found.actions[1].pay_date == date(2020, 8, 13)
    assert found.actions[1].currency == "USD"
    assert (found.actions[2].kind, found.actions[2].new_symbol) == ("symbol_change", "META")
    assert found.actions[3].ratio == Decimal("1.5")


def test_the_symbol_may_stand_in_the_name_or_be_given(tmp_path: Path) -> None:
    text = "kind,date,dividend\ndividend,2020-08-07,0.82\n"
    path = written(tmp_path, text, "IBM.csv")
    assert read_actions(path, CALENDAR).actions[0].symbol == "IBM"
    assert read_actions(path, CALENDAR, "KO").actions[0].symbol == "KO"
    with pytest.raises(InvalidInput, match="does not say whose"):
        read_actions(written(tmp_path, text, "-.csv"), CALENDAR)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("AAPL,split,2020-08-31,four,", "row 2: ratio cannot be 'four'"),
        ("AAPL,split,2020-08-31,4:0,", "row 2: ratio cannot be '4:0'"),
        ("AAPL,splat,2020-08-31,4,", "row 2: kind cannot be 'splat'"),
        ("AAPL,split,31.08.2020,4,", "row 2: ex_date cannot be '31.08.2020'"),
        ("AAPL,dividend,2020-08-31,,much", "row 2: amount cannot be 'much'"),
        ("AAPL,dividend,,,1", "row 2: ex_date is missing"),
        ("AAPL?,dividend,2020-08-31,,1", "AAPL"),
        (",dividend,2020-08-31,,1", "does not say whose"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, words: str) -> None:
    path = written(tmp_path, f"symbol,kind,ex_date,ratio,amount\n{row}\n")
    with pytest.raises(InvalidInput, match=words.replace("?", r"\?")):
        read_actions(path, CALENDAR)


def test_what_is_no_table_of_actions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no column kind"):
        read_actions(written(tmp_path, "a,b\n1,2\n"), CALENDAR)
    with pytest.raises(InvalidInput, match="is empty"):
        read_actions(written(tmp_path, "\n"), CALENDAR)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_actions(tmp_path / "none.csv", CALENDAR)
    path = tmp_path / "bad.csv.gz"
    path.write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(InvalidInput, match="is no text"):
        read_actions(path, CALENDAR)


LEAN = "20200806,0.9982003,0.25,455.61\n20200828,1,0.25,499.23\n20501231,1,1,0\n"


def test_leans_factors_become_dated_actions(tmp_path: Path) -> None:
    found = read_actions(written(tmp_path, LEAN, "AAPL.csv"), CALENDAR)
    dividend, split = found.actions
    assert (dividend.kind, dividend.ex_date) == ("dividend", date(2020, 8, 7))
    assert dividend.amount == Decimal("0.8200")
    assert (split.kind, split.ex_date, split.ratio) == ("split", date(2020, 8, 31), 4)


def test_bad_factors_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="row 2 of the factors"):
        read_actions(written(tmp_path, "20200806,1,1,1\n20200828,x,1,1\n", "A.csv"), CALENDAR)
    with pytest.raises(InvalidInput, match="above zero"):
        read_actions(written(tmp_path, "20200806,0,1,1\n20501231,1,1,0\n", "A.csv"), CALENDAR)
    with pytest.raises(InvalidInput, match="does not say whose"):
        read_actions(written(tmp_path, LEAN, "-.csv"), CALENDAR)


def test_files_beside_the_bars_are_found(tmp_path: Path) -> None:
    (tmp_path / "AAPL.factors.csv.gz").write_bytes(gzip.compress(LEAN.encode()))
    assert len(actions_beside(tmp_path, "AAPL", CALENDAR)) == 2
    assert len(actions_beside(tmp_path / "AAPL.csv", "AAPL", CALENDAR)) == 2
    assert actions_beside(tmp_path, "IBM", CALENDAR) == []
