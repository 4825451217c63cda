"""The read side's one way to list: a SELECT, conditions, and pages by key."""

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
import orjson

from app.core.errors import InvalidInput

Row = dict[str, Any]


class Db(Protocol):
    """An asyncpg pool, or one of its connections: whatever can run a statement."""

    async def fetch(self, query: str, *arguments: object) -> list[Mapping[str, Any]]: ...

    async def fetchrow(self, query: str, *arguments: object) -> Mapping[str, Any] | None: ...

    async def fetchval(self, query: str, *arguments: object) -> Any: ...  # noqa: ANN401 - any SQL value

    async def execute(self, query: str, *arguments: object) -> str: ...


_KEY: Final = "_key"


class Listing(msgspec.Struct, frozen=True):
    """What a list is read from. `keys` are (SQL expression, type) and together unique.

    `documents` names the json columns, which arrive as text.
    """

    select: str
    source: str
    keys: tuple[tuple[str, str], ...]
    descending: bool = True
    documents: tuple[str, ...] = ()


class Where:
    """Conditions joined by AND, with their arguments; `{}` stands for the argument."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.arguments: list[Any] = []

    def add(self, condition: str, value: Any) -> "Where":  # noqa: ANN401 - any SQL value
        """Add a condition, unless `value` is None or empty."""
        if value is not None and value != []:
            self.arguments.append(value)
            self.parts.append(condition.replace("{}", f"${len(self.arguments)}"))
        return self

    def among(self, column: str, values: list[int] | None) -> "Where":
        """`column` is one of `values`; None means any, and an empty list means nothing at all."""
        if values is not None:
            self.arguments.append(values)
            self.parts.append(f"{column} = ANY(${len(self.arguments)}::bigint[])")
        return self

    def say(self, condition: str, *, when: bool = True) -> "Where":
        """Add a condition without an argument."""
        if when:
            self.parts.append(condition)
        return self

    def period(self, column: str, start: datetime | None, end: datetime | None) -> "Where":
        """[start, end) on `column`."""
        return self.add(f"{column} >= {{}}", start).add(f"{column} < {{}}", end)

    @property
    def sql(self) -> str:
        return f" WHERE {' AND '.join(self.parts)}" if self.parts else ""


class Rows(msgspec.Struct):
    """One page: rows, and where the next page begins."""

    items: list[Row]
    next_cursor: str | None = None


Fetch = Callable[[int, str | None], Awaitable[Rows]]
"""A list that is ready to be read: (limit, cursor) -> page."""


def lister(db: Db, listing: Listing, where: Where) -> Fetch:
    """Bind a list to its conditions; call it page by page."""

    async def fetch(limit: int, cursor: str | None) -> Rows:
        return await page(db, listing, where, limit, cursor)

    return fetch


async def page(
    db: Db, listing: Listing, where: Where, limit: int, cursor: str | None = None
) -> Rows:
    """`limit` rows after `cursor`. Raises InvalidInput for a cursor that is not ours."""
    narrowed = Where()
    narrowed.parts, narrowed.arguments = [*where.parts], [*where.arguments]
    if cursor is not None:
        _after(narrowed, listing, decode_cursor(cursor, len(listing.keys)))
    direction = " DESC" if listing.descending else ""
    keys = ", ".join(f"({key})::text" for key, _ in listing.keys)
    narrowed.arguments.append(limit + 1)
    found = await db.fetch(
        f"SELECT {listing.select}, ARRAY[{keys}] AS {_KEY} FROM {listing.source}{narrowed.sql}"
        f" ORDER BY {', '.join(key + direction for key, _ in listing.keys)}"
        f" LIMIT ${len(narrowed.arguments)}",
        *narrowed.arguments,
    )
    more = len(found) > limit
    found = found[:limit]
    next_cursor = encode_cursor(found[-1][_KEY]) if more else None
    return Rows([plain(row, listing.documents) for row in found], next_cursor)


def _after(where: Where, listing: Listing, values: Sequence[str]) -> None:
    places = []
    for (_, kind), value in zip(listing.keys, values, strict=True):
        where.arguments.append(value)
        places.append(f"${len(where.arguments)}::text::{kind}")
    keys = ", ".join(key for key, _ in listing.keys)
    sign = "<" if listing.descending else ">"
    where.parts.append(f"({keys}) {sign} ({', '.join(places)})")


def plain(row: Mapping[str, Any], documents: Sequence[str] = ()) -> Row:
    """A record as a dict, its json columns decoded."""
    result = dict(row)
    result.pop(_KEY, None)
    for name in documents:
        if isinstance(result[name], str):
            result[name] = orjson.loads(result[name])
    return result


def encode_cursor(values: Sequence[str]) -> str:
    """Where a page ended, as opaque text."""
    return base64.urlsafe_b64encode(orjson.dumps(list(values))).decode().rstrip("=")


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """Back from the text. Raises InvalidInput when it was not made by `encode_cursor`."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        values = None
    if not (
        isinstance(values, list)
        and len(values) == parts
        and all(isinstance(value, str) for value in values)
    ):
        raise bad_cursor()
    return values


def bad_cursor() -> InvalidInput:
    """The error for a cursor that cannot be read."""
    return InvalidInput(
        "The cursor is not one that this list has given.",
        field="cursor",
        remedy="Send `next_cursor` of the page before as it is, or leave it out.",
    )


async def every(fetch: Fetch, limit: int, chunk: int = 1000) -> AsyncIterator[Row]:
    """Rows of all pages, at most `limit`."""
    cursor: str | None = None
    left = limit
    while left > 0:
        rows = await fetch(min(chunk, left), cursor)
        for row in rows.items:
            yield row
        left -= len(rows.items)
        cursor = rows.next_cursor
        if cursor is None:
            return
