"""The state hash: the same rows give the same, and one cell that differs another."""

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class with a small name

from app.db import backup_state

COLUMNS = """(id bigint PRIMARY KEY, money numeric(20,8), price float8, name text, at timestamptz,
  body bytea, doc json, tags text[], flag boolean)"""
ROW = """(1, 10.5, 0.30000000000000004, 'a', '2026-01-02 03:04:05.000006+00', '\\x00ff', '{"a": 1}',
  '{x,y}', true)"""


CELLS = (
    "money = 10.50000001",
    "price = 0.3",
    "name = 'A'",
    "name = NULL",
    "name = ''",
    "at = at + interval '1 microsecond'",
    "body = '\\x00fe'",
    """doc = '{"a":1}'""",
    "tags = '{y,x}'",
    "flag = false",
    "id = 3",
)
CHANGES = (
    "INSERT INTO public.kept (id) VALUES (3)",
    "DELETE FROM public.kept WHERE id = 2",
    "CREATE TABLE public.more (id int)",
    "ALTER TABLE public.kept ADD COLUMN more text",
    "ALTER TABLE public.kept RENAME COLUMN name TO label",
    "ALTER TABLE public.kept ALTER COLUMN money TYPE numeric(22,8)",
    "UPDATE public.kept SET name = CASE name WHEN 'a' THEN 'b' ELSE 'a' END",
    "CREATE SCHEMA other; CREATE TABLE other.kept (id int)",
)


@pytest.fixture
def cursor(empty_database_url: str) -> Iterator[Cursor]:
    connection = psycopg2.connect(empty_database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE public.kept {COLUMNS}")
            cursor.execute(f"INSERT INTO kept VALUES {ROW}")
            cursor.execute("INSERT INTO kept (id, money, price, name) VALUES (2, 0, 1, 'b')")
            yield cursor
    finally:
        connection.close()


def hashed(cursor: Cursor) -> str:
    return backup_state.read(cursor).hash


def after(cursor: Cursor, change: str) -> str:
    """The hash with a change, which is undone."""
    cursor.execute("SAVEPOINT here")
    cursor.execute(change)
    found = hashed(cursor)
    cursor.execute("ROLLBACK TO here")
    return found


def test_one_changed_cell_changes_it(cursor: Cursor) -> None:
    before = hashed(cursor)
    changed = {cell: after(cursor, f"UPDATE public.kept SET {cell} WHERE id = 1") for cell in CELLS}
    assert [cell for cell, found in changed.items() if found == before] == []
    assert len(set(changed.values())) == len(CELLS)


def test_rows_tables_columns_and_who_has_which_value_count(cursor: Cursor) -> None:
    before = hashed(cursor)
    assert [change for change in CHANGES if after(cursor, change) == before] == []
    assert hashed(cursor) == before


def test_order_on_disk_settings_and_dropped_columns_do_not_count(cursor: Cursor) -> None:
    before = hashed(cursor)
    cursor.execute("CREATE TABLE public.moved AS SELECT * FROM public.kept ORDER BY id DESC")
    cursor.execute("DELETE FROM public.kept; INSERT INTO public.kept SELECT * FROM public.moved")
    cursor.execute("DROP TABLE public.moved")
    cursor.execute("ALTER TABLE public.kept ADD COLUMN gone int")
    cursor.execute("ALTER TABLE public.kept DROP COLUMN gone")
    cursor.execute("SET LOCAL TimeZone = 'Asia/Tokyo'; SET LOCAL extra_float_digits = 0")
    cursor.execute("SET LOCAL bytea_output = 'escape'; SET LOCAL DateStyle = 'German'")
    assert hashed(cursor) == before


def test_partitions_count_once_and_temporary_tables_not_at_all(cursor: Cursor) -> None:
    before = backup_state.read(cursor)
    cursor.execute("CREATE TEMPORARY TABLE passing (id int)")
    assert backup_state.read(cursor) == before
    cursor.execute("CREATE TABLE public.parts (id int) PARTITION BY RANGE (id)")
    cursor.execute("CREATE TABLE public.part PARTITION OF public.parts FOR VALUES FROM (0) TO (9)")
    cursor.execute("INSERT INTO public.parts VALUES (1), (2)")
    found = backup_state.read(cursor)
    assert found.tables["public.parts"].rows == 2
    assert "public.part" not in found.tables
    assert found.rows == before.rows + 2
    assert found.differing(before) == ["public.parts"]
