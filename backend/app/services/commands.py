"""Ask an engine: store the command, wake the engine, wait a moment for the outcome."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import asyncpg

from app.core.errors import Unavailable
from app.domain.commands import CommandKind, Once, Payload
from app.events.outcomes import Outcomes
from app.repositories import commands, leases
from app.repositories.paging import Row

WAIT_SECONDS: Final = 2.0
"After this a caller gets 202 and asks for the command later."


class CommandDesk:
    """Implements the port Desk on PostgreSQL."""

    def __init__(
        self, pool: asyncpg.Pool, outcomes: Outcomes, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._pool = pool
        self._outcomes = outcomes
        self.wait_seconds = wait_seconds

    async def ask(
        self,
        account_id: int,
        kind: CommandKind,
        payload: Payload,
        actor: str,
        once: Once | None = None,
    ) -> Row:
        """The command's row, completed or still pending after two seconds.

        Raises Unavailable when no engine holds the account: then nothing was stored.
        """
        if once is not None and once.command_id is not None:
            return await self.outcome(once.command_id)
        if not await leases.is_held(self._pool, account_id):
            raise Unavailable(
                f"No engine holds account {account_id} now, so nothing was asked of it.",
                remedy="Start it with `tradewright up` or `tradewright core`, then try again.",
                account_id=account_id,
            )
        async with self._pool.acquire() as db:
            transaction = db.transaction()
            await transaction.start()
            try:
                if once is not None:
                    await once.claim(db)
                made = await payload(db) if callable(payload) else payload
                command_id = await commands.submit(db, account_id, kind, dict(made), actor)
                if once is not None:
                    await once.bind(db, command_id)
            except BaseException:
                await transaction.rollback()
                raise
            with self._outcomes.expect(command_id) as done:
                await transaction.commit()
                await self._await(done)
        return await commands.get(self._pool, command_id)

    async def submit(
        self, account_id: int, kind: CommandKind, payload: Mapping[str, Any], actor: str
    ) -> int:
        """Store a command without waiting, whether an engine is there or not; returns its id."""
        return await commands.submit(self._pool, account_id, kind, dict(payload), actor)

    async def outcome(self, command_id: int) -> Row:
        """A command that was asked before: waits for it like `ask` if it is still pending."""
        with self._outcomes.expect(command_id) as done:
            found = await commands.get(self._pool, command_id)
            if found["status"] != "pending":
                return found
            await self._await(done)
        return await commands.get(self._pool, command_id)

    async def _await(self, done: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wait_seconds):
                await done.wait()
