"""Binary COPY from and to numpy: rows of fixed width, laid out as PostgreSQL sends them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from io import BytesIO
from typing import Any, Final

import asyncpg
import numpy as np
from numpy.typing import NDArray

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_POSTGRES_EPOCH_NS: Final = 946_684_800_000_000_000
_SLICE: Final = 1 << 20
_NULL_LENGTH: Final = -1

Value = NDArray[np.int64] | NDArray[np.float64] | str | int | None
"An array with a value a row (int64 or float64), or one value for all rows; None is NULL."


class Instants:
    """int64 ns since 1970, to be stored as timestamptz (cut to the microsecond)."""

    def __init__(self, ns: NDArray[np.int64]) -> None:
        self.microseconds = (ns - _POSTGRES_EPOCH_NS) // 1_000


def encode(columns: Mapping[str, Value | Instants], count: int) -> bytes:
    """`count` rows in the binary COPY format. Text is the same for all rows, and not empty."""
    fields: list[tuple[str, Any]] = [("count", ">i2")]
    values: list[tuple[str, Any]] = [("count", len(columns))]
    for i, value in enumerate(columns.values()):
        kind, plain = _field(value)
        length = _NULL_LENGTH if kind is None else np.dtype(kind).itemsize
        fields.append((f"length{i}", ">i4"))
        values.append((f"length{i}", length))
        if kind is not None:
            fields.append((f"value{i}", kind))
            values.append((f"value{i}", plain))
    rows = np.empty(count, dtype=fields)
    for name, plain in values:
        rows[name] = plain
    return b"".join((_SIGNATURE, rows.tobytes(), _TRAILER))


def _field(value: Value | Instants) -> tuple[str | None, Any]:
    """Numpy type of a field on the wire (None for NULL), and its values."""
    if value is None:
        return None, None
    if isinstance(value, Instants):
        return ">i8", value.microseconds
    if isinstance(value, str):
        text = value.encode()
        return f"V{len(text)}", np.void(text)
    if isinstance(value, int):
        return ">i8", value
    return (">f8" if value.dtype.kind == "f" else ">i8"), value


async def copy_in(
    connection: asyncpg.Connection,
    table: str,
    columns: Mapping[str, Value | Instants],
    count: int,
    *,
    schema: str | None = None,
) -> None:
    """Append `count` rows to `table`. Raises UniqueViolationError when one is there already."""
    await connection.copy_to_table(
        table,
        source=_slices(encode(columns, count)),
        columns=list(columns),
        schema_name=schema,
        format="binary",
    )


async def _slices(payload: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(payload)
    for start in range(0, len(view), _SLICE):
        yield view[start : start + _SLICE]


async def copy_out(
    connection: asyncpg.Connection, query: str, *arguments: object, kinds: Sequence[str]
) -> list[NDArray[Any]]:
    """Result of a query as arrays. `kinds`: "instant" (ns), "integer" or "float" a column.

    No column may hold a NULL.
    """
    buffer = BytesIO()
    await connection.copy_from_query(query, *arguments, output=buffer, format="binary")
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for i, kind in enumerate(kinds):
        fields += [(f"length{i}", ">i4"), (f"value{i}", ">f8" if kind == "float" else ">i8")]
    layout = np.dtype(fields)
    body = memoryview(buffer.getvalue())[len(_SIGNATURE) : -len(_TRAILER)]
    rows = np.frombuffer(body, dtype=layout)
    return [_native(rows[f"value{i}"], kind) for i, kind in enumerate(kinds)]


def _native(column: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "float":
        return column.astype(np.float64)
    plain = column.astype(np.int64)
    return plain * 1_000 + _POSTGRES_EPOCH_NS if kind == "instant" else plain
