"""Creating the tables and indexes one by one, migrating, and the two queries with a figure."""

import asyncio
import time

import asyncpg
import psycopg2
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from app.db import migrations
from app.db.base import Base
from app.db.session import create_pool
from app.repositories import config, health
from benchmarks.measure import Result, at_most, percentile, repeated, scratch_postgres, timed

CALLS = 300


def schema() -> list[Result]:
    """The slowest table and index, all migrations, and p95 of a health check and of the limits."""
    with scratch_postgres(migrated=False) as url:
        tables, indexes = _create_all(url)
    with scratch_postgres(migrated=False) as url:
        migrating, _ = timed(lambda: migrations.upgrade(url))
        checks, reads = asyncio.run(_queries(url))
    return [
        at_most("schema: the slowest table", max(tables), "ms", 100),
        at_most("schema: the slowest index", max(indexes), "ms", 50),
        at_most("schema: all migrations", migrating, "s", 10),
        at_most("database: health check, p95", percentile(checks, 0.95), "ms", 10),
        at_most("database: the limits, p95", percentile(reads, 0.95), "ms", 5),
    ]


def _create_all(url: str) -> tuple[list[float], list[float]]:
    """Milliseconds of each CREATE TABLE and each CREATE INDEX, each its own commit."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it open
    connection = psycopg2.connect(url)
    connection.autocommit = True
    tables, indexes = [], []
    try:
        with connection.cursor() as cursor:
            for table in Base.metadata.sorted_tables:
                tables.append(_run(cursor, str(CreateTable(table).compile(dialect=dialect))))
                for index in sorted(table.indexes, key=lambda one: str(one.name)):
                    statement = str(CreateIndex(index).compile(dialect=dialect))
                    indexes.append(_run(cursor, statement))
    finally:
        connection.close()
    return tables, indexes


def _run(cursor: "psycopg2.extensions.cursor", statement: str) -> float:
    began = time.perf_counter()
    cursor.execute(statement)
    return 1000 * (time.perf_counter() - began)


async def _queries(url: str) -> tuple[list[float], list[float]]:
    pool: asyncpg.Pool = await create_pool(url)
    try:
        checks = await repeated(lambda: health.server_version(pool), CALLS)
        return checks, await repeated(lambda: config.values(pool), CALLS)
    finally:
        await pool.close()
