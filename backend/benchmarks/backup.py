"""Backup of ten million bars: made, proved by a restore, and restored in the place of nothing."""

import tempfile
from pathlib import Path
from typing import Final

import psycopg2
from pydantic import SecretStr

from app.db import backup as backups
from app.db import backup_database as databases
from app.db import backup_restore
from benchmarks.measure import Result, at_most, scratch_postgres, timed

SYMBOLS: Final = 256
BARS: Final = 10_000_000
FIGURE_SECONDS: Final = 300.0
KEY: Final = SecretStr("a key for benchmarks only")
_STOCKS: Final = """
  WITH made AS (
    INSERT INTO instruments (symbol) SELECT 'BIG' || n FROM generate_series(1, %s) n
    RETURNING id, symbol)
  INSERT INTO stocks (id, symbol) SELECT id, symbol FROM made"""
_FILL: Final = """
  INSERT INTO stock_data
  SELECT 'live', s.id, '1m', m, m + interval '1 min', round(p::numeric, 2)::float8,
    round(p::numeric, 2)::float8 + 0.07, round(p::numeric, 2)::float8 - 0.05,
    round(p::numeric, 2)::float8 + 0.01, floor(random() * 90000), p, 'benchmark'
  FROM stocks s
  CROSS JOIN generate_series('2020-01-01'::timestamptz,
    '2020-01-01'::timestamptz + (%s - 1) * interval '1 min', interval '1 min') m
  CROSS JOIN LATERAL (SELECT 100 + 50 * random() + s.id * 0 AS p) price
  WHERE s.symbol LIKE 'BIG%%'"""


def backup(bars: int = BARS) -> list[Result]:
    """Seconds of each, on a server with the product's own settings."""
    with scratch_postgres() as url, tempfile.TemporaryDirectory() as folder:
        _fill(url, bars)
        making, made = timed(lambda: backups.create(url, Path(folder), KEY))
        proving, proof = timed(lambda: backup_restore.verify(url, made.path, KEY))
        fresh = databases.named(url, "fresh")
        with databases.connected(url) as connection:
            databases.make(connection, "fresh")
        restoring, _ = timed(lambda: backup_restore.restore(fresh, made.path, KEY))
        rows = made.manifest.state.rows
    named = f"backup: {rows / 1e6:.1f} M rows in {made.size / 1e6:.0f} MB"
    return [
        at_most(f"{named}, made", round(making, 1), "s", FIGURE_SECONDS),
        at_most("backup: proved by a restore", round(proving, 1), "s", FIGURE_SECONDS),
        at_most("backup: pg_restore of that", proof.restore_seconds, "s", FIGURE_SECONDS),
        at_most("backup: restored, read and compared", round(restoring, 1), "s", FIGURE_SECONDS),
    ]


def _fill(url: str, bars: int) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no key checks a row
        cursor.execute(_STOCKS, (SYMBOLS,))
        cursor.execute(_FILL, (-(-bars // SYMBOLS),))
    connection.close()
