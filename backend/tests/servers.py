"""The test run's own PostgreSQL and Redis: one of each, shared by all xdist workers."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql

from app.core.environment import project_root
from app.db import home as home_folder
from app.db import migrations
from app.db.embedded import EmbeddedPostgres, EmbeddedRedis

DURABLE_ENOUGH_FOR_TESTS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
}
TEMPLATE_LOCK = 7_236_502
_numbers = count(1)


class TestServers(NamedTuple):
    """Addresses; the database one is of a superuser who may create databases."""

    __test__ = False

    database_url: str
    redis_url: str


@contextmanager
def shared(folder: Path) -> Iterator[TestServers]:
    """The servers of this run: the first worker starts them and stops them after the last.

    Every worker holds a shared lock while it needs them; the one that started them waits until it
    is alone. TRADEWRIGHT_TEST_DATABASE_URL and TRADEWRIGHT_TEST_REDIS_URL replace them.
    """
    given = os.environ.get("TRADEWRIGHT_TEST_DATABASE_URL")
    given_redis = os.environ.get("TRADEWRIGHT_TEST_REDIS_URL")
    if given and given_redis:
        yield TestServers(given, given_redis)
        return
    with (folder / "users.lock").open("a") as users, (folder / "start.lock").open("a") as start:
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(start, fcntl.LOCK_EX)
        note = folder / "servers.json"
        if note.exists():
            fcntl.flock(start, fcntl.LOCK_UN)
            yield TestServers(*json.loads(note.read_text()))
            return
        home = folder / "home"
        home_folder.prepare(home)
        postgres = EmbeddedPostgres(home, settings=DURABLE_ENOUGH_FOR_TESTS)
        redis = EmbeddedRedis(home)
        try:
            postgres.start()
            redis.start()
            servers = TestServers(given or postgres.url, given_redis or redis.url)
            note.write_text(json.dumps(servers))
            fcntl.flock(start, fcntl.LOCK_UN)
            yield servers
            fcntl.flock(users, fcntl.LOCK_UN)
            fcntl.flock(users, fcntl.LOCK_EX)
        finally:
            redis.stop()
            postgres.stop()


def redis_database(url: str) -> str:
    """The Redis database of this process: xdist workers have one each, and so, as far as they
    reach, have several test runs that share a server."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    number = int(worker.removeprefix("gw")) if worker else 0
    if os.environ.get("TRADEWRIGHT_TEST_REDIS_URL"):
        number += os.getppid() if worker else os.getpid()
    return f"{url.rpartition('/')[0]}/{number % 15 + 1}"


def template(server_url: str) -> str:
    """Name of a migrated database to copy, made once for each state of the migrations."""
    name = f"tw_template_{_schema_fingerprint()}"
    with administered(server_url) as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            building = sql.Identifier(f"{name}_building")
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(building))
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(building))
            migrations.upgrade(named(server_url, f"{name}_building"))
            # nobody may be connected to what is copied, jobs of extensions included
            cursor.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(building))
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                (f"{name}_building",),
            )
            cursor.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(building, sql.Identifier(name))
            )
        cursor.execute("SELECT pg_advisory_unlock(%s)", (TEMPLATE_LOCK,))
    return name


@contextmanager
def copied(server_url: str, template_name: str | None) -> Iterator[str]:
    """Address of a fresh database, a copy of the template or empty; dropped at the end."""
    name = f"tw_test_{os.getpid()}_{next(_numbers)}"
    source = template_name or "template0"  # which nobody can be connected to
    with administered(server_url) as cursor:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(source)
            )
        )
    try:
        yield named(server_url, name)
    finally:
        with administered(server_url) as cursor:
            cursor.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


@contextmanager
def administered(server_url: str) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor that commits each statement by itself, as CREATE DATABASE wants it."""
    connection = psycopg2.connect(server_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def named(server_url: str, database: str) -> str:
    parts = urlsplit(server_url)
    return urlunsplit(parts._replace(path=f"/{database}"))


def _schema_fingerprint() -> str:
    """Changes with the migrations and with the views that env.py makes after them."""
    digest = hashlib.sha256()
    backend = project_root() / "backend"
    made_after = (
        backend / "app" / "db" / name for name in ("readers.py", "rollups.py", "timescale.py")
    )
    files = [*backend.glob("alembic/**/*.py"), *backend.glob("app/models/*.py"), *made_after]
    for file in sorted(files):
        with suppress(FileNotFoundError):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
