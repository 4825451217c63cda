"""Rows of columns: the array type, gaps in the input, and looking one row back."""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.core.errors import InvalidInput

Array = NDArray[np.float64]
Result = TypeVar("Result", bound=Array | tuple[Array, ...])


def as_column(values: ArrayLike, name: str) -> Array:
    """`values` as contiguous float64 in one dimension, the only form the indicators work on."""
    try:
        column = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name} must hold numbers only.", field=name) from None
    if column.ndim != 1:
        raise InvalidInput(f"{name} must be one column, not {column.ndim}-dimensional.", field=name)
    return column


def over_valid_rows(function: Callable[..., Result], columns: Sequence[Array]) -> Result:
    """`function` on the rows where every column is finite; NaN in the rows left out.

    One hole would poison TA-Lib's running sums for ever. Left out, it costs its own row only, and
    row i still depends on rows <= i alone.
    """
    valid = np.logical_and.reduce([np.isfinite(column) for column in columns])
    if valid.all():
        return function(*columns)
    result = function(*(column[valid] for column in columns))
    if isinstance(result, tuple):
        return cast("Result", type(result)(*(_spread(part, valid) for part in result)))
    return cast("Result", _spread(result, valid))


def _spread(values: Array, valid: NDArray[np.bool_]) -> Array:
    spread = np.full(len(valid), np.nan)
    spread[valid] = values
    return spread


def previous(values: ArrayLike, rows: int = 1) -> Array:
    """The value `rows` rows earlier; NaN where there is none. Looking ahead is refused."""
    if rows < 0:
        raise InvalidInput(f"rows must be at least 0, not {rows}.", field="rows")
    column = as_column(values, "values")
    shifted = np.full(len(column), np.nan)
    shifted[rows:] = column[: max(len(column) - rows, 0)]
    return shifted


def crossed_above(values: ArrayLike, other: ArrayLike) -> NDArray[np.bool_]:
    """True where `values` is above `other` and was not in the row before."""
    left, right = as_column(values, "values"), _like(other, values)
    return (left > right) & (previous(left) <= previous(right))


def crossed_below(values: ArrayLike, other: ArrayLike) -> NDArray[np.bool_]:
    """True where `values` is below `other` and was not in the row before."""
    left, right = as_column(values, "values"), _like(other, values)
    return (left < right) & (previous(left) >= previous(right))


def _like(other: ArrayLike, values: ArrayLike) -> Array:
    """`other` as a column as long as `values`; a single number is a level."""
    return as_column(
        np.broadcast_to(np.asarray(other, dtype=np.float64), np.shape(values)), "other"
    )
