"""The trading process inside the test's own loop, on a replay of a few made-up minutes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import bootstrap
from app.bootstrap import Parts
from app.core.config import get_settings
from app.marketdata.batch import to_datetime
from app.repositories import commands
from app.runner.core import Core
from tests.core_process import SECRET
from tests.factories import make_batch

PATIENCE_SECONDS = 60


def waves(count: int, price: float = 100.0) -> list[float]:
    """Prices that go up and down, so that averages cross."""
    return [round(price + 5 * float(np.sin(i / 12)), 2) for i in range(count)]


def write_bars(folder: Path, closes: dict[str, list[float]]) -> Path:
    """One CSV a symbol, from the open of 2024-03-01 on."""
    folder.mkdir(exist_ok=True)
    for symbol, prices in closes.items():
        batch = make_batch(prices, symbol=symbol, volume=100_000)
        lines = ["ts_utc,open,high,low,close,volume"]
        for row in batch.rows.tolist():
            start = to_datetime(row[0]).isoformat().replace("+00:00", "Z")
            lines.append(f"{start},{row[2]},{row[3]},{row[4]},{row[5]},{row[6]}")
        (folder / f"{symbol}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """120 minutes of AAPL and SPY."""
    return write_bars(tmp_path / "waves", {"AAPL": waves(120), "SPY": waves(120, 400)})


@pytest.fixture
def configured(
    database_url: str, bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings for a replay of `bars`, as fast as possible."""
    for name, value in {
        "DATABASE_URL": database_url,
        "TRADEWRIGHT_HOME": tmp_path,
        "TRADEWRIGHT_SECRET_KEY": SECRET,
        "TRADEWRIGHT_REPLAY": bars,
        "TRADEWRIGHT_REPLAY_SPEED": 1e9,
    }.items():
        monkeypatch.setenv(name, str(value))
    get_settings.cache_clear()


@pytest.fixture
async def parts(configured: None) -> AsyncIterator[Parts]:
    async with bootstrap.parts() as parts:
        yield parts


@asynccontextmanager
async def trading(parts: Parts) -> AsyncIterator[Core]:
    """A core at work in this loop; stopped cleanly at the end."""
    core = Core(parts)
    task = asyncio.create_task(core.run())
    try:
        yield core
    finally:
        core.stop()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def until(parts: Parts, question: str, *arguments: object) -> None:
    """Wait until the database answers with true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await parts.pool.fetchval(question, *arguments):  # noqa: ASYNC110 - asks a database
            await asyncio.sleep(0.02)


async def answered(parts: Parts, command_id: int) -> dict[str, Any]:
    """The outcome of a command, once it is there."""
    await until(parts, "SELECT status <> 'pending' FROM commands WHERE id = $1", command_id)
    return await commands.get(parts.pool, command_id)


CASH = Decimal(100_000)
