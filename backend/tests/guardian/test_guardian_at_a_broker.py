"""A hanging core at a real broker's loopback: cancelled, flattened, and right again when it wakes.

Real processes on both sides: the core, the guardian, and the vendor's protocol between them.
"""

import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from app.core.clock import now
from app.db.halt_file import HaltFile
from app.db.session import create_pool
from app.domain.commands import CommandKind
from app.repositories import accounts, commands, fold_check
from app.repositories.accounts import AccountSettings
from tests.core_process import running, until
from tests.runner.conftest import waves, write_bars
from tests.vendors.alpaca import KEY
from tests.vendors.alpaca import SECRET as ALPACA_SECRET
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.twelve_data import TwelveDataLoopback

from .conftest import Door
from .test_guardian import truly
from .test_guardian_process import guarding, send

READY = "SELECT (report ->> 'is_reconciled')::bool FROM broker_states WHERE account_id = $1"
HOLDS = (
    "SELECT coalesce(sum(quantity) FILTER (WHERE ledger = $2), 0) = $3"
    " FROM positions WHERE account_id = $1"
)
RESTS = "SELECT EXISTS (SELECT FROM orders WHERE account_id = $1 AND status = 'accepted')"
HALTED = (
    "SELECT state = 'halted' FROM trading_state"
    " WHERE scope <> 'all' AND split_part(scope, ':', 2)::bigint = $1"
)
DIFFERENCES = "SELECT count(*) FROM trading_events WHERE event_type = 'reconciliation_difference'"


@pytest.fixture
async def broker() -> AsyncIterator[AlpacaTrading]:
    async with AlpacaTrading() as server:
        server.venue.print("AAPL", 100)
        server.venue.hold("AAPL", 10, 100)
        yield server


@pytest.fixture
async def vendor() -> AsyncIterator[TwelveDataLoopback]:
    async with TwelveDataLoopback() as loopback:
        loopback.know("AAPL")
        yield loopback


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database_url, max_size=3)
    yield pool
    await pool.close()


@pytest.fixture
async def account_id(pool: asyncpg.Pool) -> int:
    settings = AccountSettings(
        feeds=("twelve_data",),
        symbols=("AAPL",),
        exchange="24/7",
        start=now() - timedelta(minutes=1),
    )
    async with pool.acquire() as db, db.transaction():
        return await accounts.add(
            db, name="Real", dataset="live", cash=Decimal(0), settings=settings, broker="alpaca"
        )


async def buy(pool: asyncpg.Pool, account_id: int, limit: str) -> None:
    order = {"symbol": "AAPL", "side": "buy", "quantity": "5", "type": "limit"}
    order |= {"limit_price": limit, "time_in_force": "gtc"}
    await commands.submit(pool, account_id, CommandKind.ORDER_PLACE, order, "ann")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("flatten", "is_database_there"),
    [(False, False), (True, True)],
    ids=["cancel, no postgresql", "flatten"],
)
async def test_a_hanging_core_at_a_broker(
    door: Door,
    pool: asyncpg.Pool,
    broker: AlpacaTrading,
    vendor: TwelveDataLoopback,
    account_id: int,
    tmp_path: Path,
    flatten: bool,
    is_database_there: bool,
) -> None:
    variables = {
        "TRADEWRIGHT_REPLAY": write_bars(tmp_path / "waves", {"SPY": waves(5)}),
        "ALPACA_BASE_URL": broker.http,
        "ALPACA_API_KEY": KEY,
        "ALPACA_SECRET_KEY": ALPACA_SECRET,
        **vendor.variables,
    }
    held, file = broker.venue.holdings, HaltFile(tmp_path, account_id)
    watching = {"GUARDIAN_FLATTEN": str(flatten).lower(), **variables}
    async with (
        running(door.url, tmp_path, **variables) as core,
        guarding(door.url, tmp_path, **watching),
    ):
        await until(pool, READY, account_id, core=core)
        await buy(pool, account_id, "101")
        await until(pool, RESTS, account_id, core=core)
        broker.venue.print("AAPL", 100)
        await until(pool, HOLDS, account_id, "manual", 5, core=core)
        await buy(pool, account_id, "90")
        await until(pool, RESTS, account_id, core=core)
        await until(pool, "SELECT state::text LIKE '%\"broker_up\": true%' FROM heartbeats"
                    " WHERE name = 'guardian'")  # fmt: skip
        if not is_database_there:
            await door.shut()
        send(core, signal.SIGSTOP)
        await truly(file.is_there)
        await truly(lambda: not [o for o in broker.venue.orders.values() if o.is_open])
        if flatten:
            await truly(lambda: broker.venue.print("AAPL", 100) or held["AAPL"].qty == 10)
        if not is_database_there:
            await door.open()
        send(core, signal.SIGCONT)
        await until(pool, HALTED, account_id, core=core)
        await until(pool, HOLDS, account_id, "manual", 0 if flatten else 5, core=core)
        await until(pool, HOLDS, account_id, "external", 10, core=core)
        await truly(lambda: not file.is_there())
        await until(pool, READY, account_id, core=core)
        assert await core.stop() == 0
    assert held["AAPL"].qty == (10 if flatten else 15)
    assert await pool.fetchval(DIFFERENCES) == 0
    assert await fold_check.differences(pool, account_id) == []
