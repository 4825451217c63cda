"""Hypertables where TimescaleDB is, plain tables elsewhere: the same rows, queries and bars."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import asyncpg
import numpy as np
import psycopg2
import pytest
from sqlalchemy import Connection, create_engine, text

from app.core.config import with_driver
from app.core.retention import RetentionOptions
from app.db import migrations, rollups
from app.db.base import Base
from app.db.revisions import head
from app.db.timescale import HYPERTABLES
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, to_ns
from app.marketdata.calendar import Session, trading_calendar
from app.repositories import retention
from app.repositories.stock_data import Policy, StockData, Stored
from tests import servers
from tests.factories import utc
from tests.servers import TestServers

CALENDAR = trading_calendar("XNYS")
HAS = "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
WIDTHS = {
    "bars_5m": Timeframe.M5,
    "bars_15m": Timeframe.M15,
    "bars_1h": Timeframe.H1,
    "bars_1d": Timeframe.D1,
}
HALF_DAY, DAY_BEFORE_SUMMER_TIME, DAY_AFTER = "2023-11-24", "2024-03-08", "2024-03-11"


@pytest.fixture(scope="session")
def timescale_server(test_servers: TestServers) -> str:
    """A server with TimescaleDB: the one that the variable names, or the one of all tests."""
    url = os.environ.get("TRADEWRIGHT_TEST_TIMESCALE_URL", test_servers.database_url)
    with servers.administered(url) as cursor:
        cursor.execute(HAS)
        if cursor.fetchone() == (0,):
            pytest.skip("no TimescaleDB at hand: TRADEWRIGHT_TEST_TIMESCALE_URL names a server")
    return url


@pytest.fixture
def timescale_url(timescale_server: str) -> Iterator[str]:
    """An empty database there."""
    with servers.copied(timescale_server, None) as url:
        yield url


@pytest.fixture(params=["plain", "timescale"])
def any_url(request: pytest.FixtureRequest) -> str:
    """A migrated database: as the embedded one, or with hypertables."""
    if request.param == "plain":
        url: str = request.getfixturevalue("database_url")
        return url
    url = request.getfixturevalue("timescale_url")
    migrations.upgrade(url)
    return url


def minutes(*days: str, symbol: str = "SPY") -> BarBatch:
    """A bar a minute of the regular hours of `days`, and one before and after them."""
    starts = np.concatenate(
        [np.arange(s.open - 60 * 10**9, s.close + 60 * 10**9, 60 * 10**9) for s in sessions(days)]
    )
    price = 100 + np.arange(len(starts)) % 17 / 4
    return BarBatch.of(
        symbol,
        Timeframe.M1,
        starts,
        starts + 60 * 10**9,
        open=price,
        high=price + 1,
        low=price - 1,
        close=price + 0.5,
        volume=np.full(len(starts), 10.0),
        vwap=price + 0.25,
    )


def sessions(days: tuple[str, ...]) -> list[Session]:
    found = (CALENDAR.session_on(datetime.fromisoformat(day).date()) for day in days)
    return [session for session in found if session is not None]


def hypertables(connection: Connection) -> set[str]:
    query = "SELECT hypertable_name FROM timescaledb_information.hypertables WHERE NOT "
    query += "hypertable_name LIKE '\\_materialized%'"
    return set(connection.scalars(text(query)))


def test_a_plain_database_that_holds_bars_is_upgraded_with_them(timescale_url: str) -> None:
    engine = create_engine(with_driver(timescale_url, "psycopg2"))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO instruments (symbol) VALUES ('SPY')"))
        connection.execute(
            text("INSERT INTO stocks (id, symbol) SELECT id, 'SPY' FROM instruments")
        )
        connection.execute(
            text("""
            INSERT INTO stock_data SELECT 'live', s.id, '1d', day, day + interval '6 hours',
              1, 2, 1, 2, 5, NULL, 'test'
            FROM stocks s,
              generate_series(timestamptz '2004-01-01Z', '2024-01-01Z', '1 day') day""")
        )
        connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head()})
    migrations.upgrade(timescale_url)
    with engine.connect() as connection:
        assert hypertables(connection) == {table.table for table in HYPERTABLES}
        assert connection.scalar(text("SELECT count(*) FROM stock_data")) == 7306
        chunks = connection.scalar(text("SELECT count(*) FROM show_chunks('stock_data')"))
        assert chunks > 70
    assert migrations.differences(timescale_url) == []
    engine.dispose()


def test_upgrading_twice_and_down_to_base_works_with_hypertables(timescale_url: str) -> None:
    migrations.upgrade(timescale_url)
    migrations.upgrade(timescale_url)
    migrations.downgrade(timescale_url, "base")
    connection = psycopg2.connect(timescale_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM timescaledb_information.hypertables")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM pg_views WHERE schemaname = 'public'")
        assert cursor.fetchone() == (0,)
    connection.close()
    migrations.upgrade(timescale_url)
    assert migrations.differences(timescale_url) == []


async def test_bars_are_written_read_and_corrected_alike(any_url: str) -> None:
    async with asyncpg.create_pool(any_url, min_size=1, max_size=2) as pool:
        bars = StockData(pool, "live")
        batch = minutes(HALF_DAY, DAY_AFTER)
        assert await bars.store([batch], "test") == Stored(inserted=len(batch))
        assert await bars.store([batch], "test") == Stored(unchanged=len(batch))
        changed = batch[slice(0, 3)]
        changed.rows["close"] += 0.1
        corrected = await bars.store([changed], "test", Policy.CORRECT)
        assert corrected == Stored(corrected=3)
        assert await pool.fetchval("SELECT count(*) FROM stock_data_revisions") == 3
        found = await bars.bars("SPY", Timeframe.M1, utc(HALF_DAY), utc(DAY_AFTER), limit=10)
        assert (
            found.start.tolist() == batch.start[batch.start < to_ns(utc(DAY_AFTER))][-10:].tolist()
        )


async def test_old_compressed_bars_are_read_and_corrected(timescale_url: str) -> None:
    migrations.upgrade(timescale_url)
    async with asyncpg.create_pool(timescale_url, min_size=1, max_size=2) as pool:
        bars = StockData(pool, "live")
        batch = minutes(HALF_DAY)
        await bars.store([batch], "test")
        squeezed = await pool.fetch("SELECT compress_chunk(c) FROM show_chunks('stock_data') c")
        assert len(squeezed) == 1
        changed = batch[slice(5, 6)]
        changed.rows["high"] += 1
        assert await bars.store([changed], "test", Policy.CORRECT) == Stored(corrected=1)
        found = await bars.bars("SPY", Timeframe.M1)
        assert found.rows["high"].tolist() == batch.rows["high"].tolist()


@pytest.mark.parametrize("name", rollups.NAMES)
async def test_longer_bars_by_sql_are_those_of_the_program(any_url: str, name: str) -> None:
    async with asyncpg.create_pool(any_url, min_size=1, max_size=2) as pool:
        batch = minutes(HALF_DAY, DAY_BEFORE_SUMMER_TIME, DAY_AFTER)
        await StockData(pool, "live").store([batch], "test")
        rows = await pool.fetch(f"SELECT * FROM {name} WHERE dataset = 'live' ORDER BY start")
    made = aggregate(batch, WIDTHS[name], CALENDAR)
    if name != rollups.DAILY:
        assert [to_ns(row["start"]) for row in rows] == made.start.tolist()
    for column in ("open", "high", "low", "close", "volume"):
        assert [row[column] for row in rows] == made.rows[column].tolist()
    assert [row["vwap"] for row in rows] == pytest.approx(made.rows["vwap"].tolist())


async def test_bars_of_any_age_reach_the_aggregate_after_it_was_brought_on(
    timescale_url: str,
) -> None:
    migrations.upgrade(timescale_url)
    async with asyncpg.create_pool(timescale_url, min_size=1, max_size=2) as pool:
        bars = StockData(pool, "live")
        await bars.store([minutes(DAY_AFTER)], "test")
        await pool.execute("CALL refresh_continuous_aggregate('bars_1h', NULL, '2024-06-01')")
        await bars.store([minutes(HALF_DAY)], "test")
        await pool.execute("CALL refresh_continuous_aggregate('bars_1h', NULL, '2024-06-01')")
        assert await pool.fetchval("SELECT count(*) FROM bars_1h") == 4 + 7


async def test_only_what_grows_is_forgotten(any_url: str) -> None:
    now = utc("2024-06-01")
    async with asyncpg.create_pool(any_url, min_size=1, max_size=2) as pool:
        for dataset in ("live", "simulated", "import:old"):
            for age in (0, 89, 91, 500):
                await pool.execute(
                    "INSERT INTO ticks (dataset, stock_id, at, price, size, source)"
                    " VALUES ($1, 1, $2, 10, 1, 'test')",
                    dataset,
                    now - timedelta(days=age, hours=1),
                )
        await pool.execute(
            "INSERT INTO metrics (name, at, labels, value) VALUES ('x', $1, '{}', 1)",
            now - timedelta(days=91),
        )
        forgotten = await retention.forget(pool, now, RetentionOptions())
        assert {found.table for found in forgotten} == {"ticks", "metrics"}
        left = await pool.fetch("SELECT dataset, count(*) FROM ticks GROUP BY 1 ORDER BY 1")
        assert [tuple(row) for row in left] == [("import:old", 4), ("live", 2), ("simulated", 4)]
        assert await pool.fetchval("SELECT count(*) FROM metrics") == 0
        assert await retention.forget(pool, now, RetentionOptions()) == []


async def test_zero_days_keep_for_ever_and_one_process_forgets_at_a_time(any_url: str) -> None:
    now = utc("2024-06-01")
    async with asyncpg.create_pool(any_url, min_size=2, max_size=3) as pool:
        await pool.execute(
            "INSERT INTO metrics (name, at, labels, value) VALUES ('x', $1, '{}', 1)",
            now - timedelta(days=500),
        )
        assert await retention.forget(pool, now, RetentionOptions(metrics_days=0)) == []
        async with pool.acquire() as other:
            await other.execute("SELECT pg_advisory_lock($1)", retention.LOCK)
            assert await retention.forget(pool, now, RetentionOptions()) == []
            await other.execute("SELECT pg_advisory_unlock($1)", retention.LOCK)
        assert len(await retention.forget(pool, now, RetentionOptions())) == 1
