"""Columns of numpy as JSON: times as text, what is not a number as null."""

from typing import Any

import numpy as np
import orjson
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


def bars_json(batch: BarBatch) -> orjson.Fragment:
    """The same as JSON: columns are written as a whole, which takes half of the objects' time."""
    rows = batch.rows
    texts = [instants(rows["start"]), instants(rows["end"])]
    texts += [_texts(rows[name]) for name in NAMES[2:]]
    objects = [
        f'{{"start":"{start}","end":"{end}","open":{open_},"high":{high},"low":{low},'
        f'"close":{close},"volume":{volume},"vwap":{vwap}}}'
        for start, end, open_, high, low, close, volume, vwap in zip(*texts, strict=True)
    ]
    return orjson.Fragment(f"[{','.join(objects)}]")


def _texts(column: NDArray[np.float64]) -> list[str]:
    """Numbers as JSON, null for NaN and infinities."""
    if not len(column):
        return []
    whole = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
    return whole[1:-1].decode().split(",")
