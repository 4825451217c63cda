"""Columns of numpy as JSON: times as text, what is not a number as null."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.marketdata.batch import BarBatch

NAMES = ("start", "end", "open", "high", "low", "close", "volume", "vwap")


def instants(nanoseconds: NDArray[np.int64]) -> list[str]:
    """`2026-11-20T14:30:00Z`, with microseconds only where one of them has some."""
    whole = not (nanoseconds % 1_000_000_000).any()
    times = nanoseconds.astype("datetime64[ns]").astype(f"datetime64[{'s' if whole else 'us'}]")
    texts: list[str] = np.datetime_as_string(times, timezone="UTC").tolist()
    return texts


def numbers(column: NDArray[np.float64]) -> list[float | None]:
    """Floats, null for NaN and infinities."""
    values: list[float | None] = column.tolist()
    for index in np.flatnonzero(~np.isfinite(column)).tolist():
        values[index] = None
    return values


def bars(batch: BarBatch) -> list[dict[str, Any]]:
    """Bars as objects."""
    rows = batch.rows
    columns: list[list[Any]] = [instants(rows["start"]), instants(rows["end"])]
    columns += [numbers(rows[name]) for name in NAMES[2:]]
    return [dict(zip(NAMES, row, strict=True)) for row in zip(*columns, strict=True)]
