"""The state hash: one fingerprint over all rows of all tables, whatever order they are stored in.

Of each row PostgreSQL writes the text (`t::text`, under fixed settings, so that it is the same on
every server) and its MD5; the first eight bytes of those are numbers, which are added up. A table
is its name, its columns with their types, how many rows it has and that sum; the state hash is
SHA-256 over these lines in the order of their names. Tables of extensions are left out, and
sequences, which move outside of transactions. It finds accidents; malice is the business of the
encrypted file.
"""

import hashlib
from typing import Final

import msgspec
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class with a small name

SETTINGS: Final = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "lc_monetary": "C",
    "search_path": "pg_catalog",
}
_TABLES: Final = """
  SELECT n.nspname, c.relname, (
      SELECT coalesce(string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', '
          ORDER BY a.attnum), '')
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname !~ '^(pg_|information_schema$|_timescaledb|timescaledb_)'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
      AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1, 2"""
_ROWS: Final = sql.SQL("""
  SELECT count(*),
    coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint), 0)::text
  FROM {} AS t""")


class TableState(msgspec.Struct, frozen=True):
    """One table: its columns, how many rows, the sum of their hashes."""

    columns: str
    rows: int
    sum: str


class State(msgspec.Struct, frozen=True):
    """All tables by `schema.name`."""

    tables: dict[str, TableState]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    @property
    def hash(self) -> str:
        """64 hex digits."""
        lines = (
            f"{name}|{table.columns}|{table.rows}|{table.sum}\n"
            for name, table in sorted(self.tables.items())
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def differing(self, other: "State") -> list[str]:
        """Names of the tables that are not the same in both."""
        names = sorted({*self.tables, *other.tables})
        return [name for name in names if self.tables.get(name) != other.tables.get(name)]


def tables(cursor: Cursor) -> list[tuple[str, str, str]]:
    """(schema, name, columns) of every table that counts."""
    cursor.execute(_TABLES)
    return [(str(row[0]), str(row[1]), str(row[2])) for row in cursor.fetchall()]


def read(cursor: Cursor) -> State:
    """The state as the cursor's transaction sees it: repeatable read makes it one instant's."""
    for name, value in SETTINGS.items():
        cursor.execute("SELECT set_config(%s, %s, true)", (name, value))
    found = {}
    for schema, name, columns in tables(cursor):
        cursor.execute(_ROWS.format(sql.Identifier(schema, name)))
        row = cursor.fetchone()
        assert row
        found[f"{schema}.{name}"] = TableState(columns, int(row[0]), str(row[1]))
    return State(found)
