"""A machine of its own to be tortured: home, PostgreSQL, Redis and the trading process."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.core.environment import variables
from app.core.errors import TradewrightError
from app.core.security import subkey
from app.db import home as home_folder
from app.db import migrations
from app.db.embedded_postgres import EmbeddedPostgres
from app.db.embedded_redis import EmbeddedRedis
from app.db.processes import start
from app.torture.plan import Victim

PATIENCE_SECONDS: Final = 60.0
_FOREIGN: Final = ("TRADEWRIGHT_", "DATABASE_", "REDIS_", "POSTGRES_", "ENVIRONMENT", "ALPACA_",
                   "IBKR_", "LIVE_", "DATABENTO_", "TWELVE_DATA_")  # fmt: skip
"Settings of whoever calls us: none of them reaches a process here, above all no key."


class NotSurvived(TradewrightError):
    """Something that had to survive did not."""

    code = "torture"


class Machine:
    """Everything that can be killed, and brought back as the supervisor would."""

    def __init__(
        self, home: Path, postgres: EmbeddedPostgres, redis: EmbeddedRedis, given: Mapping[str, str]
    ) -> None:
        self.log = home / "logs" / "torture-core.out"
        self._postgres, self._redis = postgres, redis
        self._core: subprocess.Popen[bytes] | None = None
        master = secrets.token_hex(32)
        self.journal_key = subkey(bytes.fromhex(master), "journal")
        self._environment = {
            name: value for name, value in variables().items() if not name.startswith(_FOREIGN)
        } | {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": redis.url,
            "TRADEWRIGHT_HOME": str(home),
            "TRADEWRIGHT_SECRET_KEY": master,
            "TRADEWRIGHT_ENV_FILE": os.devnull,
            **given,
        }

    @property
    def url(self) -> str:
        return self._postgres.url

    @property
    def is_alive(self) -> bool:
        """Whether the trading process runs."""
        return self._core is not None and self._core.poll() is None

    def begin(self, failpoint: str = "") -> None:
        """Start the trading process; it may have been told where to die."""
        armed = {"TRADEWRIGHT_FAILPOINT": failpoint} if failpoint else {}
        with self.log.open("ab") as log:
            self._core = start(
                [sys.executable, "-m", "app.cli", "core"],
                environment=self._environment | armed,
                output=log,
            )

    async def death(self, seconds: float) -> bool:
        """Wait until the trading process died by itself; False when it still lives."""
        time = asyncio.get_running_loop().time
        deadline = time() + seconds
        while self.is_alive and time() < deadline:  # noqa: ASYNC110 - asks the system
            await asyncio.sleep(0.01)
        return not self.is_alive

    def kill(self, victim: Victim) -> None:
        """SIGKILL, and what the supervisor does about it; the trading process is not restarted."""
        if victim is Victim.APP:
            assert self._core is not None
            self._core.kill()
            self._core.wait(PATIENCE_SECONDS)
            return
        server = self._postgres if victim is Victim.POSTGRES else self._redis
        assert server.process is not None
        server.process.kill()
        server.process.wait(PATIENCE_SECONDS)
        server.start()

    def end(self) -> int:
        """SIGTERM; the exit code of the trading process."""
        assert self._core is not None
        self._core.terminate()
        return self._core.wait(PATIENCE_SECONDS)

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def destroy(self) -> None:
        """Nothing of it runs any more."""
        if self.is_alive:
            self.kill(Victim.APP)


@contextmanager
def machine(home: Path, **given: str) -> Iterator[Machine]:
    """A machine in an empty folder, migrated, its servers running; `given` are settings of core."""
    home_folder.prepare(home)
    with home_folder.held(home, "tradewright torture"):
        postgres, redis = EmbeddedPostgres(home), EmbeddedRedis(home)
        try:
            postgres.start()
            redis.start()
            migrations.upgrade(postgres.url)
            made = Machine(home, postgres, redis, given)
            try:
                yield made
            finally:
                made.destroy()
        finally:
            redis.stop()
            postgres.stop()
