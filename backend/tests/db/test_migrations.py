"""Up, down and up again on data; and the migrations make exactly what the models declare."""

import io
from collections.abc import Iterator

import psycopg2
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alembic import command
from app.core.config import with_driver
from app.db import migrations, rollups
from app.db.base import Base
from app.models.views import VIEWS
from tests.models.rows import samples

# What PostgreSQL itself says about a table, without the order in which it was said.
CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
            AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def revisions() -> list[str]:
    """From the newest to the oldest."""
    script = ScriptDirectory.from_config(migrations.configuration("postgresql://unused"))
    return [revision.revision for revision in script.walk_revisions()]


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    engine = create_engine(with_driver(empty_database_url, "psycopg2"))
    yield engine
    engine.dispose()


def described(connection: Connection, what: str) -> set[tuple[object, ...]]:
    rows = {tuple(row) for row in connection.execute(text(CATALOGUE[what]))}
    return {row for row in rows if "alembic_version" not in str(row[0])}


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of ours, as text."""
    with engine.connect() as connection:
        names = connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ).all()
        return {
            name: sorted(connection.scalars(text(f"SELECT t::text FROM {name} t")))
            for name in names
            if name != "alembic_version"
        }


def shapes(engine: Engine) -> dict[str, list[str]]:
    """Columns of every table."""
    looked = inspect(engine)
    return {
        name: [column["name"] for column in looked.get_columns(name)]
        for name in looked.get_table_names()
        if name != "alembic_version"
    }


def fill(engine: Engine) -> None:
    """One row in every table; psycopg2 wants addresses as text."""
    with Session(engine) as session:
        for sample in samples():
            if getattr(sample.row, "address", None):
                sample.row.address = str(sample.row.address)
            session.add(sample.row)
            session.flush()
        session.commit()


def test_the_models_and_the_migrations_agree(database_url: str) -> None:
    assert migrations.differences(database_url) == []


@pytest.mark.parametrize("what", list(CATALOGUE))
def test_the_database_is_the_models_to_the_last_constraint(
    database_url: str, engine: Engine, what: str
) -> None:
    Base.metadata.create_all(engine)
    migrated = create_engine(with_driver(database_url, "psycopg2"))
    with engine.connect() as from_models, migrated.connect() as from_migrations:
        assert described(from_migrations, what) == described(from_models, what)
    migrated.dispose()


@pytest.mark.parametrize("revision", revisions()[1:])
def test_data_survives_down_and_up_again(
    empty_database_url: str, engine: Engine, revision: str
) -> None:
    migrations.upgrade(empty_database_url)
    fill(engine)
    before, columns = contents(engine), shapes(engine)
    migrations.downgrade(empty_database_url, revision)
    kept = {name for name, shape in shapes(engine).items() if shape == columns[name]}
    assert [name for name in sorted(kept) if contents(engine)[name] != before[name]] == []
    migrations.upgrade(empty_database_url)
    after = contents(engine)
    assert after.keys() == before.keys()
    assert migrations.differences(empty_database_url) == []


def test_down_to_base_leaves_nothing_behind(empty_database_url: str, engine: Engine) -> None:
    migrations.upgrade(empty_database_url)
    fill(engine)
    migrations.downgrade(empty_database_url, "base")
    assert contents(engine) == {}
    with engine.connect() as connection:
        functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        views = "SELECT count(*) FROM pg_views WHERE schemaname = 'public'"
        assert connection.scalar(text(functions)) == 0
        assert connection.scalar(text(views)) == 0


def test_a_second_upgrade_changes_nothing(empty_database_url: str, engine: Engine) -> None:
    migrations.upgrade(empty_database_url)
    before = contents(engine)
    migrations.upgrade(empty_database_url)
    assert contents(engine) == before


def test_the_seed_is_not_repeated_after_a_downgrade(
    empty_database_url: str, engine: Engine
) -> None:
    migrations.upgrade(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE stocks SET sector = 'Mine' WHERE symbol = 'AAPL'"))
    migrations.downgrade(empty_database_url, "-1")
    migrations.upgrade(empty_database_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM stocks")) == 9
        assert connection.scalar(text("SELECT sector FROM stocks WHERE symbol = 'AAPL'")) == "Mine"


def test_views_exist_at_the_newest_revision_only(empty_database_url: str, engine: Engine) -> None:
    names = text("SELECT viewname FROM pg_views WHERE schemaname = 'public'")
    migrations.upgrade(empty_database_url)
    with engine.connect() as connection:
        assert set(connection.scalars(names)) == {*VIEWS, *rollups.NAMES}
    migrations.downgrade(empty_database_url, "-1")
    with engine.connect() as connection:
        assert set(connection.scalars(names)) == set()


def test_a_view_of_somebody_else_is_named_and_nothing_changes(
    empty_database_url: str, engine: Engine
) -> None:
    migrations.upgrade(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW my_hours AS SELECT * FROM bars_1h"))
    with pytest.raises(DBAPIError, match="view my_hours depends on view bars_1h"):
        migrations.downgrade(empty_database_url, "-1")
    assert migrations.differences(empty_database_url) == []


def test_the_sql_that_alembic_prints_makes_the_same_database(empty_database_url: str) -> None:
    config = migrations.configuration(empty_database_url)
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    connection = psycopg2.connect(empty_database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(config.output_buffer.getvalue())
    connection.close()
    assert migrations.differences(empty_database_url) == []
