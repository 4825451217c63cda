"""The real guardian beside the real trading process: it acts when that one hangs."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from app.db import pulses
from app.db.halt_file import HaltFile
from app.db.session import create_pool
from tests.core_process import SECRET, CoreProcess, running, until
from tests.runner.conftest import write_bars

from .conftest import Door
from .test_guardian import truly

HALTED = "SELECT state = 'halted' AND actor = 'guardian' FROM trading_state WHERE scope LIKE 'acc%'"
JOURNALED = "SELECT EXISTS (SELECT FROM trading_events WHERE event_type = 'trading_halted')"
SUBMITTED = "SELECT count(*) FROM trading_events WHERE event_type = 'order_submitted'"


@asynccontextmanager
async def guarding(
    url: str, home: Path, **variables: object
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """`tradewright guardian`, impatient."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "TRADEWRIGHT_HOME": str(home),
        "TRADEWRIGHT_SECRET_KEY": SECRET,
        "TRADEWRIGHT_ENV_FILE": os.devnull,
        "GUARDIAN_HEARTBEAT_SECONDS": "3",
        **{name: str(value) for name, value in variables.items()},
    }
    with (home / "guardian.out").open("ab") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it is there at once
            [sys.executable, "-m", "app.cli", "guardian"], env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


def send(core: CoreProcess, number: signal.Signals) -> None:
    assert core._process is not None
    core._process.send_signal(number)


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Prices that rise, so that what was bought is held."""
    return write_bars(tmp_path / "bars", {"SPY": [100 + n / 50 for n in range(300)]})


async def is_at_risk(home: Path) -> None:
    def look() -> Any:
        pulse = pulses.read(home, 1)
        return pulse is not None and pulse.is_ready and pulse.is_at_risk

    await truly(look)


@pytest.mark.parametrize("is_database_there", [True, False], ids=["postgresql", "no postgresql"])
async def test_a_hanging_core_is_halted_and_stays_so_when_it_wakes(
    door: Door, pool: asyncpg.Pool, bars: Path, tmp_path: Path, is_database_there: bool
) -> None:
    replay = {"TRADEWRIGHT_REPLAY": bars, "TRADEWRIGHT_REPLAY_SPEED": 1e9}
    file = HaltFile(tmp_path, 1)
    async with running(door.url, tmp_path, **replay) as core, guarding(door.url, tmp_path):
        await is_at_risk(tmp_path)
        if not is_database_there:
            await door.shut()
        send(core, signal.SIGSTOP)
        await truly(file.is_there)
        if is_database_there:
            await until(pool, HALTED)
        sent = await pool.fetchval(SUBMITTED)
        assert not await pool.fetchval(JOURNALED)
        await door.open() if not is_database_there else None
        send(core, signal.SIGCONT)
        await until(pool, HALTED, core=core)
        await until(pool, JOURNALED, core=core)
        await truly(lambda: not file.is_there())
        assert await pool.fetchval(SUBMITTED) == sent


async def test_a_core_that_was_stopped_by_its_user_is_no_alarm(
    door: Door, pool: asyncpg.Pool, bars: Path, tmp_path: Path
) -> None:
    replay = {"TRADEWRIGHT_REPLAY": bars, "TRADEWRIGHT_REPLAY_SPEED": 1e9}
    async with running(door.url, tmp_path, **replay) as core:
        await is_at_risk(tmp_path)
        assert await core.stop() == 0
    pulse = pulses.read(tmp_path, 1)
    assert pulse is not None
    assert pulse.is_stopped


async def test_the_guardian_is_small(door: Door, tmp_path: Path) -> None:
    """It must fit beside everything else, and start in an instant when it was killed."""
    async with guarding(door.url, tmp_path) as process:
        said = "SELECT EXISTS (SELECT FROM heartbeats WHERE name = 'guardian')"
        pool = await create_pool(door.url, max_size=1)
        await until(pool, said)
        await pool.close()
        found = psutil.Process(process.pid).memory_full_info().pss / 2**20
        maps = {m.path for m in psutil.Process(process.pid).memory_maps()}
    assert not [path for path in maps if "numpy" in path or "pandas" in path]
    assert found < 80
