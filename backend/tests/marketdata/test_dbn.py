"""DBN records taken apart and turned into columns, whatever their mixture and wherever cut."""

from datetime import date
from itertools import pairwise
from typing import Any

import databento_dbn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import FeedLost
from app.domain.market import Timeframe
from app.marketdata import dbn
from app.marketdata.batch import Rows
from app.marketdata.calendar import trading_calendar
from tests.vendors import databento_records as records
from tests.vendors.databento_records import INSTRUMENTS

AT = 1_709_303_400 * 10**9
CALL = "AAPL  261218C00250000"
KINDS = {"trades": 0, "mbp-1": 1, "ohlcv-1m": 33, "heartbeat": 23}


def piece(kind: str, number: int) -> bytes:
    """Some record of a kind, told apart by its number."""
    if kind == "heartbeat":
        return records.system("Heartbeat", databento_dbn.SystemCode.HEARTBEAT, AT + number)
    if kind == "ohlcv-1m":
        return records.bar("SPY", kind, AT + number, (1.0, 2.0, 0.5, 1.5, 10)).shown[kind]
    return records.trade("AAPL", 100.0, 1, AT + number, number).shown[kind]


def columns() -> dbn.Columns:
    made = dbn.Columns({2: "XNAS"})
    for symbol, instrument in INSTRUMENTS.items():
        made.instruments.add(instrument, symbol)
    return made


def rows(data: bytes, kind: int) -> Rows:
    return dbn.cut(data).rows[kind]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (dbn.TRADE, databento_dbn.TradeMsg),
        (dbn.TOP, databento_dbn.MBP1Msg),
        (dbn.TOP, databento_dbn.BBOMsg),
        (dbn.TOP, databento_dbn.CMBP1Msg),
        (dbn.TOP, databento_dbn.CBBOMsg),
        (dbn.BAR_RECORD, databento_dbn.OHLCVMsg),
        (dbn.MAPPING, databento_dbn.SymbolMappingMsg),
    ],
)
def test_layouts_are_the_librarys(ours: Any, theirs: Any) -> None:
    said = np.dtype(theirs._dtypes)
    assert ours.itemsize == said.itemsize
    for name in ours.names:
        other = name if name in said.names else f"{name}_00"
        if other in said.names:
            assert ours.fields[name][1] == said.fields[other][1], name


@given(
    st.lists(st.sampled_from(sorted(KINDS)), max_size=30),
    st.lists(st.integers(0, 6_000), max_size=5),
)
def test_a_stream_is_the_same_wherever_it_is_cut(kinds: list[str], cuts: list[int]) -> None:
    stream = b"".join(piece(kind, number) for number, kind in enumerate(kinds))
    found: dict[int, list[int]] = {}
    others: list[bytes] = []
    rest, bounds = b"", sorted({0, *(min(c, len(stream)) for c in cuts), len(stream)})
    for begin, end in pairwise(bounds):
        part = dbn.cut(rest + stream[begin:end])
        rest = part.rest
        others += part.others
        for kind, some in part.rows.items():
            found.setdefault(kind, []).extend((some["ts_event"] - np.uint64(AT)).tolist())
    assert rest == b""
    expected: dict[int, list[int]] = {}
    for number, name in enumerate(kinds):
        expected.setdefault(KINDS[name], []).append(number)
    beats = expected.pop(23, [])
    assert found == expected
    assert others == [piece("heartbeat", number) for number in beats]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 16,  # a record without a length
        b"\x04\xee" + b"\x00" * 14,  # of a type that nobody knows
        b"\x05\x00" + b"\x00" * 18,  # a print that is too short
        piece("trades", 1) + b"\x01" * 80,  # amid good ones
    ],
)
def test_garbage_is_told_apart(data: bytes) -> None:
    with pytest.raises(ValueError, match="record"):
        dbn.cut(data)
    assert not issubclass(FeedLost, ValueError)  # whoever reads says whose garbage it was


