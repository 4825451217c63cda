"""kill -9 amid a replay of real bars: nothing lost, nothing doubled, the chain intact."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.core.security import subkey
from app.db import home as home_folder
from app.db import migrations
from app.db.embedded_postgres import EmbeddedPostgres
from app.db.session import create_pool
from app.repositories import fold_check, journal
from tests import core_process, servers
from tests.core_process import REPLAY_OVER, SECRET, running, until
from tests.servers import TestServers

KEY = subkey(bytes.fromhex(SECRET), "journal")
DAYS = ("2013-10-04", "2013-10-07")
KILLS = 5
SEQ = "SELECT coalesce((SELECT seq FROM journal_streams WHERE stream = 'account:1'), 0)"
LEDGER = {
    "signals": "signal_id, symbol, signal_type, exposure, price, at, executed, outcome",
    "orders": "client_order_id, symbol, signal_id, leg, attempt, side, quantity, type, stop_price,"
    " status, filled_quantity, average_price, at, closed_at",
    "executions": "execution_id, symbol, side, quantity, price, commission, at",
    "trades": "trade_id, symbol, quantity, entry_price, exit_price, entry_at, exit_at, pnl,"
    " commission, exit_leg, market_context",
    "positions": "symbol, quantity, average_price, realized_pnl, commission",
}


@pytest.fixture
def bars(shared_data: Path, tmp_path: Path) -> Path:
    """Two sessions of SPY and IBM."""
    return core_process.cut(shared_data / "equity_minute", tmp_path / "bars", ("SPY", "IBM"), DAYS)


@pytest.fixture
def other_database_url(test_servers: TestServers, template_database: str) -> Iterator[str]:
    with servers.copied(test_servers.database_url, template_database) as url:
        yield url


async def ledger(pool: asyncpg.Pool) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that trading left behind, in an order of its own."""
    found = {
        table: [
            tuple(row)
            for row in await pool.fetch(
                f"SELECT {columns} FROM {table} t JOIN instruments i ON i.id = t.instrument_id"
                " ORDER BY 1, 2"
            )
        ]
        for table, columns in LEDGER.items()
    }
    found["accounts"] = [tuple(await pool.fetchrow("SELECT cash, clock_at FROM accounts"))]
    return found


async def assert_sound(pool: asyncpg.Pool) -> None:
    """Chain, folds, and no bar or order twice."""
    for stream in ("account:1", "system"):
        assert await journal.verify(pool, stream, KEY) > 0
    assert await fold_check.differences(pool, 1) == []
    for question in (
        "SELECT payload ->> 'end', count(*) FROM trading_events WHERE event_type = 'slice_closed'"
        " GROUP BY 1 HAVING count(*) > 1",
        "SELECT payload -> 'order' ->> 'client_order_id', count(*) FROM trading_events"
        " WHERE event_type = 'order_approved' GROUP BY 1 HAVING count(*) > 1",
        "SELECT payload ->> 'client_order_id', count(*) FROM trading_events"
        " WHERE event_type = 'order_submitted' GROUP BY 1 HAVING count(*) > 1",
        "SELECT payload -> 'execution' ->> 'execution_id', count(*) FROM trading_events"
        " WHERE event_type = 'order_filled' GROUP BY 1 HAVING count(*) > 1",
        "SELECT differences, 1 FROM reconciliations WHERE differences <> '{}'",
    ):
        assert await pool.fetch(question) == [], question


async def replayed(url: str, home: Path, bars: Path, kills: int = 0) -> dict[str, Any]:
    """The ledger after the whole replay, killed `kills` times on the way."""
    chance = random.Random(20131004)
    variables = {"TRADEWRIGHT_REPLAY": bars, "TRADEWRIGHT_REPLAY_SPEED": 1e9}
    pool = await create_pool(url, max_size=2)
    try:
        async with running(url, home, **variables) as core:
            for _ in range(kills):
                now = await pool.fetchval(SEQ)
                # On a busy machine the replay may be over before: then it is killed at rest.
                question = f"{SEQ} > $1 OR ({REPLAY_OVER})"
                await until(pool, question, now + chance.randrange(40, 160), core=core)
                await asyncio.sleep(chance.random() * 0.01)
                await core.kill()
                await core.start()
            await until(pool, REPLAY_OVER, core=core)
            assert await core.stop() == 0
        await assert_sound(pool)
        return await ledger(pool)
    finally:
        await pool.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A durable PostgreSQL of this test alone, migrated, to be killed."""
    home = tmp_path / "server"
    home_folder.prepare(home)
    server = EmbeddedPostgres(home)
    server.start()
    migrations.upgrade(server.url)
    yield server
    server.stop()


def crash(server: EmbeddedPostgres) -> None:
    """kill -9 of the server, and its next start."""
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    server.start()


async def test_a_replay_survives_crashes_of_postgresql(
    own_server: EmbeddedPostgres, bars: Path, tmp_path: Path
) -> None:
    variables = {"TRADEWRIGHT_REPLAY": bars, "TRADEWRIGHT_REPLAY_SPEED": 1e9}
    pool = await create_pool(own_server.url, max_size=2)
    async with running(own_server.url, tmp_path, **variables) as core:
        for seq in (150, 500):
            await until(pool, f"{SEQ} > $1", seq, core=core)
            await asyncio.to_thread(crash, own_server)
        await until(pool, REPLAY_OVER, core=core)
        assert await core.stop() == 0
    await assert_sound(pool)
    slices = "SELECT count(*) FROM trading_events WHERE event_type = 'slice_closed'"
    assert await pool.fetchval(slices) == 2 * 390
    assert await pool.fetchval("SELECT max(epoch) FROM leases") == 1, (
        "the engine never had to restart"
    )
    await pool.close()


async def test_a_replay_that_is_killed_ends_like_one_that_is_not(
    database_url: str, other_database_url: str, bars: Path, tmp_path: Path
) -> None:
    whole, killed = await asyncio.gather(
        replayed(database_url, tmp_path, bars),
        replayed(other_database_url, tmp_path, bars, KILLS),
    )
    assert len(whole["trades"]) > 10
    for table, rows in whole.items():
        assert killed[table] == rows, table
