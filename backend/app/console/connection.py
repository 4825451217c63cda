"""What commands that trade work with: the database, a way to ask engines, and who asks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import typer

from app.core import tasks
from app.core.config import settings
from app.core.errors import Unavailable
from app.domain.users import CONSOLE, SCOPES, Caller, Role
from app.events.notices import ChangeNotices
from app.events.outcomes import Outcomes
from app.services.commands import CommandDesk

T = TypeVar("T")


@dataclass(frozen=True)
class Connected:
    """An open connection to everything that a command needs."""

    pool: asyncpg.Pool
    desk: CommandDesk
    caller: Caller
    notices: ChangeNotices
    audit_key: bytes
    journal_key: bytes


class NoKey:
    """The command line has no idempotency keys: a person sees what happened."""

    command_id: int | None = None

    async def claim(self, db: Any) -> None:  # noqa: ANN401 - the port's
        return

    async def bind(self, db: Any, command_id: int) -> None:  # noqa: ANN401 - the port's
        return


def run(work: Callable[[Connected], Awaitable[T]]) -> T:
    """`work`, connected; Ctrl-C ends it quietly."""

    async def whole() -> T:
        async with connected() as at:
            return await work(at)

    try:
        return tasks.run(whole())
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except BrokenPipeError:  # not the database: who read our output has gone, as `| head` does
        raise
    except (OSError, asyncpg.PostgresError) as error:
        raise Unavailable(
            f"The database does not answer: {error}", remedy="Start it with `tradewright up`."
        ) from None


@asynccontextmanager
async def connected() -> AsyncIterator[Connected]:
    """The database and a desk that hears outcomes."""
    from app.core.security import master_key, subkey
    from app.db.address import database_url
    from app.db.session import opened_pool
    from app.events.listener import Listener
    from app.services.system_config import SystemConfig

    url = database_url()
    outcomes, notices = Outcomes(), ChangeNotices()
    listener = Listener(lambda: asyncpg.connect(url))
    listener.on("command_done", outcomes.heard)
    listener.on("trading_state", notices.heard)
    listener.on_connected(outcomes.catch_up)
    master = master_key(settings.home, settings.app.secret_key)
    async with opened_pool(url, min_size=0, max_size=3) as pool:
        await pool.fetchval("SELECT 1")  # says at once when nobody answers
        listener.start()
        await listener.connected.wait()
        followed = SystemConfig(pool)
        await followed.load_if_there()  # commands show and use what people have changed
        try:
            yield Connected(
                pool,
                CommandDesk(pool, outcomes),
                await _caller(pool),
                notices,
                subkey(master, "audit"),
                subkey(master, "journal"),
            )
        finally:
            await followed.stop()
            await listener.stop()


async def _caller(pool: asyncpg.Pool) -> Caller:
    """Whoever may use this machine's keys is an admin; journal and audit trail say `console`."""
    from app.core.security import hash_password, new_token
    from app.repositories import users

    known = await users.credentials(pool, CONSOLE)
    if known is None:
        await users.add(pool, CONSOLE, "Console", Role.ADMIN, hash_password(new_token()))
        known = await users.credentials(pool, CONSOLE)
    assert known is not None
    return Caller(
        user_id=known["id"],
        email=CONSOLE,
        name="Console",
        role=Role.ADMIN,
        scopes=SCOPES[Role.ADMIN],
        via="session",
        credential="console",
    )
