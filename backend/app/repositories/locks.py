"""Advisory locks that live as long as the connection which took them, and whether it still does."""

import asyncio
from typing import Final

import asyncpg

from app.repositories.journal import LOST_CONNECTION

_ALIVE_SECONDS: Final = 5.0
_TAKE: Final = "SELECT pg_try_advisory_lock(hashtextextended($1, 7236505))"


async def take(db: asyncpg.Connection, name: str) -> bool:
    """Keep every other process from `name` until the connection ends; False: another has it."""
    return bool(await db.fetchval(_TAKE, name))


async def until_lost(connection: asyncpg.Connection) -> None:
    """Return when the connection is closed, or does not answer any more: its locks are gone."""
    closed = asyncio.Event()
    connection.add_termination_listener(lambda _: closed.set())
    while not closed.is_set() and not connection.is_closed():
        try:
            async with asyncio.timeout(_ALIVE_SECONDS):
                await closed.wait()
        except TimeoutError:
            if not await _answers(connection):
                return


async def _answers(connection: asyncpg.Connection) -> bool:
    try:
        async with asyncio.timeout(_ALIVE_SECONDS):
            await connection.execute("SELECT 1")
    except (*LOST_CONNECTION, asyncpg.PostgresError, TimeoutError):
        return False
    return True
