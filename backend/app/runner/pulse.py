"""Saying once a second how an account's engine is, in the home and in the database."""

import asyncio
import time
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from app.core import clock
from app.core.logging import get_logger
from app.db import pulses
from app.domain.deployments import LIVE_DATASET
from app.domain.pulse import Pulse
from app.engine.engine import Engine
from app.repositories import heartbeats
from app.repositories.accounts import Account
from app.repositories.journal import LOST_CONNECTION

BEAT_SECONDS: Final = 1.0
log = get_logger("trading")


class PulseKeeper:
    """One account's. What it says before the engine is ready is what the last one said."""

    def __init__(self, pool: asyncpg.Pool, home: Path, account: Account) -> None:
        self._pool, self._home, self._account = pool, home, account
        self._engine: Engine | None = None
        self._since: float | None = time.monotonic()
        "When the step under way began: at first the start itself."

    def ready(self, engine: Engine) -> None:
        """Recovered and reconciled: from here on the engine speaks for itself."""
        self._engine = engine
        self._since = None

    def begins(self) -> None:
        """A step begins."""
        self._since = time.monotonic()

    def ends(self) -> None:
        """It is over."""
        self._since = None

    async def beat(self) -> None:
        """For ever."""
        while True:
            await self.say()
            await asyncio.sleep(BEAT_SECONDS)

    async def say(self, *, is_stopped: bool = False) -> None:
        """Now: in the home first, since the database may be away."""
        pulse = self.pulse(is_stopped=is_stopped)
        try:
            pulses.write(self._home, pulse)
        except OSError as error:
            log.warning("pulse_not_written", account_id=self._account.id, error=str(error))
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await heartbeats.beat(self._pool, f"account:{self._account.id}", pulse)
        except (*LOST_CONNECTION, asyncpg.PostgresError, TimeoutError) as error:
            log.debug("pulse_not_stored", account_id=self._account.id, error=repr(error))

    def pulse(self, *, is_stopped: bool = False) -> Pulse:
        """The account as it is."""
        took = 0.0 if self._since is None else time.monotonic() - self._since
        if self._engine is None:
            known = pulses.read(self._home, self._account.id) or self._blank()
            return msgspec.structs.replace(
                known, at=clock.now(), is_ready=False, is_stopped=is_stopped, step_seconds=took
            )
        return self._of(self._engine, took, is_stopped=is_stopped)

    def _blank(self) -> Pulse:
        account = self._account
        return Pulse(
            account_id=account.id,
            account=account.name,
            broker=account.broker,
            mode=account.mode,
            at=clock.now(),
            is_live=account.dataset == LIVE_DATASET,
            bar_seconds=account.settings.base.duration.total_seconds(),
        )

    def _of(self, engine: Engine, took: float, *, is_stopped: bool) -> Pulse:
        held = {
            name: {p.symbol: p.quantity for p in ledger.positions.values() if p.quantity}
            for name, ledger in engine.ledgers.items()
        }
        book = engine.book
        return msgspec.structs.replace(
            self._blank(),
            is_ready=True,
            is_stopped=is_stopped,
            step_seconds=round(took, 3),
            trading_state=engine.trading_state,
            held={name: positions for name, positions in held.items() if positions},
            open_orders=len(engine.open_orders),
            data_at=engine.slice_end,
            is_open=bool(book.is_open),
            equity=book.equity,
            day_start=book.day_start,
        )
