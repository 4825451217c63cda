"""Backups of hypertables, compressed chunks and continuous aggregates included."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from app.db import backup, backup_restore
from app.db import backup_database as databases
from tests import servers

HAS = "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
FILL = """
  WITH made AS (INSERT INTO instruments (symbol) VALUES ('OLDIE') RETURNING id, symbol),
    listed AS (INSERT INTO stocks (id, symbol) SELECT id, symbol FROM made RETURNING id)
  INSERT INTO stock_data
  SELECT 'live', listed.id, '1m', m, m + interval '1 min', 1, 2, 1, 2, 5, 1.5, 'test'
  FROM listed, generate_series('2020-01-01'::timestamptz, '2020-06-01', '1 hour') m"""
COMPRESS = """
  SELECT count(compress_chunk(c))
  FROM show_chunks('stock_data', older_than => '2020-05-01'::timestamptz) c"""
COMPRESSED = "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"


@pytest.fixture
def url() -> Iterator[str]:
    """A migrated database on a server with TimescaleDB."""
    server = os.environ.get("TRADEWRIGHT_TEST_TIMESCALE_URL")
    if not server:
        pytest.skip("TRADEWRIGHT_TEST_TIMESCALE_URL names no server")
    with servers.copied(server, servers.template(server)) as url:
        yield url


def value(url: str, query: str) -> object:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone() if cursor.description else None
    connection.close()
    return row[0] if row else None


def test_a_compressed_hypertable_comes_back(url: str, tmp_path: Path) -> None:
    value(url, FILL)
    assert value(url, COMPRESS) == 2
    made = backup.create(url, tmp_path, None)
    assert made.manifest.timescaledb
    assert made.manifest.state.tables["public.stock_data"].rows > 3_000
    assert not any(name.startswith("_timescaledb") for name in made.manifest.state.tables)
    with (
        databases.alone(url) as connection,
        databases.scratch(connection, url) as fresh,
        backup.opened(made.path, None) as reader,
    ):
        backup_restore.fill(fresh, reader, made.manifest)
        assert value(fresh, COMPRESSED) == 2
        assert value(fresh, "SHOW timescaledb.restoring") == "off"
        value(fresh, "INSERT INTO instruments (symbol) VALUES ('NEXT')")
