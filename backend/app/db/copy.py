"""Binary COPY from and to numpy: rows of fixed width, laid out as PostgreSQL sends them."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, Final

import asyncpg
import numpy as np
from numpy.typing import NDArray

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_POSTGRES_EPOCH_NS: Final = 946_684_800_000_000_000
_NULL_LENGTH: Final = -1

_ROWS: Final = 8_192
"Rows laid out at a time: about a megabyte."

Value = NDArray[np.int64] | NDArray[np.float64] | NDArray[np.int16] | str | int | None
"""An array with a value a row (int64, float64, or int16 for a smallint), or one value for all rows;
None is NULL."""


class Instants:
    """int64 ns since 1970, to be stored as timestamptz (cut to the microsecond)."""

    def __init__(self, ns: NDArray[np.int64]) -> None:
        self.ns = ns

    @property
    def microseconds(self) -> NDArray[np.int64]:
        """As PostgreSQL counts them."""
        return (self.ns - _POSTGRES_EPOCH_NS) // 1_000

    def __getitem__(self, chosen: NDArray[np.intp]) -> "Instants":
        return Instants(self.ns[chosen])


class Texts:
    """Text that many rows have in common: row i has `choices[index[i]]`; None is NULL."""

    def __init__(self, choices: Sequence[str | None], index: NDArray[np.int32]) -> None:
        self.choices = choices
        self.index = index
        encoded = [b"" if text is None else text.encode() for text in choices]
        self.width = max([1, *map(len, encoded)])
        self.values = np.array(encoded or [b""], dtype=f"S{self.width}")
        lengths = [
            _NULL_LENGTH if text is None else len(value)
            for text, value in zip(choices, encoded, strict=True)
        ]
        self.lengths = np.array(lengths or [_NULL_LENGTH], dtype=np.int32)

    def __getitem__(self, chosen: NDArray[np.intp]) -> "Texts":
        return Texts(self.choices, self.index[chosen])


Columns = Mapping[str, Value | Instants | Texts]


def encode(columns: Columns, count: int) -> bytes:
    """`count` rows in the binary COPY format."""
    return b"".join(encoded(columns, count))


def encoded(columns: Columns, count: int) -> Iterator[bytes]:
    """`count` rows in the binary COPY format, some thousands at a time."""
    layout = _Layout(columns)
    yield _SIGNATURE
    for first in range(0, count, _ROWS):
        yield layout.rows(first, min(first + _ROWS, count))
    yield _TRAILER


class _Layout:
    """Where the fields of a row lie; what is the same in all rows is written once."""

    def __init__(self, columns: Columns) -> None:
        fields: list[tuple[str, str]] = [("count", ">i2")]
        same: dict[str, object] = {"count": len(columns)}
        self._varying: dict[str, NDArray[Any]] = {}
        self._texts: dict[int, Texts] = {}
        for i, value in enumerate(columns.values()):
            kind, plain = _field(value)
            fields.append((f"length{i}", ">i4"))
            same[f"length{i}"] = _NULL_LENGTH if kind is None else np.dtype(kind).itemsize
            if kind is not None:
                fields.append((f"value{i}", kind))
            if isinstance(value, Texts):
                self._texts[i] = value
            elif isinstance(plain, np.ndarray):
                self._varying[f"value{i}"] = plain
            elif kind is not None:
                same[f"value{i}"] = plain
        self._type = np.dtype(fields)
        self._same = np.zeros(1, dtype=self._type)
        for name, constant in same.items():
            self._same[name] = constant

    def rows(self, first: int, end: int) -> bytes:
        rows = np.tile(self._same.view(np.uint8), end - first).view(self._type)
        for name, plain in self._varying.items():
            rows[name] = plain[first:end]
        chosen = {i: text.index[first:end] for i, text in self._texts.items()}
        for i, text in self._texts.items():
            rows[f"value{i}"] = text.values[chosen[i]]
            rows[f"length{i}"] = text.lengths[chosen[i]]
        whole: bytes = rows.tobytes()
        widths = [text.lengths[chosen[i]] == text.width for i, text in self._texts.items()]
        if all(wide.all() for wide in widths):
            return whole
        bytes_ = np.frombuffer(whole, dtype=np.uint8).reshape(len(rows), -1)
        squeezed: bytes = bytes_[self._used(chosen, len(rows))].tobytes()
        return squeezed

    def _used(self, chosen: Mapping[int, NDArray[np.int32]], count: int) -> NDArray[np.bool_]:
        """Which bytes of each row are there: a text fills only a part of its field."""
        used = np.ones((count, self._type.itemsize), dtype=np.bool_)
        for i, text in self._texts.items():
            start = self._offset(i)
            lengths = np.maximum(text.lengths, 0)
            part = np.arange(text.width) < lengths[:, None]
            used[:, start : start + text.width] = part[chosen[i]]
        return used

    def _offset(self, column: int) -> int:
        fields = self._type.fields
        assert fields is not None
        return int(fields[f"value{column}"][1])


def _field(value: Value | Instants | Texts) -> tuple[str | None, Any]:
    """Numpy type of a field on the wire (None for NULL), and its values."""
    if value is None:
        return None, None
    if isinstance(value, Instants):
        return ">i8", value.microseconds
    if isinstance(value, Texts):
        return f"S{value.width}", None
    if isinstance(value, str):
        text = value.encode()
        return f"V{len(text)}", np.void(text)
    if isinstance(value, int):
        return ">i8", value
    return {"f": ">f8", "i": f">i{value.dtype.itemsize}"}[value.dtype.kind], value


async def copy_in(
    connection: asyncpg.Connection,
    table: str,
    columns: Columns,
    count: int,
    *,
    schema: str | None = None,
) -> None:
    """Append `count` rows to `table`. Raises UniqueViolationError when one is there already."""
    await connection.copy_to_table(
        table,
        source=_sent(columns, count),
        columns=list(columns),
        schema_name=schema,
        format="binary",
    )


async def _sent(columns: Columns, count: int) -> AsyncIterator[bytes]:
    for part in encoded(columns, count):
        yield part


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
