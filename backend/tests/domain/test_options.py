"""Option symbols: parsed and written, and refused in words."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.options import (
    ExerciseStyle,
    OptionContract,
    OptionType,
    instrument_of,
    is_adjusted,
    is_occ,
    occ_symbol,
    option_type_of,
    parse_occ,
    refuse_option,
    strike_of,
    style_of,
)

AAPL = OptionContract("AAPL", date(2026, 12, 18), Decimal(250), OptionType.CALL)

contracts = st.builds(
    OptionContract,
    st.from_regex(r"[A-Z]{1,6}", fullmatch=True),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.integers(1, 99_999_999).map(lambda n: Decimal(n) / 1000),
    st.sampled_from(OptionType),
)


@given(contracts)
def test_a_symbol_says_its_contract_with_and_without_blanks(contract: OptionContract) -> None:
    assert parse_occ(contract.symbol) == contract
    assert parse_occ(contract.padded) == contract
    assert len(contract.padded) == 21
    assert is_occ(contract.symbol)


def test_a_symbol_is_written_as_exchanges_write_it() -> None:
    assert AAPL.symbol == "AAPL261218C00250000"
    assert AAPL.padded == "AAPL  261218C00250000"
    assert parse_occ(" o:f260116p00012500 ").strike == Decimal("12.5")
    assert parse_occ("SPY700101C00001000").expiry == date(2070, 1, 1)


def test_contracts_sort_as_a_chain() -> None:
    put = OptionContract("AAPL", AAPL.expiry, AAPL.strike, OptionType.PUT)
    lower = OptionContract("AAPL", AAPL.expiry, Decimal(240), OptionType.PUT)
    assert sorted([put, AAPL, lower]) == [lower, AAPL, put]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AAPL", "no option symbol"),
        ("AAPL261218X00250000", "no option symbol"),
        ("AAPL261318C00250000", "a day that does not exist"),
        ("AAPL261218C00000000", "a strike of zero"),
        ("", "no option symbol"),
    ],
)
def test_what_is_no_symbol_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        parse_occ(text)
    assert refused.value.field == "symbol"


@pytest.mark.parametrize("text", ["AAPL", "", "BRK.B", "EURUSD", "AAPL 2026-12-18 250 C"])
def test_a_stock_is_no_option(text: str) -> None:
    assert not is_occ(text)


@pytest.mark.parametrize(
    ("root", "expiry", "strike", "field"),
    [
        ("", date(2026, 1, 16), Decimal(1), "underlying"),
        ("TOOLONGS", date(2026, 1, 16), Decimal(1), "underlying"),
        ("SPY", date(1999, 1, 15), Decimal(1), "expiry"),
        ("SPY", date(2100, 1, 15), Decimal(1), "expiry"),
        ("SPY", date(2026, 1, 16), Decimal(0), "strike"),
        ("SPY", date(2026, 1, 16), Decimal(-1), "strike"),
        ("SPY", date(2026, 1, 16), Decimal("0.0001"), "strike"),
        ("SPY", date(2026, 1, 16), Decimal(100_000), "strike"),
        ("SPY", date(2026, 1, 16), Decimal("NaN"), "strike"),
    ],
)
def test_what_no_symbol_can_say_names_the_field(
    root: str, expiry: date, strike: Decimal, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        occ_symbol(root, expiry, OptionType.CALL, strike)
    assert refused.value.field == field


def test_words_for_call_and_put() -> None:
    assert [option_type_of(text) for text in ("C", "call", "Calls", " p ", "PUT")] == [
        OptionType.CALL,
        OptionType.CALL,
        OptionType.CALL,
        OptionType.PUT,
        OptionType.PUT,
    ]
    assert OptionType.PUT.letter == "P"
    with pytest.raises(InvalidInput, match="neither call nor put"):
        option_type_of("straddle")


def test_strikes_from_text() -> None:
    assert strike_of(" 62.5 ") == Decimal("62.5")
    for text in ("dear", "-1", "0", "1e9", "inf"):
        with pytest.raises(InvalidInput, match="is no strike"):
            strike_of(text)


def test_an_option_is_known_by_its_symbol_and_is_no_stock_to_order() -> None:
    found = instrument_of("AAPL261218C00250000")
    assert (found.kind, found.multiplier) == (InstrumentKind.OPTION, 100)
    assert instrument_of("AAPL") == Instrument("AAPL")
    refuse_option("AAPL", "symbol")
    with pytest.raises(InvalidInput, match="for stocks only") as refused:
        refuse_option(" aapl261218c00250000", "symbols")
    assert refused.value.field == "symbols"


def test_index_options_are_european_and_adjusted_roots_are_known() -> None:
    assert style_of("SPX") is ExerciseStyle.EUROPEAN
    assert style_of("SPY") is ExerciseStyle.AMERICAN
    assert is_adjusted("AAPL1")
    assert not is_adjusted("AAPL")
