"""The embedded servers as a whole: attach to the running ones, or start them for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.errors import ConfigurationError
from app.db import home as home_folder
from app.db.embedded_postgres import EmbeddedPostgres
from app.db.embedded_redis import EmbeddedRedis
from app.db.processes import wait_until

__all__ = ["EmbeddedPostgres", "EmbeddedRedis", "attach_or_start"]

PATIENCE_SECONDS = 30.0
"For another program on the same home that is just starting its database."


@contextmanager
def attach_or_start(
    home: Path, *, purpose: str = "a command", say: Callable[[str], None] = lambda _: None
) -> Iterator[str]:
    """Address of the home's database: of the one that runs, else of one started for this block.

    Raises ConfigurationError with the reason when it can be neither found nor started.
    """
    wait_until(
        lambda: not home_folder.is_held(home) or home_folder.running(home) is not None,
        PATIENCE_SECONDS,
    )
    if servers := home_folder.running(home):
        yield servers.database_url
        return
    if home_folder.is_held(home):
        raise ConfigurationError(
            f"{home} is held by {home_folder.holder(home)}, which does not serve a database.",
            remedy="Stop that one and try again.",
        )
    with home_folder.held(home, purpose), started(EmbeddedPostgres(home, say=say)) as postgres:
        yield postgres.url


@contextmanager
def started(server: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """The server, running for this block."""
    try:
        server.start()
        yield server
    finally:
        server.stop()
