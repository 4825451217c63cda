"""Migrations on DATABASE_URL, or on the embedded database; sees only our own tables."""

from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

from sqlalchemy import Connection, create_engine, pool, text

from alembic import context
from app.core.config import settings, with_driver
from app.db.base import Base
from app.db.embedded import attach_or_start

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


def change_views(action: Literal["create_views", "drop_views"], connection: Connection) -> None:
    if find_spec("app.models.views"):
        getattr(import_module("app.models.views"), action)(connection)


def migrate(connection: Connection) -> None:
    """Run the command in one transaction. Views hang on tables, so they step aside meanwhile.

    They come back at the newest revision only: an older one may lack what they show.
    """
    configure(connection)
    with context.begin_transaction():
        if not changes_schema():
            context.run_migrations()
            return
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        change_views("drop_views", connection)
        context.run_migrations()
        now = set(context.get_context().get_current_heads())
        if now and now == set(context.script.get_heads()):
            change_views("create_views", connection)


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
