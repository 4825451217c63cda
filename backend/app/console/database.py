"""The database that a command works on: the given one, the running one, or the home's own."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from app.core.config import settings
from app.core.errors import ConfigurationError
from app.db import migrations, revisions
from app.db.embedded import attach_or_start


@contextmanager
def at_hand(purpose: str, *, makes: bool = True) -> Iterator[str]:
    """Address of a migrated database. With `makes=False` a new one is not made for this.

    Raises ConfigurationError when there is none, or one of another revision.
    """
    with _found(purpose, makes=makes) as address:
        if revisions.current(address) != revisions.head():
            if settings.database.is_given:
                raise ConfigurationError(
                    "The database is not at the newest revision.",
                    remedy="Run `tradewright db upgrade` first.",
                )
            migrations.upgrade(address)
        yield address


def _found(purpose: str, *, makes: bool) -> AbstractContextManager[str]:
    if settings.database.is_given:
        return nullcontext(settings.database.url)
    if not makes and not (settings.home / "postgres.password").exists():
        raise ConfigurationError(
            "There is no database here yet.",
            remedy="Name files of bars with --data, or start one: tradewright up.",
        )
    return attach_or_start(settings.home, purpose=purpose, say=_say)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
