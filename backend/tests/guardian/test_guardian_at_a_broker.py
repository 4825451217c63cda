"""A hanging core at a real broker's loopback: cancelled, flattened, and right again when it wakes.

Real processes on both sides: the core, the guardian, and the vendor's protocol between them.
"""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from app.db import pulses
from app.db.halt_file import HaltFile
from app.db.session import create_pool
from app.domain.pulse import Pulse
from app.repositories import fold_check
from tests.at_a_broker import PLACES, READY, Place, add_account, buy
from tests.core_process import running, until
from tests.runner.conftest import waves, write_bars

from .conftest import Door
from .test_guardian import truly
from .test_guardian_process import guarding, send

HOLDS = (
    "SELECT coalesce(sum(quantity) FILTER (WHERE ledger = $2), 0) = $3"
    " FROM positions WHERE account_id = $1"
)
RESTS = "SELECT EXISTS (SELECT FROM orders WHERE account_id = $1 AND status = 'accepted')"
HALTED = (
    "SELECT state = 'halted' FROM trading_state"
    " WHERE scope <> 'all' AND split_part(scope, ':', 2)::bigint = $1"
)
GLOBAL_CANCEL = 58
DIFFERENCES = "SELECT count(*) FROM trading_events WHERE event_type = 'reconciliation_difference'"


@pytest.fixture
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with PLACES[request.param]() as made:
        yield made


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database_url, max_size=3)
    yield pool
    await pool.close()


@pytest.fixture
async def account_id(pool: asyncpg.Pool, place: Place) -> int:
    return await add_account(pool, place)


def is_at_stake(pulse: Pulse) -> bool:
    """Whether the engine has told of the position and of the order: then it may fall silent."""
    return bool(pulse.open_orders and pulse.held.get("manual"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("place", "flatten", "is_database_there"),
    [("alpaca", False, False), ("alpaca", True, True), ("ibkr", True, True)],
    ids=["cancel, no postgresql", "flatten", "IBKR's global cancel, flatten"],
    indirect=["place"],
)
async def test_a_hanging_core_at_a_broker(
    door: Door,
    pool: asyncpg.Pool,
    place: Place,
    account_id: int,
    tmp_path: Path,
    flatten: bool,
    is_database_there: bool,
) -> None:
    variables = {
        "TRADEWRIGHT_REPLAY": write_bars(tmp_path / "waves", {"SPY": waves(5)}),
        **place.variables,
    }
    file = HaltFile(tmp_path, account_id)
    watching = {"GUARDIAN_FLATTEN": str(flatten).lower(), **variables}
    async with (
        running(door.url, tmp_path, **variables) as core,
        guarding(door.url, tmp_path, **watching),
    ):
        await until(pool, READY, account_id, core=core)
        await buy(pool, account_id, "101")
        await truly(lambda: place.print(100) or place.held() == 15)
        await until(pool, HOLDS, account_id, "manual", 5, core=core)
        await buy(pool, account_id, "90")
        await until(pool, RESTS, account_id, core=core)
        await until(pool, "SELECT state::text LIKE '%\"broker_up\": true%' FROM heartbeats"
                    " WHERE name = 'guardian'")  # fmt: skip
        await truly(lambda: any(map(is_at_stake, pulses.listed(tmp_path))))
        if not is_database_there:
            await door.shut()
        send(core, signal.SIGSTOP)
        await truly(file.is_there)
        if flatten:
            await truly(lambda: place.print(100) or place.held() == 10)
        await truly(lambda: not place.rests())
        if not is_database_there:
            await door.open()
        send(core, signal.SIGCONT)
        await until(pool, HALTED, account_id, core=core)
        await until(pool, HOLDS, account_id, "manual", 0 if flatten else 5, core=core)
        await until(pool, HOLDS, account_id, "external", 10, core=core)
        await truly(lambda: not file.is_there())
        await until(pool, READY, account_id, core=core)
        assert await core.stop() == 0
    assert place.held() == (10 if flatten else 15)
    if place.broker == "ibkr":
        assert GLOBAL_CANCEL in {number for number, _ in place.server.asked}
    assert await pool.fetchval(DIFFERENCES) == 0
    assert await fold_check.differences(pool, account_id) == []
