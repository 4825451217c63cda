"""Files of option chains: shapes that vendors write, and rows that name no contract."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import InvalidInput
from app.domain.options import OptionType
from app.marketdata.option_files import OptionChunk, OptionFile, recognise
from app.marketdata.option_validation import OptionReason, validate
from app.marketdata.shapes import Hints
from tests.factories import ns
from tests.marketdata.test_options import XNYS

PARTS = "date,underlying,underlying_close,expiry,strike,right,close,volume,open_interest,iv"


def read(folder: Path, *lines: str, hints: Hints | None = None) -> OptionChunk:
    path = folder / "chain.csv"
    path.write_text("\n".join(lines) + "\n")
    (chunk,) = OptionFile(path, XNYS, hints).chunks()
    return chunk


def test_parts_of_a_contract_and_a_date(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        PARTS,
        "2015-12-24,GOOG,748.40,2016-01-15,742.5,C,15.5,3,,0.25",
        "2015-12-24,BRK.B,130,20160115,130,put,0,0,10,0",
    )
    call, put = (chunk.batch.contracts[i] for i in chunk.batch.rows["contract"])
    assert (call.symbol, put.symbol) == ("GOOG160115C00742500", "BRKB160115P00130000")
    rows = chunk.batch.rows
    assert rows["at"].tolist() == [ns("2015-12-24 18:00")] * 2, "the close of a half day"
    assert rows["underlying_price"].tolist() == [748.4, 130]
    np.testing.assert_equal(rows["last"], [15.5, np.nan])
    np.testing.assert_equal(rows["open_interest"], [np.nan, 10])
    assert chunk.said.tolist() == [0.25, 0]
    assert not chunk.codes.any()
    assert chunk.told(0) == (
        "GOOG160115C00742500",
        {
            "date": "2015-12-24",
            "underlying": "GOOG",
            "underlying_close": "748.4",
            "expiry": "2016-01-15",
            "strike": "742.5",
            "right": "C",
            "close": "15.5",
            "volume": "3",
            "iv": "0.25",
        },
    )


def test_symbols_and_instants(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        "contractSymbol,lastTradeDate,bid,ask,lastPrice,openInterest,impliedVolatility",
        "AAPL  261218C00250000,2026-11-20T15:30:00Z,5.1,5.3,5.2,100,0.31",
    )
    (contract,) = (chunk.batch.contracts[i] for i in chunk.batch.rows["contract"])
    assert (contract.expiry, contract.strike) == (date(2026, 12, 18), Decimal(250))
    assert contract.option_type is OptionType.CALL
    assert chunk.batch.rows["at"][0] == ns("2026-11-20 15:30")
    assert chunk.batch.prices.tolist() == pytest.approx([5.2])


def test_the_underlying_may_come_from_the_caller(tmp_path: Path) -> None:
    lines = ("date,expiry,strike,right,close", "2015-12-24,2016-01-15,740,C,15.5")
    chunk = read(tmp_path, *lines, hints=Hints(symbol="GOOG"))
    assert chunk.told(0)[0] == "GOOG160115C00740000"
    with pytest.raises(InvalidInput, match="whose options") as refused:
        read(tmp_path, *lines)
    assert refused.value.field == "symbol"


def test_bad_rows_are_known_by_their_reasons(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        PARTS,
        "2015-12-24,GOOG,748.40,2016-01-15,740,C,15.5,3,,",
        "2015-12-24,GOOG,748.40,2016-01-15,740,X,15.5,3,,",
        "2015-12-24,GOOG,748.40,2016-13-45,740,C,15.5,3,,",
        "2015-12-24,GOOG,748.40,2016-01-15,-1,C,15.5,3,,",
        "2015-12-24,GOOG1,748.40,2016-01-15,740,C,15.5,3,,",
        "2015-12-25,GOOG,748.40,2016-01-15,740,P,15.5,3,,",
        "2015-12-24,GOOG,748.40,2016-01-15,745,C,dear,3,,",
    )
    verdict = validate(chunk.batch, XNYS, codes=chunk.codes)
    assert [verdict.reasons(i) for i in range(7)] == [
        [],
        [OptionReason.BAD_CONTRACT],
        [OptionReason.BAD_CONTRACT],
        [OptionReason.BAD_CONTRACT],
        [OptionReason.ADJUSTED],
        [OptionReason.BAD_TIME],
        [OptionReason.NOT_A_NUMBER],
    ]
    assert chunk.told(1)[0] == ""


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["date", "close"], "which contracts"),
        (["symbol", "bid", "ask"], "when its rows were true"),
        (["symbol", "date", "volume"], "what the contracts cost"),
    ],
)
def test_a_file_that_leaves_something_open_is_refused(header: list[str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        recognise(header)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no rows"):
        read(tmp_path, PARTS)


def test_columns_without_a_use_are_named(tmp_path: Path) -> None:
    path = tmp_path / "chain.csv"
    path.write_text("symbol,date,bid,ask,colour\nSPY240621C00500000,2024-03-01,1,2,red\n")
    file = OptionFile(path, XNYS)
    assert (file.ignored, file.rows) == (["colour"], 1)
