"""Sessions and pools reach the database that the settings name."""

import json

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import get_settings
from app.db import session as database


@pytest.fixture
def configured(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", database_url)
    get_settings.cache_clear()
    database.sync_engine.cache_clear()
    return database_url


def test_session_local_reaches_the_configured_database(configured: str) -> None:
    with database.SessionLocal() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1
    database.sync_engine().dispose()


def test_get_db_rolls_back_what_was_not_committed(configured: str) -> None:
    for session in database.get_db():
        session.execute(text("CREATE TABLE left_behind (id int)"))
    for session in database.get_db():
        assert session.execute(text("SELECT to_regclass('left_behind')")).scalar_one() is None
    database.sync_engine().dispose()


async def test_the_async_engine_names_the_program(database_url: str) -> None:
    engine = database.create_engine(database_url)
    async with database.create_session_factory(engine)() as session:
        name = await session.scalar(text("SELECT current_setting('application_name')"))
    await engine.dispose()
    assert name == "tradewright"


async def test_a_pool_gives_json_as_the_stored_text(database_url: str) -> None:
    stored = '{"price":  1.10}'
    async with database.opened_pool(database_url, max_size=2) as pool:
        assert isinstance(pool, asyncpg.Pool)
        assert await pool.fetchval("SELECT $1::json", stored) == stored
        assert json.loads(await pool.fetchval("SELECT '{}'::jsonb")) == {}


async def test_what_a_test_writes_is_rolled_back(session: AsyncSession) -> None:
    await session.execute(text("CREATE TABLE ghost (id int)"))
    await session.commit()
    assert await session.scalar(text("SELECT count(*) FROM ghost")) == 0


async def test_the_next_test_sees_nothing_of_it(session: AsyncSession) -> None:
    assert await session.scalar(text("SELECT to_regclass('ghost')")) is None


async def test_a_connection_that_is_never_given_back_does_not_hold_up_the_end(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CLOSE_SECONDS", 0.05)
    async with database.opened_pool(database_url) as pool:
        kept = await pool.acquire()
    with pytest.raises(asyncpg.InterfaceError):
        await kept.fetchval("SELECT 1")
