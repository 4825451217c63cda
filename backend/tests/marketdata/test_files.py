"""Files as people have them: shapes that are recognised, and what is asked or refused."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.core.errors import InvalidInput
from app.domain.market import Bar, Timeframe
from app.marketdata.calendar import FX, trading_calendar
from app.marketdata.files import BarFile, bar_files, normal_symbol, read_bars, symbol_in_name
from app.marketdata.shapes import Hints
from tests.factories import SHARED_DATA, utc

XNYS = trading_calendar("XNYS")
AAPL = Hints(symbol="AAPL")
HEADER = "ts_utc,open,high,low,close,volume\n"
ROWS = "".join(f"2024-03-01T14:3{i}:00Z,10,11,9,10.{i},100\n" for i in range(4))
FIRST = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)


def written(folder: Path, text: str, name: str = "AAPL.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def bars_of(path: Path, hints: Hints = AAPL, exchange: str = "XNYS") -> list[Bar]:
    return read_bars(path, trading_calendar(exchange), hints).bars()


def refused(path: Path, hints: Hints = AAPL) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_bars(path, XNYS, hints)
    return caught.value


def test_minutes_in_utc_need_no_hint_but_the_symbol(tmp_path: Path) -> None:
    bars = bars_of(written(tmp_path, HEADER + ROWS))
    assert [bar.close for bar in bars] == [10.0, 10.1, 10.2, 10.3]
    assert (bars[0].start, bars[0].timeframe) == (FIRST, Timeframe.M1)


@pytest.mark.parametrize(
    ("header", "time"),
    [
        ("Date,Open,High,Low,Close,Adj Close,Volume", "2024-03-01"),
        (",Open,High,Low,Close,Adj Close,Volume", "2024-03-01"),
        ("date,open,high,low,close,adj,volume", "20240301"),
        ("Date , OPEN, High,Low,Last,Adj,Vol", "03/01/2024"),
        ("<date>,<open>,<high>,<low>,<close>,<x>,<vol>", "2024-03-01 00:00:00"),
        ("timestamp,1. open,2. high,3. low,4. close,x,5. volume", "2024-03-01"),
    ],
)
def test_daily_files_of_many_headers(tmp_path: Path, header: str, time: str) -> None:
    other = time.replace("03/01/2024", "02/28/2024").replace("03-01", "02-28")
    other = other.replace("20240301", "20240228")
    text = f"{header}\n{other},9,11,9,10,5,100\n{time},10,11,9,10.5,5,100\n"
    bars = bars_of(written(tmp_path, text))
    assert (bars[-1].start, bars[-1].end) == (FIRST, utc("2024-03-01 21:00"))
    assert (bars[-1].close, bars[-1].volume, bars[-1].timeframe) == (10.5, 100, Timeframe.D1)


@pytest.mark.parametrize(
    ("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
def test_epochs_of_any_unit(tmp_path: Path, unit: str, factor: int) -> None:
    times = [(int(FIRST.timestamp()) + 60 * i) * factor for i in range(3)]
    text = "t,o,h,l,c,v\n" + "".join(f"{t},10,11,9,10,1\n" for t in times)
    assert bars_of(written(tmp_path, text))[0].start == FIRST


def test_epochs_with_a_fraction(tmp_path: Path) -> None:
    rows = ["1709303400.0,10", "1709303460.0,10", "1709303520.0,10", "x,1"]
    text = "t,o,h,l,c,v\n" + "".join(f"{row},11,9,10,1\n" for row in rows)
    assert [bar.start.minute for bar in bars_of(written(tmp_path, text))] == [30, 31, 32]


def test_local_times_are_asked_for_their_zone(tmp_path: Path) -> None:
    rows = "".join(f"2024-03-01 09:3{i}:00,10,11,9,10,1\n" for i in range(3))
    path = written(tmp_path, "Datetime,Open,High,Low,Close,Volume\n" + rows)
    error = refused(path)
    assert (error.field, "--tz" in str(error)) == ("tz", True)
    assert bars_of(path, Hints(symbol="AAPL", tz="America/New_York"))[0].start == FIRST
    error = refused(path, Hints(symbol="AAPL", tz="America/New_Yorc"))
    assert "--tz America/New_York" in str(error)


def test_a_local_time_that_does_not_exist_is_bad_and_the_rest_is_read(tmp_path: Path) -> None:
    times = ["2024-03-08 09:30", "2024-03-08 09:31", "2024-03-10 02:30", "2024-03-11 09:30"]
    text = "time,open,high,low,close,volume\n" + "".join(f"{t},1,1,1,1,1\n" for t in times)
    bars = bars_of(
        written(tmp_path, text), Hints(symbol="A", tz="America/New_York", timeframe=Timeframe.M1)
    )
    assert [bar.start.hour for bar in bars] == [14, 14, 13]


def test_date_and_time_of_day_may_be_two_columns(tmp_path: Path) -> None:
    text = "<DATE>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>\n"
    text += "".join(f"2024-03-01;14:3{i}:00;10;11;9;10;5\n" for i in range(3))
    assert bars_of(written(tmp_path, text), Hints(symbol="A", tz="UTC"))[0].start == FIRST


def test_day_and_month_that_could_be_either_are_asked_for(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close,Volume\n01/03/2024,1,1,1,1,1\n04/03/2024,1,1,1,1,1\n"
    path = written(tmp_path, text)
    assert refused(path).field == "date_format"
    (first, _) = bars_of(path, Hints(symbol="A", date_format="%d/%m/%Y"))
    assert first.start == FIRST


def test_a_file_may_name_its_symbols(tmp_path: Path) -> None:
    text = "ticker,date,open,high,low,close,volume\n"
    text += "".join(f"{s},2024-03-0{d},1,1,1,1,1\n" for d in (1, 4) for s in ("spy", "ibm"))
    chunks = list(BarFile(written(tmp_path, text), XNYS).chunks())
    assert [(chunk.batch.symbol, len(chunk)) for chunk in chunks] == [("IBM", 2), ("SPY", 2)]


def test_gzip_and_parquet_say_the_same(tmp_path: Path) -> None:
    plain = written(tmp_path, HEADER + ROWS)
    zipped = tmp_path / "AAPL.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    table = pd.read_csv(plain)
    aware = tmp_path / "AAPL.parquet"
    table.assign(ts_utc=pd.to_datetime(table["ts_utc"])).to_parquet(aware)
    naive = tmp_path / "naive.parquet"
    times = pd.to_datetime(table["ts_utc"]).dt.tz_localize(None)
    table.assign(ts_utc=times).to_parquet(naive)
    expected = bars_of(plain)
    assert bars_of(zipped) == bars_of(aware) == bars_of(naive) == expected


def test_parquet_with_dates_is_daily(tmp_path: Path) -> None:
    days = pd.to_datetime(["2024-02-28", "2024-02-29", "2024-03-01"])
    columns = dict.fromkeys(["open", "high", "low", "close", "volume"], 1.0)
    path = tmp_path / "AAPL.parquet"
    pd.DataFrame({"date": days.date, **columns}).to_parquet(path)
    assert bars_of(path)[-1].start == FIRST


def test_daily_bars_stamped_in_utc_belong_to_the_local_day(tmp_path: Path) -> None:
    text = HEADER + "2024-02-29T21:00:00Z,1,1,1,1,1\n2024-03-01T21:00:00Z,1,1,1,1,1\n"
    bars = bars_of(written(tmp_path, text), Hints(symbol="A", timeframe=Timeframe.D1))
    assert [bar.start for bar in bars] == [utc("2024-02-29 14:30"), FIRST]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROWS).replace("\n", "\r\n").encode())
    assert len(bars_of(path)) == 4


def test_bad_rows_are_left_out_and_shown_as_they_stood(tmp_path: Path) -> None:
    bad = "2024-03-01T14:34:00Z,10,11,9,ten,100\n2024-03-01T14:35:00Z,1,0,11,9,10,100\n,1,1,1,1,1\n"
    path = written(tmp_path, HEADER + ROWS + bad)
    assert len(bars_of(path)) == 4
    (chunk,) = BarFile(path, XNYS, AAPL).chunks()
    assert chunk.record(4)["close"] == "ten"
    assert chunk.record(5)["extra"] == "100.0"
    assert chunk.malformed.tolist() == [False] * 5 + [True, False]


def test_volume_average_price_is_kept(tmp_path: Path) -> None:
    text = "t,o,h,l,c,v,vw\n1709303400,10,11,9,10,1,10.25\n1709303460,10,11,9,10,1,\n"
    batch = read_bars(written(tmp_path, text), XNYS, Hints(symbol="A", timeframe=Timeframe.M1))
    assert batch.rows["vwap"][0] == 10.25
    assert np.isnan(batch.rows["vwap"][1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        (HEADER, "has a header but no rows"),
        ("ts_utc,open,high,low,volume\n1,1,1,1,1\n", "no column for close"),
        ("a,b\n1,2\n", "no column for time, open"),
        ("date,strike,right,open,high,low,close,volume\n2024-03-01,9,C,1,1,1,1,1\n", "options"),
        ("bid_open,ask_open\n1,2\n", "look like quotes"),
        (HEADER + "soon,1,1,1,1,1\nlater,1,1,1,1,1\n", "'soon') cannot be read"),
        (HEADER + ",1,1,1,1,1\n,1,1,1,1,1\n", "is empty"),
        (HEADER + "1e30,1,1,1,1,1\n1e30,1,1,1,1,1\n", "no epoch"),
        ("\0\1binary", "binary data"),
        (HEADER + "2024-03-01T14:30:00Z,1,1,1,1,1\n" * 1, "do not tell the timeframe"),
        (HEADER + '"2024-03-01T14:30:00Z,1,1,1,1,1\n' * 3, "cannot be read as a table"),
    ],
)
def test_what_is_no_file_of_bars_is_refused_with_a_sentence(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in str(refused(written(tmp_path, text)))


def test_damaged_files_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + ROWS * 500).encode())
    path = tmp_path / "AAPL.csv.gz"
    for broken in (whole[: len(whole) // 2], whole[:-8], whole[:30] + b"xx" + whole[32:]):
        path.write_bytes(broken)
        assert "damaged or cut off" in str(refused(path))
    (tmp_path / "AAPL.parquet").write_bytes(b"PAR1 and no more")
    assert "cannot be read" in str(refused(tmp_path / "AAPL.parquet"))
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\xe9,1,1,1,1,1\n")
    assert "UTF-8" in str(refused(tmp_path / "latin.csv"))
    assert "no file" in str(refused(tmp_path / "nowhere.csv"))


def test_what_the_file_does_not_say_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + ROWS, "SPY.trade.csv")
    assert "--symbol SPY" in str(refused(path, Hints()))
    daily = written(tmp_path, "date,open,high,low,close,volume\n2024-03-01,1,1,1,1,1\n")
    assert "--timeframe 1d" in str(refused(daily, Hints(symbol="A", timeframe=Timeframe.M1)))


def test_symbols_in_names() -> None:
    assert symbol_in_name(Path("SPY.trade.csv.gz")) == "SPY"
    assert symbol_in_name(Path("aapl_2004_2018.csv")) == "AAPL"
    assert symbol_in_name(Path("(1).csv")) is None
    assert normal_symbol(" brk.b ") == "BRK.B"
    with pytest.raises(InvalidInput, match="no symbol"):
        normal_symbol("two words")


def test_a_folder_gives_one_file_a_symbol(tmp_path: Path) -> None:
    for name in ("SPY.trade.csv", "SPY.quote.csv", "IBM.parquet", "notes.md"):
        (tmp_path / name).touch()
    assert sorted(bar_files(tmp_path)) == ["IBM", "SPY"]
    (tmp_path / "SPY_2.csv").touch()
    with pytest.raises(InvalidInput, match="both of SPY"):
        bar_files(tmp_path)
    with pytest.raises(InvalidInput, match="does not begin with a symbol"):
        bar_files(written(tmp_path, "", "(1).csv"))


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared market data is not here")
@pytest.mark.parametrize(
    ("name", "timeframe", "good", "exchange", "tz"),
    [
        ("equity_daily/SPY.csv.gz", Timeframe.D1, 5849, "XNYS", None),
        # three lows and two lows of these two files have lost a digit
        ("equity_daily/AAPL.csv.gz", Timeframe.D1, 5846, "XNYS", None),
        ("equity_daily/GOOG.csv.gz", Timeframe.D1, 4181, "XNYS", None),
        ("equity_daily_yahoo/AAPL_2004_2018.csv.gz", Timeframe.D1, 3379, "XNYS", None),
        ("equity_daily_yahoo/GOOG_2004_2013.csv.gz", Timeframe.D1, 2148, "XNYS", None),
        ("equity_minute/SPY.trade.csv.gz", Timeframe.M1, 4839, "XNYS", None),
        ("equity_minute/IBM.trade.csv.gz", Timeframe.M1, 2566, "XNYS", None),
        # two bars begin after the week's close, at 17:00 New York in summer
        ("fx_hour/EURUSD_2017_2018.csv.gz", Timeframe.H1, 4998, FX, "UTC"),
    ],
)
def test_real_files(
    name: str, timeframe: Timeframe, good: int, exchange: str, tz: str | None
) -> None:
    batch = read_bars(SHARED_DATA / name, trading_calendar(exchange), Hints(symbol="X", tz=tz))
    assert (batch.timeframe, len(batch)) == (timeframe, good)
