"""Columns, holes, and looking one row back."""

import numpy as np
import pytest

from app.core.errors import InvalidInput
from app.indicators.rows import as_column, crossed_above, crossed_below, previous

NAN = float("nan")


def test_a_column_is_contiguous_float64() -> None:
    records = np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")])
    column = as_column(records["b"], "b")
    assert column.flags["C_CONTIGUOUS"]
    assert column.dtype == np.float64


def test_text_is_not_a_column() -> None:
    with pytest.raises(InvalidInput, match="close must hold numbers only"):
        as_column(["a"], "close")


def test_a_table_is_not_a_column() -> None:
    with pytest.raises(InvalidInput, match="close must be one column, not 2-dimensional"):
        as_column([[1.0]], "close")


def test_previous_looks_back() -> None:
    assert np.array_equal(previous([1, 2, 3]), [NAN, 1, 2], equal_nan=True)
    assert np.array_equal(previous([1, 2, 3], 0), [1, 2, 3])
    assert np.isnan(previous([1, 2], 5)).all()


def test_previous_never_looks_ahead() -> None:
    with pytest.raises(InvalidInput, match="rows must be at least 0"):
        previous([1, 2, 3], -1)


def test_a_crossing_is_seen_in_its_row() -> None:
    assert crossed_above([1, 3, 3], [2, 2, 2]).tolist() == [False, True, False]
    assert crossed_below([3, 1, 1], 2).tolist() == [False, True, False]
