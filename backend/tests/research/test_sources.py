"""Bars for a backtest out of files."""

import csv
from pathlib import Path

import pytest

from app.core.errors import InvalidInput, NotFound
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, to_datetimes
from app.marketdata.calendar import trading_calendar
from app.marketdata.shapes import Hints
from app.research.sources import read_files, refuse_empty, traded
from tests.factories import make_batch, utc

CALENDAR = trading_calendar()


def write(folder: Path, *batches: BarBatch, name: str = "", with_symbol: bool = False) -> Path:
    file = folder / (name or f"{batches[0].symbol}.csv")
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        symbol = ["symbol"] if with_symbol else []
        writer.writerow([*symbol, "ts_utc", "open", "high", "low", "close", "volume"])
        for batch in batches:
            for bar in batch.bars():
                first = [batch.symbol] if with_symbol else []
                at = f"{bar.start:%Y-%m-%dT%H:%M:%SZ}"
                writer.writerow([*first, at, bar.open, bar.high, bar.low, bar.close, bar.volume])
    return file


def test_a_folder_gives_the_symbols_asked_for_in_that_order(tmp_path: Path) -> None:
    for symbol in ("AAPL", "IBM", "SPY"):
        write(tmp_path, make_batch([100.0] * 40, symbol=symbol))

    chosen = read_files(tmp_path, CALENDAR, symbols=("SPY", "AAPL"))
    every = read_files(tmp_path, CALENDAR)

    assert [batch.symbol for batch in chosen.bars] == ["SPY", "AAPL"]
    assert [batch.symbol for batch in every.bars] == ["AAPL", "IBM", "SPY"]
    assert {batch.timeframe for batch in every.bars} == {Timeframe.M1}


def test_one_file_may_name_its_symbols_or_be_named_by_the_caller(tmp_path: Path) -> None:
    both = write(
        tmp_path,
        make_batch([100.0] * 40, symbol="AAPL"),
        make_batch([50.0] * 40, symbol="IBM"),
        name="bars.csv",
        with_symbol=True,
    )
    assert [b.symbol for b in read_files(both, CALENDAR).bars] == ["AAPL", "IBM"]
    assert [b.symbol for b in read_files(both, CALENDAR, symbols=["IBM"]).bars] == ["IBM"]


def test_longer_bars_are_made_and_shorter_ones_refused(tmp_path: Path) -> None:
    file = write(tmp_path, make_batch([100.0] * 40))

    made = read_files(file, CALENDAR, timeframe=Timeframe.M5).bars[0]
    assert (made.timeframe, len(made)) == (Timeframe.M5, 8)

    with pytest.raises(InvalidInput, match="none of 1s are in them"):
        read_files(file, CALENDAR, timeframe=Timeframe.S1)


def test_bars_of_different_lengths_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path, make_batch([100.0] * 40))
    write(tmp_path, make_batch([100.0] * 40, symbol="IBM", timeframe=Timeframe.H1))

    with pytest.raises(InvalidInput, match="different lengths: 1h, 1m"):
        read_files(tmp_path, CALENDAR)
    assert read_files(tmp_path, CALENDAR, timeframe=Timeframe.H1).bars[0].symbol == "AAPL"


def test_rows_that_cannot_be_believed_are_left_out_and_told(tmp_path: Path) -> None:
    file = write(tmp_path, make_batch([100.0] * 40))
    file.write_text(file.read_text().replace("14:40:00Z,100.0", "14:40:00Z,-1"))

    source = read_files(file, CALENDAR)

    assert len(source.bars[0]) == 39
    assert source.notes[0].startswith("AAPL.csv: 1 rows of AAPL left out: ")


def test_an_unknown_symbol_is_answered_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, make_batch([100.0] * 40))
    write(tmp_path, make_batch([100.0] * 40, symbol="IBM"))

    with pytest.raises(NotFound, match=r"no bars of APPL .* Did you mean AAPL\?"):
        read_files(tmp_path, CALENDAR, symbols=("APPL",))


def test_times_without_a_zone_need_a_hint(tmp_path: Path) -> None:
    file = write(tmp_path, make_batch([100.0] * 40))
    text = file.read_text().replace("ts_utc", "time").replace("Z,", ",")
    file.write_text(text.replace("T14", "T09").replace("T15", "T10"))

    with pytest.raises(InvalidInput, match="--tz"):
        read_files(file, CALENDAR)
    read = read_files(file, CALENDAR, hints=Hints(tz="America/New_York")).bars[0]
    assert to_datetimes(read.start)[0] == utc("2024-03-01 14:30")


def test_an_empty_period_says_what_there_is(tmp_path: Path) -> None:
    source = read_files(write(tmp_path, make_batch([100.0] * 40)), CALENDAR)
    batch = source.bars[0]
    first, later = utc("2024-03-01 14:40"), utc("2024-03-05")

    assert len(traded(batch, first, None)) == 30
    assert len(traded(batch, first, utc("2024-03-01 14:45"))) == 5
    assert len(traded(batch, later, first)) == 0
    refuse_empty(source, Timeframe.M1, first, None)
    with pytest.raises(InvalidInput, match=r"from 2024-03-05 00:00 UTC\. .* holds 40 from 2024"):
        refuse_empty(source, Timeframe.M1, later, None)
    with pytest.raises(InvalidInput, match="to 2024-03-01 00:00 UTC"):
        refuse_empty(source, Timeframe.M1, None, utc("2024-03-01"))
    source.bars[0] = BarBatch.empty("AAPL", Timeframe.M1)
    with pytest.raises(InvalidInput, match="no 1m bars of AAPL"):
        refuse_empty(source, Timeframe.M1, None, None)