def test_a_time_of_sending_behind_each_record_is_passed_over() -> None:
    data = b""
    for number in range(3):
        plain = piece("trades", number)
        data += bytes([len(plain) // 4 + 2]) + plain[1:] + (AT + number).to_bytes(8, "little")
    assert rows(data, 0)["sequence"].tolist() == [0, 1, 2]
    assert columns().ticks(rows(data, 0)).rows["price"].tolist() == [100.0] * 3


def test_a_cancelled_price_is_none() -> None:
    fixed = np.array([187_123_456_789, 2**63 - 1, -5_000_000_000], np.int64)
    found = dbn.prices(fixed)
    assert found[0] == 187.123456789
    assert np.isnan(found[1])
    assert found[2] == -5.0


def test_prices_are_the_floats_nearest_to_the_decimals() -> None:
    cents = np.arange(1, 1_000_000, 37, dtype=np.int64)
    expected = [float(f"{cent / 100:.2f}") for cent in cents.tolist()]
    assert dbn.prices(cents * 10_000_000).tolist() == expected


# ---------------------------------------------------------------------------- symbols


@pytest.mark.parametrize(
    ("raw", "ours"),
    [(CALL, "AAPL261218C00250000"), ("BRK.B", "BRK.B"), ("SPXW  240301P05000000", None)],
)
def test_symbols_are_translated_both_ways(raw: str, ours: str | None) -> None:
    ours = ours or raw.replace(" ", "")
    assert dbn.our_symbol(raw) == ours
    assert dbn.raw_symbol(ours) == raw


def test_an_instrument_id_stands_for_the_symbol_of_its_day() -> None:
    instruments = dbn.Instruments()
    instruments.add(7, "OLD", date(2024, 1, 1), date(2024, 3, 1))
    instruments.add(7, "NEW", date(2024, 3, 1), date(2024, 6, 1))
    instruments.add(9, "OTHER")
    days = np.array(["2024-02-29T23", "2024-03-01", "2024-05-31"], "datetime64[ns]")
    at = np.append(days.astype(np.uint64), np.uint64(1))
    ids = np.array([7, 7, 7, 9], np.uint32)
    found = [instruments.symbols[i] for i in instruments.positions(ids, at)]
    assert found == ["OLD", "NEW", "NEW", "OTHER"]


def test_an_instrument_that_nobody_named_shows_its_number() -> None:
    made = dbn.Columns()
    batch = made.ticks(rows(piece("trades", 1), 0))
    assert batch.symbols == (f"#{INSTRUMENTS['AAPL']}",)
    later = made.ticks(rows(piece("trades", 2), 0))
    assert later.symbols == batch.symbols


def test_a_later_mapping_replaces_an_earlier() -> None:
    made = dbn.Columns()
    made.learn(records.mapping("AAPL", AT))
    assert made.ticks(rows(piece("trades", 1), 0)).symbols == ("AAPL",)
    made.instruments.add(INSTRUMENTS["AAPL"], "APPL")
    batch = made.ticks(rows(piece("trades", 1), 0))
    assert batch.symbols[batch.rows["symbol"][0]] == "APPL"


# ---------------------------------------------------------------------------- columns


def test_prints_are_taken_out_of_a_book_and_the_book_before_them_is_not_a_quote() -> None:
    data = records.quote("AAPL", 99.0, 101.0, AT).shown["mbp-1"] + piece("mbp-1", 5)
    tops = rows(data, 1)
    assert columns().ticks(tops).rows["sequence"].tolist() == [5]
    assert columns().quotes(tops, 1).rows["bid"].tolist() == [99.0]
    assert len(columns().quotes(tops, 1, with_prints=True)) == 2


def test_of_one_message_the_last_book_counts() -> None:
    books = [(99.0, 7), (99.5, 7), (99.7, 8), (99.8, 8), (99.9, 0), (99.95, 0)]
    data = b"".join(
        records.quote("AAPL", bid, 101.0, AT, sequence=number).shown["mbp-1"]
        for bid, number in books
    )
    assert columns().quotes(rows(data, 1), 1).rows["bid"].tolist() == [99.5, 99.8, 99.9, 99.95]


def test_labels_tell_venue_and_flags_once() -> None:
    made = columns()
    prints = np.repeat(rows(piece("trades", 1), 0), 5).copy()
    prints["flags"] = [0, 130, 8, 32, 130]
    prints["publisher_id"][4] = 9_999
    batch = made.ticks(prints)
    labels = [batch.labels[i] for i in batch.rows["label"]]
    assert [label.exchange for label in labels] == ["XNAS"] * 4 + ["1023"]
    assert [label.conditions for label in labels] == [
        None, None, "bad receive time", "snapshot", None,
    ]  # fmt: skip
    assert [label.counts for label in labels] == [True, True, True, False, True]
    assert len(batch.labels) == 4


def test_bars_of_several_symbols_come_apart() -> None:
    data = b"".join(
        records.bar(symbol, "ohlcv-1m", AT, (1.0, 2.0, 0.5, 1.5, 10)).shown["ohlcv-1m"]
        for symbol in ("SPY", "AAPL", "SPY")
    )
    found = {
        batch.symbol: len(batch)
        for batch, _ in columns().bars(rows(data, 33), 33, trading_calendar())
    }
    assert found == {"SPY": 2, "AAPL": 1}
    assert dbn.BARS[33] is Timeframe.M1
