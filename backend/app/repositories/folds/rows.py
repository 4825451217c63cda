"""Rows of the state tables as their only writer remembers them, and the SQL to store them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import Any, Final

import msgspec

Key = tuple[Any, ...]
Row = dict[str, Any]
"A row by column name. Values are plain: Decimal, datetime, text, numbers, lists and dicts."

FIRST_ROWS: Final = 19
"Number of the first parameter with rows in the statement that appends."
_encode: Final = msgspec.json.Encoder().encode


class Table(msgspec.Struct, frozen=True):
    """How the projection writes one table.

    `key` identifies a row. `columns` are written by an insert, `updates` by a later change. Empty
    `columns`: the row is made elsewhere (an account, a command) and only changed here, where
    `guard` holds for the row `t` as stored and `n` as wanted. `repeats` lets an insert of a row
    that is there already pass. `sql` replaces the insert where the rules are the table's own.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    guard: str = "true"
    repeats: bool = False
    sql: str | None = None

    def insert(self, number: int) -> str:
        """CTE that inserts the rows of parameter `number`, an array of objects as JSON."""
        wanted = ", ".join(self.columns)
        if self.sql is not None:
            sql = self.sql.format(rows=f"${number}::json")
        else:
            sql = (
                f"INSERT INTO {self.name} ({wanted}) SELECT {wanted} FROM {self._new(number)}"
                f"{' ON CONFLICT DO NOTHING' if self.repeats else ''}"
            )
        return f", {self.name}_added AS ({sql})"

    def update(self, number: int) -> str:
        """CTE that changes rows to what parameter `number` says."""
        changes = ", ".join(f"{column} = n.{column}" for column in self.updates)
        return (
            f", {self.name}_changed AS (UPDATE {self.name} AS t SET {changes}"
            f" FROM {self._new(number)} WHERE {self._matches} AND {self.guard})"
        )

    def delete(self, number: int) -> str:
        """CTE that deletes the rows that parameter `number` names."""
        return (
            f", {self.name}_removed AS (DELETE FROM {self.name} AS t"
            f" USING {self._new(number)} WHERE {self._matches})"
        )

    @property
    def _matches(self) -> str:
        return " AND ".join(f"t.{column} = n.{column}" for column in self.key)

    def _new(self, number: int) -> str:
        return f"json_populate_recordset(NULL::{self.name}, ${number}::json) n"


@lru_cache(maxsize=512)
def _statement(
    added: tuple[Table, ...], changed: tuple[Table, ...], removed: tuple[Table, ...]
) -> str:
    # Few combinations occur; each keeps one text, and so one prepared statement. A parameter for
    # each table: out of one document for all, each would have to be read from the whole again.
    numbers = count(FIRST_ROWS)
    parts = [table.insert(next(numbers)) for table in added]
    parts += [table.update(next(numbers)) for table in changed]
    parts += [table.delete(next(numbers)) for table in removed]
    return "".join(parts)


class Shelf:
    """Remembered rows of one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.key_of = _key_of(table.key)
        self.rows: dict[Key, Row] = {}
        self.added: dict[Key, Row] = {}
        self.changed: dict[Key, Row] = {}
        self.removed: dict[Key, Row] = {}


def _key_of(columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Key]:
    """What takes the key out of a row."""
    if len(columns) > 1:
        return itemgetter(*columns)
    (column,) = columns
    return lambda row: (row[column],)


class Rows:
    """What the fold has read and written: remembered rows, and those that wait to be stored."""

    def __init__(self, tables: Collection[Table]) -> None:
        self._shelves = {table.name: Shelf(table) for table in tables}

    def find(self, table: Table, *key: Any) -> Row | None:  # noqa: ANN401 - any column value
        """The row as it is after everything folded so far, or None when it is not remembered."""
        return self._shelves[table.name].rows.get(key)

    def of(self, table: Table) -> Iterator[Row]:
        """Every remembered row of a table."""
        return iter(self._shelves[table.name].rows.values())

    def remember(self, table: Table, row: Mapping[str, Any]) -> Row:
        """A row that is stored already; it may hold only its key and what may change."""
        shelf, kept = self._shelves[table.name], dict(row)
        shelf.rows[shelf.key_of(row)] = kept
        return kept

    def add(self, table: Table, row: Row) -> Row:
        """A new row, whole; of a table that is made elsewhere, what to change in it."""
        shelf = self._shelves[table.name]
        key = shelf.key_of(row)
        shelf.rows[key] = row
        was_removed = shelf.removed.pop(key, None) is not None
        is_new = (table.columns or table.sql) and not was_removed
        (shelf.added if is_new else shelf.changed)[key] = row
        return row

    def remove(self, table: Table, row: Row) -> None:
        """A row that never should have been; it may hold only its key."""
        shelf = self._shelves[table.name]
        key = shelf.key_of(row)
        shelf.rows.pop(key, None)
        shelf.changed.pop(key, None)
        if shelf.added.pop(key, None) is None:
            shelf.removed[key] = row

    def change(self, table: Table, row: Row, **columns: Any) -> None:  # noqa: ANN401
        """Change columns of a remembered row."""
        row.update(columns)
        shelf = self._shelves[table.name]
        key = shelf.key_of(row)
        if key not in shelf.added:
            shelf.changed[key] = row

    def forget(self, table: Table, keep: int) -> None:
        """Drop the oldest rows beyond `keep` that are stored; they can be fetched again."""
        shelf = self._shelves[table.name]
        surplus = len(shelf.rows) - keep
        if surplus > 0:
            for key in [k for k, _ in zip(shelf.rows, range(surplus), strict=False)]:
                if key not in shelf.added and key not in shelf.changed:
                    del shelf.rows[key]

    def drop(self, table: Table, *key: Any) -> None:  # noqa: ANN401
        """Drop one stored row."""
        self._shelves[table.name].rows.pop(key, None)

    def take(self) -> tuple[str, list[str]]:
        """The CTEs of what changed since the last call, and the JSON of their parameters."""
        shelves = self._shelves.values()
        added = [shelf for shelf in shelves if shelf.added]
        changed = [shelf for shelf in shelves if shelf.changed]
        removed = [shelf for shelf in shelves if shelf.removed]
        sql = _statement(_tables(added), _tables(changed), _tables(removed))
        rows = [shelf.added for shelf in added] + [shelf.changed for shelf in changed]
        rows += [shelf.removed for shelf in removed]
        texts = [_encode(list(one.values())).decode() for one in rows]
        for shelf in {id(one): one for one in (*added, *changed, *removed)}.values():
            shelf.added, shelf.changed, shelf.removed = {}, {}, {}
        return sql, texts


def _tables(shelves: list[Shelf]) -> tuple[Table, ...]:
    return tuple(shelf.table for shelf in shelves)
