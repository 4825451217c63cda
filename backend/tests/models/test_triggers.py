"""What the database does by itself: touch `updated_at`, and refuse to change history."""

import asyncpg
import pytest

from app.db.base import Base
from app.db.session import create_pool

HASH = bytes(32)
STAMPED = sorted(name for name, t in Base.metadata.tables.items() if "updated_at" in t.columns)


async def test_updated_at_follows_raw_sql(database_url: str) -> None:
    pool = await create_pool(database_url, max_size=1)
    before = await pool.fetchrow("SELECT * FROM stocks WHERE symbol = 'AAPL'")
    await pool.execute("UPDATE stocks SET name = 'Apple' WHERE symbol = 'AAPL'")
    after = await pool.fetchrow("SELECT * FROM stocks WHERE symbol = 'AAPL'")
    await pool.close()
    assert after["updated_at"] > before["updated_at"]
    assert after["created_at"] == before["created_at"]


async def test_every_table_with_updated_at_has_the_trigger(database_url: str) -> None:
    pool = await create_pool(database_url, max_size=1)
    rows = await pool.fetch(
        "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname LIKE '%\\_touch'"
    )
    await pool.close()
    assert sorted(row["name"] for row in rows) == STAMPED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trading_events SET payload = '{}'",
        "DELETE FROM trading_events",
        "TRUNCATE trading_events CASCADE",
        "UPDATE audit_trail SET actor = 'nobody'",
        "DELETE FROM audit_trail",
        "TRUNCATE audit_trail",
    ],
)
async def test_history_cannot_be_changed(database_url: str, statement: str) -> None:
    pool = await create_pool(database_url, max_size=1)
    await pool.execute(
        "INSERT INTO trading_events (stream, seq, event_type, occurred_at, payload, hash) "
        "VALUES ('system', 1, 'alert_raised', now(), '{}', $1)",
        HASH,
    )
    await pool.execute(
        "INSERT INTO audit_trail (seq, at, actor, action, resource, payload, hash) "
        "VALUES (1, now(), 'user:1', 'config.change', 'system_config', '{}', $1)",
        HASH,
    )
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await pool.execute(statement)
    await pool.close()


async def test_the_journal_keeps_the_text_of_a_payload(database_url: str) -> None:
    stored = '{"price":"10.50","ratio":1.50,  "a":1,"a":1}'
    pool = await create_pool(database_url, max_size=1)
    await pool.execute(
        "INSERT INTO trading_events (stream, seq, event_type, occurred_at, payload, hash) "
        "VALUES ('system', 1, 'alert_raised', now(), $1, $2)",
        stored,
        HASH,
    )
    assert await pool.fetchval("SELECT payload FROM trading_events") == stored
    await pool.close()
