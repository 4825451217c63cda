"""Imports on a real PostgreSQL: every row accounted for, and nothing changed by a second time."""

from pathlib import Path

import asyncpg
import numpy as np
import pytest

from app.core.clock import ManualClock
from app.core.errors import InvalidInput, NotFound
from app.domain.market import Timeframe
from app.marketdata.shapes import Hints
from app.repositories import quarantine, stocks
from app.repositories.stock_data import StockData
from app.services.exports import export_bars
from app.services.imports import dataset_name, import_bars, import_lines, refuse_kind
from tests.factories import SHARED_DATA, make_batch, utc

HEADER = "ts_utc,open,high,low,close,volume\n"
AAPL = Hints(symbol="AAPL")


def minute_rows(closes: list[float], first: int = 0) -> list[str]:
    batch = make_batch(closes, first=first)
    names = ("open", "high", "low", "close", "volume")
    times = batch.start.astype("datetime64[ns]").astype("datetime64[s]").astype(str)
    columns = [batch.rows[name].tolist() for name in names]
    return [f"{t}Z,{','.join(map(str, row))}\n" for t, *row in zip(times, *columns, strict=True)]


def written(folder: Path, rows: list[str], name: str = "aapl.csv") -> Path:
    path = folder / name
    path.write_text(HEADER + "".join(rows))
    return path


async def stored(pool: asyncpg.Pool, symbol: str = "AAPL") -> int:
    return len(await StockData(pool, "import:files").stored(symbol, Timeframe.M1))


async def test_every_row_is_accounted_for(pool: asyncpg.Pool, tmp_path: Path) -> None:
    rows = minute_rows([100.0 + i for i in range(30)])
    rows[5] = rows[5].replace("105.0", "oops")
    rows[7], rows[8] = rows[8], rows[7]
    rows += [rows[3], rows[4].replace("104.0", "104.5")]
    report = await import_bars(pool, written(tmp_path, rows), hints=AAPL)
    assert (report.rows_read, report.rows_stored, report.duplicates) == (32, 29, 1)
    assert (report.rows_quarantined, report.reasons) == (2, {"not_a_number": 1, "duplicate": 1})
    assert (report.unordered, report.symbols) == (2, ["AAPL"])
    assert report.rows_read == report.rows_stored + report.duplicates + report.rows_quarantined
    kept = await pool.fetchval("SELECT record->>'close' FROM quarantine WHERE reason LIKE 'not%'")
    assert kept == "oops"
    lines = "\n".join(import_lines(report))
    assert "not a number" in lines
    assert "unordered" in lines


@pytest.mark.parametrize("chunk_rows", [7, 25, 100_000])
async def test_importing_again_changes_nothing(
    pool: asyncpg.Pool, tmp_path: Path, chunk_rows: int
) -> None:
    rows = minute_rows([100.0 + i % 9 for i in range(100)])
    rows[50] = rows[50].replace(",100.0\n", ",-1\n")
    path = written(tmp_path, rows)
    first = await import_bars(pool, path, hints=AAPL, chunk_rows=chunk_rows)
    again = await import_bars(pool, path, hints=AAPL, chunk_rows=chunk_rows)
    assert (first.rows_stored, first.rows_quarantined, first.duplicates) == (99, 1, 0)
    assert (again.rows_stored, again.rows_quarantined, again.duplicates) == (0, 1, 99)
    assert await stored(pool) == 99
    assert await quarantine.counts(pool, "import:files") == {"negative_volume": 1}
    assert await pool.fetchval("SELECT count(*) FROM stock_data_revisions") == 0


@pytest.mark.parametrize("chunk_rows", [11, 40, 1000])
async def test_a_split_at_any_place_of_a_chunk_is_no_outlier(
    pool: asyncpg.Pool, tmp_path: Path, chunk_rows: int
) -> None:
    path = written(tmp_path, minute_rows([700.0] * 41 + [100.0] * 41))
    report = await import_bars(pool, path, hints=AAPL, chunk_rows=chunk_rows)
    # one bar spans both levels, since it opens at the close before
    assert report.rows_quarantined <= 1
    assert report.rows_stored >= 81


async def test_newest_first_is_fine(pool: asyncpg.Pool, tmp_path: Path) -> None:
    rows = minute_rows([100.0 + i for i in range(60)])
    path = written(tmp_path, rows[::-1])
    report = await import_bars(pool, path, hints=AAPL, chunk_rows=13)
    assert (report.rows_stored, report.unordered) == (60, 59)
    assert report.first_start == "2024-03-01T14:30:00+00:00"


