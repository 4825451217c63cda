"""What is asked of the columns of any strategy, and how trials of a strategy file fail."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.strategies.base import BaseStrategy, Columns
from app.strategies.loading import explained

ROWS: Final = 400
"Bars tried beyond the lookback."
CUTS: Final = (1, 7, 101, 250)
"Bars cut off at the end to see whether earlier rows stay as they were."
PRICES: Final = ("stop_loss", "take_profit", "stop_trail")


class Problem(Exception):
    """Why a strategy cannot be used."""


def check_columns(columns: Columns, rows: int, whose: str = "") -> None:
    """Numbers, one a row. `whose`: of which symbol, e.g. ` of SPY`."""
    for name, column in columns.items():
        given: object = column
        if not isinstance(given, np.ndarray) or given.shape != (rows,):
            raise Problem(
                f"the column {name}{whose} must be an array of {rows} rows, as the bars are."
            )
        if column.dtype.kind not in "fiub":
            raise Problem(f"the column {name}{whose} must hold numbers.")


def check_exposure(columns: Columns) -> None:
    """Without `decide`, the column `exposure` is the opinion."""
    if "exposure" not in columns:
        raise Problem("prepare must return a column `exposure`, or the class needs `decide`.")
    exposure = columns["exposure"]
    outside = exposure[np.isfinite(exposure) & (np.abs(exposure) > 1)]
    if len(outside) or np.isinf(exposure).any():
        raise Problem(f"exposure must be from -1 to 1, not {outside[:1].tolist() or 'infinite'}.")
    for name in PRICES:
        if name in columns and (columns[name] <= 0).any():
            raise Problem(f"{name} must be above 0, or NaN for none.")


def descriptions_missing(kind: type[BaseStrategy], columns: Columns) -> Iterator[str]:
    """Warnings about what the catalogue could not say."""
    if not kind.description:
        yield f"{kind.name} has no docstring: the catalogue cannot say what it does."
    if kind.columns and set(kind.columns) != set(columns):
        yield f"{kind.name}.columns names {sorted(kind.columns)}, prepare gives {sorted(columns)}."


def guarded(call: Callable[[], Any], method: str, path: Path) -> Any:  # noqa: ANN401 - whatever the user's code returns
    try:
        return call()
    except Exception as error:
        raise Problem(f"{method} fails: {explained(error, path)}") from error
