"""Every DBN sample says what Databento's own reader says, and damage is told in words."""

import warnings
from pathlib import Path

import databento
import numpy as np
import pandas as pd
import pytest

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.batch import QuoteBatch, Rows, TickBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.dbn_files import DbnBars, DbnFile, is_dbn
from app.marketdata.shapes import Hints
from tests.factories import SHARED_DATA

SAMPLES = SHARED_DATA / "databento_dbn"
NO_SAMPLES = "the DBN samples are not on this machine"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason=NO_SAMPLES)

TICKS = ("EQUS.MINI.trades", "EQUS.MINI.tbbo", "XNAS.ITCH.trades")
QUOTES = ("EQUS.MINI.mbp-1", "EQUS.MINI.bbo-1s", "EQUS.MINI.tbbo", "XNAS.ITCH.mbp-1")
BARS = ("EQUS.MINI.ohlcv-1m", "EQUS.MINI.ohlcv-1d", "XNAS.ITCH.ohlcv-1m")


def sample(name: str) -> Path:
    return SAMPLES / f"{name}.dbn.zst"


def stored(name: str) -> databento.DBNStore:
    return databento.DBNStore.from_bytes(sample(name).read_bytes())


def theirs(name: str) -> pd.DataFrame:
    """What the vendor's library makes of a sample, all of it as columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas tells the library what will change
        frame = stored(name).to_df()
    return frame.reset_index()


def nanoseconds(column: pd.Series) -> np.ndarray:
    return column.astype("int64").to_numpy()


def rows_of(batches: list[TickBatch] | list[QuoteBatch]) -> Rows:
    return np.concatenate([batch.rows for batch in batches])


@needs_samples
@pytest.mark.parametrize("name", TICKS)
def test_prints_are_what_the_vendors_own_reader_shows(name: str) -> None:
    batches, frame = list(DbnFile(sample(name)).ticks()), theirs(name)
    rows = rows_of(batches)
    assert rows["at"].tolist() == nanoseconds(frame["ts_event"]).tolist()
    for ours, column in (("price", "price"), ("size", "size"), ("sequence", "sequence")):
        assert rows[ours].tolist() == frame[column].tolist()
    assert {batches[0].symbols[i] for i in rows["symbol"]} == set(frame["symbol"])


@needs_samples
@pytest.mark.parametrize("name", QUOTES)
def test_tops_of_book_are_what_the_vendors_own_reader_shows(name: str) -> None:
    rows, frame = rows_of(list(DbnFile(sample(name)).quotes())), theirs(name)
    at = "ts_recv" if "bbo-1s" in name else "ts_event"
    assert rows["at"].tolist() == nanoseconds(frame[at]).tolist()
    for side in ("bid", "ask"):
        np.testing.assert_array_equal(rows[side], frame[f"{side}_px_00"])
        np.testing.assert_array_equal(rows[f"{side}_size"], frame[f"{side}_sz_00"])


@needs_samples
@pytest.mark.parametrize("name", BARS)
def test_bars_are_what_the_vendors_own_reader_shows(name: str) -> None:
    file = DbnBars(sample(name), trading_calendar())
    frame = theirs(name)
    (chunk,) = file.chunks()
    assert file.timeframe == name.rpartition("-")[2]
    for column in ("open", "high", "low", "close", "volume"):
        assert chunk.batch.rows[column].tolist() == frame[column].tolist()
    assert chunk.batch.symbol == frame["symbol"][0]
    assert chunk.record(0)["rtype"] == str(frame["rtype"][0])


@needs_samples
def test_minutes_start_where_the_vendor_says_and_days_at_the_open_of_their_session() -> None:
    (minutes,) = DbnBars(sample("XNAS.ITCH.ohlcv-1m"), trading_calendar()).chunks()
    expected = nanoseconds(theirs("XNAS.ITCH.ohlcv-1m")["ts_event"])
    assert minutes.batch.start.tolist() == expected.tolist()
    assert set((minutes.batch.end - minutes.batch.start).tolist()) == {60 * 10**9}
    (days,) = DbnBars(sample("EQUS.MINI.ohlcv-1d"), trading_calendar()).chunks()
    (day,) = days.batch.bars()
    assert (day.start.isoformat(), day.end.isoformat()) == (
        "2023-03-28T13:30:00+00:00",
        "2023-03-28T20:00:00+00:00",
    )


@needs_samples
@pytest.mark.parametrize(("name", "symbol"), [("EQUS.MINI", "QQQ"), ("XNAS.ITCH", "NVDA")])
def test_definitions_name_their_instruments(name: str, symbol: str) -> None:
    file = DbnFile(sample(f"{name}.definition"))
    assert file.kind == "definitions"
    assert [definition.symbol for definition in file.definitions()] == [symbol]


@needs_samples
def test_prints_tell_their_venue_and_what_is_odd_about_them() -> None:
    (batch,) = DbnFile(sample("XNAS.ITCH.trades")).ticks()
    assert {batch.labels[i].exchange for i in batch.rows["label"]} == {"XNAS"}
    assert all(batch.labels[i].counts for i in batch.rows["label"])


@needs_samples
@pytest.mark.parametrize("schema", ["mbo", "imbalance"])
def test_schemas_that_are_not_stored_are_refused_by_name(schema: str) -> None:
    with pytest.raises(InvalidInput, match=f"schema {schema}, which Tradewright does not store"):
        DbnFile(sample(f"XNAS.ITCH.{schema}"))


@needs_samples
def test_asking_a_file_for_something_else_names_what_it_holds() -> None:
    with pytest.raises(InvalidInput, match=r"holds trades, not bars\. --kind ticks\."):
        DbnBars(sample("EQUS.MINI.trades"), trading_calendar())


@needs_samples
@pytest.mark.parametrize(
    ("hints", "said"),
    [(Hints(timeframe=Timeframe.D1), "holds 1m bars"), (Hints(symbol="SPY"), "about QQQ, not SPY")],
)
def test_hints_that_contradict_the_file_are_refused(hints: Hints, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        DbnBars(sample("EQUS.MINI.ohlcv-1m"), trading_calendar(), hints)


@needs_samples
def test_a_plain_file_reads_as_a_packed_one(tmp_path: Path) -> None:
    plain = tmp_path / "plain.dbn"
    store = stored("EQUS.MINI.trades")
    plain.write_bytes(store.reader.read())
    assert is_dbn(plain)
    rows = rows_of(list(DbnFile(plain).ticks()))
    assert rows.tobytes() == rows_of(list(DbnFile(sample("EQUS.MINI.trades")).ticks())).tobytes()


@needs_samples
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    store = stored("EQUS.MINI.trades")
    short = tmp_path / "short.dbn"
    short.write_bytes(store.reader.read()[:-5])
    with pytest.raises(InvalidInput, match="its last record is not whole"):
        list(DbnFile(short).ticks())


@needs_samples
def test_a_packed_file_that_was_damaged_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.dbn.zst"
    content = bytearray(sample("EQUS.MINI.trades").read_bytes())
    content[-60:-20] = bytes(40)
    damaged.write_bytes(content)
    with pytest.raises(InvalidInput, match="cannot be read as DBN"):
        list(DbnFile(damaged).ticks())


def test_what_is_no_dbn_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.dbn"
    other.write_text("a,b\n1,2\n")
    assert not is_dbn(other)
    assert not is_dbn(tmp_path / "absent.dbn")
    with pytest.raises(InvalidInput, match="cannot be read as DBN"):
        DbnFile(other)
