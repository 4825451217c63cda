"""The real trading process on a database of its own, to be killed and started again."""

import asyncio
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

SECRET = "5e" * 32
PATIENCE_SECONDS = 120


class CoreProcess:
    """`tradewright core` as a child. Its log is a file that a failing test can show."""

    def __init__(self, url: str, home: Path, **variables: object) -> None:
        self.log = home / f"core-{url.rpartition('/')[2]}.out"
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TRADEWRIGHT_", "DATABASE_", "REDIS_"))
        } | {
            "DATABASE_URL": url,
            "REDIS_URL": "redis://127.0.0.1:1/0",  # nobody answers: nothing may need it
            "TRADEWRIGHT_HOME": str(home),
            "TRADEWRIGHT_SECRET_KEY": SECRET,
            "TRADEWRIGHT_ENV_FILE": os.devnull,
            **{name: str(value) for name, value in variables.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it; its output goes to the log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "core"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(PATIENCE_SECONDS)

    async def start(self) -> None:
        await asyncio.to_thread(self.begin)

    async def kill(self) -> None:
        """kill -9, as a crash would."""
        await asyncio.to_thread(self.end, signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await asyncio.to_thread(self.end)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


@asynccontextmanager
async def running(url: str, home: Path, **variables: object) -> AsyncIterator[CoreProcess]:
    """A started core, gone at the end of the block whatever happens."""
    core = CoreProcess(url, home, **variables)
    await core.start()
    try:
        yield core
    finally:
        if core.is_running:
            await core.kill()


async def until(
    pool: asyncpg.Pool, question: str, *arguments: Any, core: CoreProcess | None = None
) -> None:
    """Wait until a question to the database is answered with true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await _ask(pool, question, *arguments):
            if core is not None and not core.is_running:
                raise AssertionError(f"core ended:\n{core.log.read_text()[-4000:]}")
            await asyncio.sleep(0.02)


async def _ask(pool: asyncpg.Pool, question: str, *arguments: Any) -> bool:
    try:
        return bool(await pool.fetchval(question, *arguments))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False  # PostgreSQL may be restarting, and that may be the point of the test


REPLAY_OVER = """
SELECT EXISTS (SELECT FROM trading_events WHERE event_type = 'feed_disconnected'
               AND payload ->> 'reason' = 'no more bars')
"""


def cut(source: Path, target: Path, symbols: Sequence[str], days: Sequence[str]) -> Path:
    """A folder with only these days of these symbols of real minute bars."""
    target.mkdir()
    for symbol in symbols:
        with gzip.open(source / f"{symbol}.trade.csv.gz", "rt") as file:
            header, *lines = file.readlines()
        kept = [line for line in lines if line.startswith(tuple(days))]
        (target / f"{symbol}.csv").write_text("".join([header, *kept]))
    return target
