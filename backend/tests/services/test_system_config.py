"""A process follows the stored settings, whatever becomes of the database meanwhile."""

import logging
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.core.errors import ConfigurationError
from app.core.retention import RetentionOptions
from app.core.sessions import SessionOptions
from app.core.system_config import current, read_again
from app.db.pool import opened_pool
from app.services.system_config import SystemConfig
from tests.waiting import until


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with opened_pool(database_url, min_size=0, max_size=2) as pool:
        yield pool


async def store(pool: asyncpg.Pool, key: str, value: str) -> None:
    await pool.execute(
        "INSERT INTO system_config (scope, key, value) VALUES ('all', $1, $2::jsonb)"
        " ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value",
        key,
        value,
    )


async def days(number: int) -> None:
    async def are_in_force() -> bool:
        return RetentionOptions().ticks_days == number

    await until(are_in_force, 30)


async def test_what_is_stored_is_in_force_and_no_more_after_the_stop(pool: asyncpg.Pool) -> None:
    told: list[int] = []
    followed = SystemConfig(pool, lambda: told.append(current(SessionOptions).hours))
    root = logging.getLogger()
    before = root.level
    await store(pool, "retention.ticks_days", "7")
    await store(pool, "sessions.hours", "99")  # of a version that allowed it
    await store(pool, "log.level", '"ERROR"')
    try:
        followed.start()
        await days(7)
        assert told[-1] == 12
        assert root.level == logging.ERROR
        await store(pool, "retention.ticks_days", "8")
        followed.heard("max_position_size")  # no setting of ours
        followed.heard("retention.ticks_days")
        await days(8)
        await store(pool, "retention.ticks_days", "9")
        followed.catch_up()
        await days(9)
    finally:
        await followed.stop()
        level, _ = root.level, root.setLevel(before)
    assert RetentionOptions().ticks_days == 90
    assert level == logging.DEBUG


async def test_a_change_that_somebody_cannot_take_holds_up_no_other(pool: asyncpg.Pool) -> None:
    told: list[int] = []

    def break_down() -> None:
        raise RuntimeError("cannot take it")

    followed = SystemConfig(pool, break_down, lambda: told.append(RetentionOptions().ticks_days))
    await store(pool, "retention.ticks_days", "7")
    followed.start()
    try:
        await days(7)
        await store(pool, "retention.ticks_days", "8")
        followed.heard("retention.ticks_days")
        await days(8)
    finally:
        await followed.stop()
    assert told[0] == 7


async def test_a_process_with_a_variable_that_cannot_be_used_does_not_start(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE_ORDERS", "abc")
    read_again()
    try:
        with pytest.raises(ConfigurationError, match="RATE_ORDERS"):
            SystemConfig(pool)
    finally:
        monkeypatch.delenv("RATE_ORDERS")
        read_again()


async def test_a_database_that_is_away_is_asked_again(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.system_config._RETRY_SECONDS", 0.01)
    await store(pool, "retention.ticks_days", "7")
    await pool.execute("ALTER TABLE system_config RENAME TO away")
    followed = SystemConfig(pool)
    await followed.load_if_there()
    assert RetentionOptions().ticks_days == 90
    followed.start()
    try:
        await pool.execute("ALTER TABLE away RENAME TO system_config")
        await days(7)
    finally:
        await followed.stop()
