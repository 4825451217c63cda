"""What commands on market data share: their options, the database, and a bar of progress."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    import asyncpg

    from app.domain.market import Timeframe

T = TypeVar("T")
Symbol = Annotated[str | None, typer.Option("--symbol", help="Whose bars, for example SPY.")]
Frame = Annotated[
    str | None, typer.Option("--timeframe", help="1s, 1m, 5m, 15m, 1h or 1d.", metavar="LENGTH")
]
Dataset = Annotated[
    str | None,
    typer.Option("--dataset", help="NAME of import:NAME, or a full name such as live."),
]
DAY_OR_MINUTE = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
When = Annotated[datetime | None, typer.Option(help="UTC.", formats=DAY_OR_MINUTE)]


def timeframe_of(text: str | None) -> "Timeframe | None":
    """The timeframe of a text such as 5m. Raises InvalidInput with the ones that there are."""
    from app.core.errors import InvalidInput
    from app.domain.market import Timeframe

    if text is None:
        return None
    try:
        return Timeframe(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no timeframe.",
            field="timeframe",
            remedy=f"Use one of {', '.join(Timeframe)}.",
        ) from None


def run(work: Callable[["asyncpg.Pool"], Awaitable[T]]) -> T:
    from app.core.config import settings
    from app.core.vault import open_vault
    from app.services.credentials import offer

    async def connected() -> T:
        async with _pool(address) as pool:
            await offer(pool, open_vault(settings.home, settings.app))
            return await work(pool)

    with _database() as address:
        return asyncio.run(connected())


def audit_key() -> bytes:
    """What the rows of the audit trail are chained with."""
    from app.core.config import settings
    from app.core.security import master_key, subkey

    return subkey(master_key(settings.home, settings.app.secret_key), "audit")


@asynccontextmanager
async def _pool(address: str) -> "AsyncIterator[asyncpg.Pool]":
    from app.db.session import opened_pool

    async with opened_pool(address, max_size=2) as pool:
        yield pool


@contextmanager
def _database() -> Iterator[str]:
    """The given database, the running one, or the embedded one started for this command."""
    from app.core.config import settings
    from app.core.errors import ConfigurationError
    from app.db import migrations, revisions
    from app.db.embedded import attach_or_start

    own: AbstractContextManager[str] = (
        nullcontext(settings.database.url)
        if settings.database.is_given
        else attach_or_start(settings.home, purpose="tradewright data", say=_say)
    )
    with own as address:
        if revisions.current(address) != revisions.head():
            if settings.database.is_given:
                raise ConfigurationError(
                    "The database is not at the newest revision.",
                    remedy="Run `tradewright db upgrade` first.",
                )
            migrations.upgrade(address)
        yield address


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, word to a parent that listens, silence elsewhere."""
    from app.core.progress_pipe import teller

    if tell := teller():
        yield tell
        return
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=None)

        def progress(done: int, total: int) -> None:
            bars.update(task, completed=done, total=max(done, total))

        yield progress


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
