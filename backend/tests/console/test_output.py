"""Tables on the command line read as a person writes."""

from decimal import Decimal

from app.console.output import table


def test_figures_have_no_padding_zeros_and_lists_no_brackets() -> None:
    rows = [{"a": Decimal("17.00000000"), "b": ["SPY", "IBM"], "c": None}]
    assert table(rows, ("a", "b", "c"))[1].split("  ") == ["17", "SPY, IBM"]


def test_whole_hundreds_keep_their_zeros() -> None:
    assert table([{"a": Decimal("1E+2")}, {"a": Decimal(100)}], ("a",))[1:] == ["100", "100"]


def test_an_empty_table_says_so() -> None:
    assert table([], ("a",)) == ["Nothing to show."]
