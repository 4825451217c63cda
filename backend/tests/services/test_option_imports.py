"""Imports of option chains on a real PostgreSQL."""

from pathlib import Path

import asyncpg
import pytest

from app.core.errors import InvalidInput
from app.ingest.option_writer import market_model
from app.repositories import quarantine
from app.services.option_imports import import_options, model_of, option_lines

HEADER = "date,underlying,underlying_close,expiry,strike,right,close,volume,open_interest,iv\n"
ROWS = (
    "2015-12-24,GOOG,748.40,2016-01-15,750,C,14.5,3,,0.2\n"
    "2015-12-24,GOOG,748.40,2016-01-15,750,P,15.1,0,10,9.5\n"
    "2015-12-24,GOOG,748.40,2016-01-15,755,P,-1,0,10,0\n"
    "2015-12-24,GOOG,748.40,2016-01-15,755,X,1,0,10,0\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "chain.csv"
    path.write_text(HEADER + ROWS)
    return path


def changed(file: Path, old: str, new: str) -> Path:
    """The same file with another value."""
    file.write_text(file.read_text().replace(old, new))
    return file


async def test_every_row_is_accounted_for(pool: asyncpg.Pool, file: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = await import_options(
        pool, file, dataset="import:x", progress=lambda *done: seen.append(done), chunk_rows=3
    )
    assert (report.rows_read, report.rows_stored, report.rows_valued) == (4, 2, 2)
    assert (report.rows_quarantined, report.reasons) == (2, {"negative": 1, "bad_contract": 1})
    assert (report.underlyings, report.expiries, report.contracts) == (["GOOG"], 1, 2)
    assert seen == [(3, 4), (4, 4)]
    assert "in 1 of 2 rows that have both" in report.notes[-1]
    lines = "\n".join(option_lines(report))
    assert "options on GOOG, 2 contracts of 1 expiries" in lines
    assert "1 negative: a price or size is negative" in lines
    assert "from 2015-12-24T18:00:00+00:00" in lines


async def test_importing_again_changes_nothing_and_corrections_replace(
    pool: asyncpg.Pool, file: Path
) -> None:
    await import_options(pool, file, dataset="import:x")
    again = await import_options(pool, file, dataset="import:x")
    assert (again.rows_stored, again.rows_corrected, again.duplicates) == (0, 0, 2)
    assert sum((await quarantine.counts(pool, "import:x")).values()) == 2
    other = await import_options(pool, changed(file, "14.5", "14.6"), dataset="import:x")
    assert (other.rows_corrected, other.duplicates) == (1, 1)
    assert "corrected              1" in "\n".join(option_lines(other))


async def test_what_is_no_chain_is_refused(pool: asyncpg.Pool, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("date,open,high,low,close,volume\n2024-03-01,1,1,1,1,1\n")
    with pytest.raises(InvalidInput, match="which contracts"):
        await import_options(pool, path, dataset="import:x")


async def test_the_sample_chain_is_imported_whole(pool: asyncpg.Pool, shared_data: Path) -> None:
    file = shared_data / "options_chain" / "GOOG_20151224.csv.gz"
    if not file.is_file():
        pytest.skip(f"the sample chain {file.name} is not at hand")
    report = await import_options(pool, file, dataset="import:x")
    assert (report.rows_read, report.rows_stored, report.rows_quarantined) == (2016, 2016, 0)
    assert report.expiries == 11
    assert report.rows_valued > 1600


def test_interest_and_dividends_of_a_file_can_be_said_with_it() -> None:
    model = model_of("0.25:0.003,1:0.005", "GOOG:0.001,BRK.B:0.01")
    assert model.curve == ((0.25, 0.003), (1.0, 0.005))
    assert model.dividend_yields == {"GOOG": 0.001, "BRKB": 0.01}
    assert model_of(None, None) == market_model()


@pytest.mark.parametrize(
    ("rate", "dividends", "field", "words"),
    [
        ("4%", None, "rate", r"--rate must be numbers between -1 and 1; 0\.04 is 4 %"),
        ("1:0.04,0.5:0.03", None, "rate", "by rising years"),
        (None, "0.01", "dividend_yield", "--dividend-yield must be SYMBOL:yield"),
    ],
)
def test_what_is_no_rate_is_refused(
    rate: str | None, dividends: str | None, field: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        model_of(rate, dividends)
    assert caught.value.field == field