async def test_a_corrected_file_replaces_bars(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await import_bars(pool, written(tmp_path, minute_rows([100.0, 101, 102])), hints=AAPL)
    path = written(tmp_path, minute_rows([100.0, 101, 103]))
    report = await import_bars(pool, path, hints=AAPL)
    assert (report.rows_corrected, report.duplicates) == (1, 2)
    assert "corrected" in "\n".join(import_lines(report))


async def test_new_symbols_become_stocks(pool: asyncpg.Pool, tmp_path: Path) -> None:
    text = "symbol,date,open,high,low,close,volume\n"
    text += "".join(f"{s},2024-03-0{d},1,1,1,1,1\n" for d in (1, 4) for s in ("IBM", "KO"))
    (tmp_path / "two.csv").write_text(text)
    report = await import_bars(pool, tmp_path / "two.csv", dataset="import:two")
    assert sorted(report.symbols) == ["IBM", "KO"]
    assert (await stocks.get(pool, "KO")).exchange == "XNYS"


async def test_currencies_are_made_with_their_calendar(pool: asyncpg.Pool, tmp_path: Path) -> None:
    rows = [f"2018-01-07T2{h}:00:00Z,1,1,1,1,1\n" for h in (2, 3)]
    path = written(tmp_path, rows)
    hints = Hints(symbol="EURUSD", timeframe=Timeframe.H1)
    report = await import_bars(pool, path, hints=hints, exchange="24/5")
    assert report.rows_stored == 2
    assert (await stocks.get(pool, "EURUSD")).kind == "fx"
    assert (await import_bars(pool, path, hints=hints)).duplicates == 2


async def test_a_doubtful_time_zone_is_noted(pool: asyncpg.Pool, tmp_path: Path) -> None:
    rows = [row.replace("Z", "").replace("T14", "T09") for row in minute_rows([100.0] * 10)]
    hints = Hints(symbol="AAPL", tz="UTC")
    report = await import_bars(pool, written(tmp_path, rows), hints=hints)
    assert any("time zone right?" in note for note in report.notes)


async def test_bars_of_the_future_are_quarantined(pool: asyncpg.Pool, tmp_path: Path) -> None:
    clock = ManualClock(utc("2024-03-01 14:32"))
    path = written(tmp_path, minute_rows([100.0] * 4))
    report = await import_bars(pool, path, hints=AAPL, clock=clock)
    assert (report.rows_stored, report.reasons) == (2, {"future": 2})


async def test_nothing_is_stored_of_what_is_refused(pool: asyncpg.Pool, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no column for close"):
        await import_bars(pool, _file(tmp_path, "ts_utc,open,high,low,volume\n1,1,1,1,1\n"))
    with pytest.raises(InvalidInput, match="'candles' cannot be imported"):
        refuse_kind("candles")
    refuse_kind("bars")
    assert await stored(pool) == 0


def _file(folder: Path, text: str) -> Path:
    (folder / "bad.csv").write_text(text)
    return folder / "bad.csv"


async def test_progress_is_told(pool: asyncpg.Pool, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = written(tmp_path, minute_rows([100.0] * 30))

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    await import_bars(pool, path, hints=AAPL, chunk_rows=20, progress=progress)
    assert seen == [(20, 30), (30, 30)]


def test_datasets_by_name() -> None:
    assert [dataset_name(n) for n in (None, "mine", "live", "import:x")] == [
        "import:files",
        "import:mine",
        "live",
        "import:x",
    ]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
async def test_an_export_can_be_imported_again(
    pool: asyncpg.Pool, tmp_path: Path, ending: str
) -> None:
    bars = StockData(pool, "import:files")
    batch = make_batch([100.0 + i % 5 for i in range(50)])
    batch.rows["vwap"] = np.where(np.arange(50) % 2, 100.5, np.nan)
    await bars.store([batch], "test")
    path = tmp_path / f"AAPL{ending}"
    series = {"symbol": "AAPL", "timeframe": Timeframe.M1}
    assert await export_bars(pool, path, dataset="import:files", **series) == 50
    report = await import_bars(pool, path, dataset="import:again")
    assert report.rows_stored == 50
    again = await StockData(pool, "import:again").bars("AAPL", Timeframe.M1)
    assert np.array_equal(again.rows, batch.rows) or again.fingerprint() == batch.fingerprint()
    assert np.array_equal(again.rows["vwap"], batch.rows["vwap"], equal_nan=True)


async def test_exports_of_nothing_or_of_no_format_are_refused(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    series = {"dataset": "import:files", "symbol": "AAPL", "timeframe": Timeframe.M1}
    with pytest.raises(NotFound, match="no 1m bars of AAPL"):
        await export_bars(pool, tmp_path / "x.csv", **series)
    with pytest.raises(InvalidInput, match="names no format"):
        await export_bars(pool, tmp_path / "x.xlsx", **series)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared market data is not here")
async def test_real_minutes_are_imported_once(pool: asyncpg.Pool) -> None:
    path = SHARED_DATA / "equity_minute" / "IBM.trade.csv.gz"
    first = await import_bars(pool, path, hints=Hints(symbol="IBM"))
    again = await import_bars(pool, path, hints=Hints(symbol="IBM"))
    assert (first.rows_read, first.rows_stored, first.rows_quarantined) == (2566, 2566, 0)
    assert (again.rows_stored, again.duplicates) == (0, 2566)
    hours = await StockData(pool, "import:files").bars("IBM", Timeframe.H1)
    assert len(hours) == 6 * 7
