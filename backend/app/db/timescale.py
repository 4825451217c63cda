"""Makes hypertables of the large tables where TimescaleDB is; elsewhere they stay plain tables."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.core.logging import get_logger

log = get_logger("api")


@dataclass(frozen=True, slots=True)
class Hypertable:
    """How one table is cut into chunks of time, and how old a chunk is when it is compressed."""

    table: str
    time: str
    chunk: str
    segment_by: str
    "Columns of a series: rows of one series are compressed together."
    compress_after: str


HYPERTABLES: Final = (
    Hypertable("stock_data", "start", "91 days", "dataset, stock_id, timeframe", "182 days"),
    Hypertable("ticks", "at", "1 day", "dataset, stock_id", "7 days"),
    Hypertable("quotes", "at", "1 day", "dataset, stock_id", "7 days"),
    Hypertable("options_data", "at", "7 days", "dataset, contract_id", "28 days"),
    Hypertable("indicators", "start", "91 days", "dataset, stock_id, timeframe, name", "182 days"),
    Hypertable("metrics", "at", "7 days", "name, series", "28 days"),
)
"""A year of bars of a thousand symbols is about 25 M rows a chunk; twenty years of daily bars are
80 chunks, which a query plans in milliseconds."""

_FUNCTIONS: Final = """
SELECT count(DISTINCT proname) FROM pg_proc
WHERE proname IN ('create_hypertable', 'by_range') AND pg_function_is_visible(oid)"""
_OFFERED: Final = """
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
    AND current_setting('shared_preload_libraries') LIKE '%timescaledb%'"""
_IS_HYPERTABLE: Final = """
SELECT EXISTS (SELECT FROM timescaledb_information.hypertables
    WHERE hypertable_schema = current_schema() AND hypertable_name = :table)"""
_IS_COMPRESSED: Final = """
SELECT compression_enabled FROM timescaledb_information.hypertables
WHERE hypertable_schema = current_schema() AND hypertable_name = :table"""


def is_installed(connection: Connection) -> bool:
    """Whether this database can make hypertables: asked of its functions, not of a name."""
    return bool(connection.scalar(text(_FUNCTIONS)) == 2)


def adopt(connection: Connection) -> None:
    """Make hypertables of what is still plain, data included, and compress old chunks.

    In the caller's transaction; doing it again changes nothing. A feature that the server lacks
    (its licence, our rights) is left out and said in the log.
    """
    if not is_installed(connection) and not _install(connection):
        return
    for hypertable in HYPERTABLES:
        _convert(connection, hypertable)
        attempt(connection, "compression", *_compression(connection, hypertable))


def _install(connection: Connection) -> bool:
    """Create the extension where the server offers it and has it loaded."""
    if not connection.scalar(text(_OFFERED)):
        return False
    return attempt(connection, "extension", "CREATE EXTENSION IF NOT EXISTS timescaledb")


def _convert(connection: Connection, hypertable: Hypertable) -> None:
    if connection.scalar(text(_IS_HYPERTABLE), {"table": hypertable.table}):
        return
    query = """
        SELECT create_hypertable(CAST(:table AS regclass),
            by_range(:time, CAST(:chunk AS interval)),
            create_default_indexes => false, migrate_data => true)"""
    connection.execute(
        text(query),
        {"table": hypertable.table, "time": hypertable.time, "chunk": hypertable.chunk},
    )
    log.info("hypertable_made", table=hypertable.table, chunk=hypertable.chunk)


def _compression(connection: Connection, hypertable: Hypertable) -> list[str]:
    """Statements that are still needed for old chunks to be compressed."""
    if connection.scalar(text(_IS_COMPRESSED), {"table": hypertable.table}):
        return []
    table = hypertable.table
    return [
        f"ALTER TABLE {table} SET (timescaledb.compress,"
        f" timescaledb.compress_segmentby = '{hypertable.segment_by}',"
        f" timescaledb.compress_orderby = '{hypertable.time} DESC')",
        f"SELECT add_compression_policy('{table}', INTERVAL '{hypertable.compress_after}')",
    ]


def attempt(connection: Connection, feature: str, *statements: str) -> bool:
    """Run `statements`; False, and nothing changed, when the server refuses one (it is logged)."""
    try:
        with connection.begin_nested():
            for statement in statements:
                connection.execute(text(statement))
    except DBAPIError as error:
        log.warning("database_feature_left_out", feature=feature, error=str(error.orig).strip())
        return False
    return True
