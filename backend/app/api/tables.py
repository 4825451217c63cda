"""Lists as pages of JSON, or whole as CSV."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar, cast

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse

from app.api.schemas.base import Out, Page, PageQuery
from app.repositories.paging import Fetch, Row, Rows, every

Item = TypeVar("Item", bound=Out)
MOST_ROWS: Final = 100_000
"Rows of a CSV file."
_FORMULA: Final = ("=", "+", "@", "\t", "\r")


class Table:
    """Answers with a list in the form that the request asks for."""

    def __init__(self, request: Request) -> None:
        self._accepts = request.headers.get("accept", "")
        self._name = request.url.path.rstrip("/").rpartition("/")[2]

    async def __call__(self, item: type[Item], query: PageQuery, fetch: Fetch) -> Page[Item]:
        """A page of `item`; with `format=csv` or `Accept: text/csv` the whole list as a file."""
        if self.wants_csv(query.format):
            # FastAPI sends a Response as it is, whatever the route declares.
            return cast("Page[Item]", self._stream(item, fetch))
        rows = await fetch(query.limit, query.cursor)
        items = [item.model_validate(row) for row in rows.items]
        return Page[item](items=items, next_cursor=rows.next_cursor)  # type: ignore[valid-type]  # a class made at run time

    def wants_csv(self, form: str | None) -> bool:
        """Whether a file is asked for."""
        return form == "csv" or (form is None and "text/csv" in self._accepts)

    def file(self, item: type[Out], rows: Rows) -> StreamingResponse:
        """Rows that are at hand, as a file."""

        async def once(_limit: int, _cursor: str | None) -> Rows:
            return rows

        return self._stream(item, once)

    def _stream(self, item: type[Out], fetch: Fetch) -> StreamingResponse:
        return StreamingResponse(
            lines(item, fetch),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{self._name}.csv"'},
        )


async def lines(item: type[Out], fetch: Fetch) -> AsyncIterator[str]:
    """Header and rows as CSV text, a page at a time."""
    names = list(item.model_fields)
    yield _text([names])
    waiting: list[list[str]] = []
    async for row in every(fetch, MOST_ROWS):
        waiting.append(_cells(item, names, row))
        if len(waiting) >= 500:
            yield _text(waiting)
            waiting.clear()
    if waiting:
        yield _text(waiting)


def _cells(item: type[Out], names: list[str], row: Row) -> list[str]:
    values = item.model_validate(row).model_dump(mode="json")
    return [cell(values[name]) for name in names]


def cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """A value as CSV text that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    text = str(value)
    is_number = text[:1] == "-" and text[1:2].isdigit()
    if text.startswith(_FORMULA) or (text.startswith("-") and not is_number):
        return f"'{text}"
    return text


def _text(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()
