"""What the guardian reads of the database and tells it; each call may fail, and is short."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.vault import Vault
from app.db.halt_file import Halt
from app.domain.commands import CommandKind
from app.domain.deployments import TradingState, deployment_of
from app.domain.events import Severity
from app.domain.instruments import Instrument
from app.domain.pulse import Pulse
from app.repositories import accounts, alerts, commands, heartbeats, instruments, trading_state
from app.repositories.accounts import Account
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal
from app.services.credentials import offer

ACTOR: Final = "guardian"
TIMEOUT_SECONDS: Final = 2.0
AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"What a database that is away, stopped or restarting makes of a call."
_FLATTEN: Final = """
  SELECT EXISTS (SELECT FROM commands WHERE account_id = $1 AND status = 'pending'
    AND kind = 'trading_halt' AND (payload ->> 'flatten')::boolean)"""


class Records:
    """A small pool of its own. Nothing here is needed to halt, cancel or flatten."""

    def __init__(
        self, url: str, journal_key: bytes, clock: Clock, vault: Vault | None = None
    ) -> None:
        self._url, self._key, self._clock, self._vault = url, journal_key, clock, vault
        self._pool: asyncpg.Pool | None = None

    async def accounts(self) -> list[Account]:
        """Every account that is not disabled; brokers made from now on find stored keys."""
        async with self._connection() as db:
            if self._vault is not None:
                await offer(db, self._vault)
            return await accounts.active(db)

    async def instruments(self) -> dict[str, Instrument]:
        """Everything that can be traded, by symbol."""
        async with self._connection() as db:
            return await instruments.load(db)

    async def pulses(self) -> list[Pulse]:
        """Of engines on other machines too, where no file of theirs is found."""
        async with self._connection() as db:
            rows = await heartbeats.listed(db, "account:%")
        return [msgspec.convert(row["state"], Pulse) for row in rows]

    async def unheard(self, seconds: float) -> dict[int, bool]:
        """Accounts whose engine has not confirmed a halt; True where it was to flatten as well."""
        async with self._connection() as db:
            found = await trading_state.unheard(db, seconds)
            return {one: bool(await db.fetchval(_FLATTEN, one)) for one in found}

    async def beat(self, state: Any) -> None:  # noqa: ANN401 - whatever msgspec can write
        """Say that the guardian is alive, and what it watches."""
        async with self._connection() as db:
            await heartbeats.beat(db, heartbeats.GUARDIAN, state)

    async def halt(self, account_id: int, halt: Halt) -> None:
        """Latch, and ask the engine to journal it when it lives; all or nothing."""
        reason, scope = f"{ACTOR}: {halt.reason}", f"account:{account_id}"
        payload = {"reason": reason, "flatten": False}
        async with self._connection() as db, db.transaction():
            await trading_state.latch(db, scope, TradingState.HALTED, reason, ACTOR)
            await commands.submit(db, account_id, CommandKind.TRADING_HALT, payload, ACTOR)

    async def pause(self, account_id: int, ledgers: list[str]) -> None:
        """Deployments whose positions were closed do not buy them again when trading resumes."""
        async with self._connection() as db, db.transaction():
            for ledger in ledgers:
                number = deployment_of(ledger)
                if number is not None:
                    payload = {"deployment_id": number, "reason": "flattened by the guardian"}
                    kind = CommandKind.DEPLOYMENT_PAUSE
                    await commands.submit(db, account_id, kind, payload, ACTOR)

    async def alarm(self, account_id: int, title: str, detail: str) -> None:
        """A critical alert; told again it replaces the detail."""
        alert = NewAlert(
            key=f"guardian:{account_id}",
            category="trading",
            severity=Severity.CRITICAL,
            title=title,
            detail=detail,
            account_id=account_id,
        )
        async with self._connection() as db, db.transaction():
            journal = SharedJournal(self._opened(), self._key, now=self._clock.now)
            await alerts.raise_alert(db, journal, alert, self._clock.now())

    async def stopped(self) -> None:
        """Nobody watches from here on, because somebody asked."""
        with suppress(*AWAY):
            await self.beat({"accounts": [], "is_stopped": True})

    async def close(self) -> None:
        """End the connections."""
        if self._pool is not None:
            self._pool.terminate()

    def _opened(self) -> asyncpg.Pool:
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=2,
                timeout=TIMEOUT_SECONDS,
                command_timeout=TIMEOUT_SECONDS,
                server_settings={"application_name": "tradewright guardian"},
            )
        return self._pool

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        pool = self._opened()
        await pool  # makes its ready at the first time only
        connection = await pool.acquire(timeout=TIMEOUT_SECONDS)
        try:
            yield connection
        except TimeoutError:
            connection.terminate()  # it may hang in the middle of an answer
            raise
        finally:
            await pool.release(connection)
