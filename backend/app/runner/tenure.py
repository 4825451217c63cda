"""Owning an account: take its lease, keep it alive, notice when it is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import asyncpg

from app.core import clock
from app.core.errors import Fenced
from app.core.logging import get_logger
from app.repositories import leases
from app.repositories.journal import LOST_CONNECTION

BEAT_SECONDS: Final = 2.5
RETRY_SECONDS: Final = 0.5
MARGIN_SECONDS: Final = 1.0
"So long before its end we no longer rely on a lease: what was sent must have arrived by then."

Connect = Callable[[], Awaitable[asyncpg.Connection]]
log = get_logger("trading")


class Tenure:
    """One process's hold on one account, on a connection of its own."""

    def __init__(
        self,
        connect: Connect,
        account_id: int,
        holder: str,
        seconds: float = leases.SECONDS,
        *,
        owned: Callable[[float], None] = lambda until: None,
    ) -> None:
        """`owned` is told until when (`clock.elapsed`) the account is certainly ours."""
        self.epoch = 0
        self._owned = owned
        self._connect = connect
        self._account_id = account_id
        self._holder = holder
        self._seconds = seconds
        self._connection: asyncpg.Connection | None = None

    async def take(self) -> int:
        """Wait until the account is ours; returns the fencing epoch."""
        while True:
            with suppress(*LOST_CONNECTION):
                connection, asked = await self._open(), clock.elapsed()
                epoch = await leases.take(connection, self._account_id, self._holder, self._seconds)
                if epoch is not None:
                    self.epoch = epoch
                    self._own(asked)
                    log.info("lease_taken", account_id=self._account_id, epoch=epoch)
                    return epoch
            await asyncio.sleep(RETRY_SECONDS)

    async def keep(self) -> None:
        """Renew for ever. Raises Fenced when another process holds the account.

        PostgreSQL may be away: nobody can append then, and the epoch tells afterwards.
        """
        while True:
            await asyncio.sleep(min(BEAT_SECONDS, self._seconds / 4))
            with suppress(*LOST_CONNECTION):
                await self.renew()

    async def renew(self) -> None:
        """One heartbeat. Raises Fenced."""
        was_open = self._connection is not None and not self._connection.is_closed()
        connection = await self._open()
        if not was_open:
            await leases.lock(connection, self._account_id, self.epoch)
        asked = clock.elapsed()
        if not await leases.renew(connection, self._account_id, self.epoch, self._seconds):
            raise Fenced(
                f"The lease of account {self._account_id} was taken by another process.",
                remedy="This engine stops; the other one goes on.",
            )
        self._own(asked)

    def _own(self, asked: float) -> None:
        """Counted from the question: the database counts from its answer, which is later."""
        self._owned(asked + self._seconds - MARGIN_SECONDS)

    async def give_up(self) -> None:
        """Release the lease, so that the next process need not wait."""
        self._owned(0.0)
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(*LOST_CONNECTION):
            await leases.release(connection, self._account_id, self.epoch)
        connection.terminate()

    async def _open(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection
