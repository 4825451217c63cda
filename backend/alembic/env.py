"""Migrations on DATABASE_URL, or on the embedded database; sees only our own tables."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from sqlalchemy import Connection, create_engine, pool, text

from alembic import context
from app.core.config import settings, with_driver
from app.db import readers, rollups, timescale
from app.db.base import Base
from app.db.embedded import attach_or_start
from app.models.views import create_views, drop_views

MIGRATION_LOCK = 7_236_501
"Advisory lock: two programs that migrate the same database take turns."


def is_ours(
    name: str | None,
    kind: Literal[
        "schema", "table", "column", "index", "unique_constraint", "foreign_key_constraint"
    ],
    parents: object,
) -> bool:
    """Leave tables of others (job queue, extensions) out of autogenerate and `alembic check`."""
    return kind != "table" or name in Base.metadata.tables


def database() -> AbstractContextManager[str]:
    """The address to migrate; starts the embedded database for the command if nobody runs it."""
    given = context.config.attributes.get("url")
    if given or settings.database.is_given:
        return nullcontext(given or settings.database.url)
    return attach_or_start(settings.home)


def configure(connection: Connection | None, url: str | None = None) -> None:
    context.configure(
        connection=connection,
        url=url,
        literal_binds=connection is None,
        target_metadata=Base.metadata,
        include_name=is_ours,
        compare_server_default=True,
    )


def changes_schema() -> bool:
    """True for upgrade and downgrade, False for commands that only look."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


def migrate(connection: Connection) -> None:
    """Run the command in one transaction. Views hang on tables, so they step aside meanwhile.

    They come back at the newest revision only: an older one may lack what they show. There large
    tables become hypertables, too, where TimescaleDB has come since.
    """
    configure(connection)
    with context.begin_transaction():
        if not changes_schema():
            context.run_migrations()
            return
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        drop_views(connection)
        if not is_newest() or context.get_revision_argument() not in ("head", "heads"):
            rollups.drop(connection)  # not lightly: what they hold is computed anew
        context.run_migrations()
        if is_newest():
            create_views(connection)
            timescale.adopt(connection)
            rollups.create(connection)
            readers.grant(connection)


def is_newest() -> bool:
    """Whether the database is at the newest revision there is."""
    now = set(context.get_context().get_current_heads())
    return bool(now) and now == set(context.script.get_heads())


def run() -> None:
    with database() as url:
        if context.is_offline_mode():
            configure(None, with_driver(url, "psycopg2"))
            with context.begin_transaction():
                context.run_migrations()
            return
        engine = create_engine(with_driver(url, "psycopg2"), poolclass=pool.NullPool)
        with engine.connect() as connection:
            migrate(connection)
        engine.dispose()


run()
