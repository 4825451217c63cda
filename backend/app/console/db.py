"""`tradewright db`: where the database is, and its migrations."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from app.console.output import Json, show
from app.core.config import settings, with_driver
from app.db.address import database_url
from app.db.embedded import attach_or_start

app = typer.Typer(
    help="The database: url, upgrade, downgrade, check, sample.", add_completion=False
)
Revision = Annotated[str, typer.Argument(help="A revision, head, base, or a step such as -1.")]


@app.command()
def url(
    sqlalchemy: Annotated[
        bool, typer.Option("--sqlalchemy", help="With the driver, for SQLAlchemy.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the address of the database, with its password; for psql as it is."""
    found = with_driver(database_url(), "psycopg2") if sqlalchemy else database_url()
    show({"url": found}, found, as_json=as_json)


@app.command()
def upgrade(revision: Revision = "head", as_json: Json = False) -> None:
    """Bring the database to a revision, the newest by default."""
    from app.db import migrations

    _migrate(migrations.upgrade, revision, as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def downgrade(revision: Revision, as_json: Json = False) -> None:
    """Take the database back to a revision."""
    from app.db import migrations

    _migrate(migrations.downgrade, revision, as_json)


@app.command()
def check(as_json: Json = False) -> None:
    """Compare the database with the program: revision and structure."""
    from app.db import migrations, revisions

    with _database() as address:
        found, wanted = revisions.current(address), revisions.head()
        differences = migrations.differences(address) if found == wanted else []
    result = {"revision": found, "head": wanted, "differences": differences}
    is_equal = found == wanted and not differences
    lines = [f"Revision {found or 'none'}, newest {wanted}.", *differences]
    show(
        {**result, "ok": is_equal},
        [*lines, "Equal." if is_equal else "Not equal."],
        as_json=as_json,
    )
    if not is_equal:
        raise typer.Exit(1)


def _migrate(action: Callable[[str, str], None], revision: str, as_json: bool) -> None:
    from app.db import revisions

    with _database() as address:
        action(address, revision)
        now = revisions.current(address)
    show({"revision": now}, f"The database is at revision {now or 'base'}.", as_json=as_json)


def _database() -> AbstractContextManager[str]:
    """The given database, the running one, or the embedded one started for this command."""
    if settings.database.is_given:
        return nullcontext(settings.database.url)
    return attach_or_start(settings.home, purpose="tradewright db", say=_say)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if find_spec("app.console.sample"):
    app.command()(import_module("app.console.sample").sample)
