"""Two engines started on the same accounts: one trades; a killed or paused one is replaced.

Real processes, a paper account on a replay, and an account at the loopback of a real broker that
outlives them all. A zombie that wakes up can neither write nor send.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from app.core.security import subkey
from app.db.session import create_pool
from app.repositories import fold_check, journal
from tests.at_a_broker import READY, Place, add_account, alpaca, buy
from tests.core_process import REPLAY_OVER, SECRET, CoreProcess, running, until
from tests.runner.conftest import waves, write_bars

JOURNAL_KEY = subkey(bytes.fromhex(SECRET), "journal")
HELD = (
    "SELECT count(*) = 2 FROM leases WHERE resource LIKE 'account:%' AND holder IS NOT NULL"
    " AND epoch = $1"
)
TWICE = (
    "SELECT payload ->> 'end', count(*) FROM trading_events WHERE event_type = 'slice_closed'"
    " GROUP BY stream, 1 HAVING count(*) > 1",
    "SELECT payload ->> 'client_order_id', count(*) FROM trading_events"
    " WHERE event_type = 'order_submitted' GROUP BY 1 HAVING count(*) > 1",
    "SELECT payload -> 'execution' ->> 'execution_id', count(*) FROM trading_events"
    " WHERE event_type = 'order_filled' GROUP BY 1 HAVING count(*) > 1",
)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with alpaca() as made:
        yield made


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database_url, max_size=3)
    yield pool
    await pool.close()


@pytest.fixture
async def account_id(pool: asyncpg.Pool, place: Place) -> int:
    return await add_account(pool, place)


class Pair:
    """Two cores on one database, each with a home of its own."""

    def __init__(self, url: str, folder: Path, **variables: object) -> None:
        self._stack = AsyncExitStack()
        self._url, self._folder, self._variables = url, folder, variables

    async def start(self, name: str) -> CoreProcess:
        home = self._folder / name
        home.mkdir()
        return await self._stack.enter_async_context(running(self._url, home, **self._variables))

    async def __aenter__(self) -> "Pair":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()


@pytest.fixture
def pair(database_url: str, tmp_path: Path, place: Place) -> Pair:
    bars = write_bars(tmp_path / "waves", {"AAPL": waves(120), "SPY": waves(120, 400)})
    return Pair(
        database_url,
        tmp_path,
        TRADEWRIGHT_REPLAY=bars,
        TRADEWRIGHT_REPLAY_SPEED=600,
        **place.variables,
    )


def send(core: CoreProcess, number: signal.Signals) -> None:
    assert core._process is not None
    core._process.send_signal(number)


async def says(core: CoreProcess, words: str) -> None:
    async with asyncio.timeout(60):
        while words not in core.log.read_text():  # noqa: ASYNC110 - asks a file
            await asyncio.sleep(0.05)


async def assert_sound(pool: asyncpg.Pool, place: Place, orders: int) -> None:
    """Nothing twice, nothing lost, and the broker has what we say it has."""
    ours = await pool.fetch("SELECT id FROM accounts")
    for row in ours:
        stream = f"account:{row['id']}"
        assert await journal.verify(pool, stream, JOURNAL_KEY) > 0
        assert await fold_check.differences(pool, row["id"]) == []
    for question in TWICE:
        assert await pool.fetch(question) == [], question
    sent = [order.client_order_id for order in place.server.venue.orders.values()]
    stored = "SELECT client_order_id FROM orders WHERE ledger = 'manual'"
    assert sorted(sent) == sorted(row[0] for row in await pool.fetch(stored))
    assert len(sent) == orders


@pytest.mark.timeout(180)
async def test_a_second_engine_takes_over_from_one_that_was_killed(
    pool: asyncpg.Pool, pair: Pair, place: Place, account_id: int
) -> None:
    async with pair:
        first = await pair.start("a")
        await until(pool, READY, account_id, core=first)
        await until(pool, HELD, 1, core=first)
        second = await pair.start("b")
        await says(second, "core_started")
        await buy(pool, account_id, "90")
        await until(pool, "SELECT EXISTS (SELECT FROM orders WHERE status = 'accepted'"
                    " AND ledger = 'manual')", core=first)  # fmt: skip
        assert await pool.fetchval(HELD, 1)  # F16: the other one waits
        await first.kill()
        await until(pool, HELD, 2, core=second)
        await until(pool, READY, account_id, core=second)
        await buy(pool, account_id, "90")
        await until(pool, "SELECT count(*) = 2 FROM orders WHERE status = 'accepted'"
                    " AND ledger = 'manual'", core=second)  # fmt: skip
        await until(pool, REPLAY_OVER, core=second)
        assert await second.stop() == 0
    await assert_sound(pool, place, orders=2)


@pytest.mark.timeout(180)
async def test_a_paused_zombie_can_neither_write_nor_send(
    pool: asyncpg.Pool, pair: Pair, place: Place, account_id: int
) -> None:
    async with pair:
        first = await pair.start("a")
        await until(pool, READY, account_id, core=first)
        await until(pool, HELD, 1, core=first)
        second = await pair.start("b")
        await says(second, "core_started")
        send(first, signal.SIGSTOP)
        await buy(pool, account_id, "90")
        await until(pool, HELD, 2, core=second)
        await until(pool, "SELECT EXISTS (SELECT FROM orders WHERE status = 'accepted'"
                    " AND ledger = 'manual')", core=second)  # fmt: skip
        seq = await pool.fetchval("SELECT sum(seq) FROM journal_streams WHERE stream <> 'system'")
        send(first, signal.SIGCONT)
        await buy(pool, account_id, "90")
        await says(first, "fenced")
        await until(pool, "SELECT count(*) = 2 FROM orders WHERE status = 'accepted'"
                    " AND ledger = 'manual'", core=second)  # fmt: skip
        await until(pool, REPLAY_OVER, core=second)
        assert await pool.fetchval(HELD, 2)
        assert await first.stop() == 0
        assert await second.stop() == 0
    assert seq > 0
    await assert_sound(pool, place, orders=2)
