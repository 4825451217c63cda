"""Databases around a backup: is one empty, is it in use; scratch ones, and a change of names."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class with a small name

from app.core.errors import BackupError, Unavailable
from app.db import backup_state

LOCK: Final = 7_236_511
"Advisory lock in the database: one backup, proof or restore at a time."
_MIB: Final = 1024**2
PREFIX: Final = "tw_scratch_"
_TIMESCALE: Final = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
_OTHERS: Final = """
  SELECT DISTINCT coalesce(nullif(application_name, ''), 'a client') FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  ORDER BY 1"""
_MAY_CREATE: Final = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
_FORGOTTEN: Final = """
  SELECT d.datname FROM pg_database d WHERE starts_with(d.datname, %s)
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)"""


_READ_ONLY: Final = sql.SQL("default_transaction_read_only")
_SCHEMAS: Final = """
  SELECT n.nspname FROM pg_namespace n
  WHERE n.nspname !~ '^(pg_|information_schema$)' AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')"""


class NotTried(BackupError):
    """Something else stood in the way: it says nothing about any backup."""


class Server(NamedTuple):
    """What a backup remembers of the server."""

    version: str
    major: int
    database: str
    timescaledb: str | None


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection that commits each statement. Raises Unavailable when nobody answers."""
    try:
        connection = psycopg2.connect(
            url, connect_timeout=10, application_name="tradewright backup"
        )
    except psycopg2.OperationalError as error:
        raise Unavailable(f"The database does not answer: {str(error).strip()}") from None
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def alone(url: str) -> Iterator[Connection]:
    """A connection, while no other backup, proof or restore works on this database."""
    with connected(url) as connection:
        if not _value(connection, "SELECT pg_try_advisory_lock(%s)", LOCK):
            raise NotTried(
                "Another backup, proof or restore is at work on this database.",
                remedy="Wait until it is done; `tradewright backup list` shows it.",
            )
        try:
            yield connection
        finally:
            with suppress(psycopg2.Error):  # the server may take a while to see that we left
                _value(connection, "SELECT pg_advisory_unlock(%s)", LOCK)


@contextmanager
def snapshot(url: str) -> Iterator[tuple[Connection, str]]:
    """A connection that sees one instant, and the name by which others see the same."""
    with connected(url) as connection:
        connection.autocommit = False
        connection.set_session("REPEATABLE READ", readonly=True)
        yield connection, str(_value(connection, "SELECT pg_export_snapshot()"))
        connection.rollback()


def server(connection: Connection) -> Server:
    """Version, name and extensions of the connection's database."""
    version = str(_value(connection, "SHOW server_version")).split()[0]
    number = int(str(_value(connection, "SHOW server_version_num")))
    extension = _value(connection, _TIMESCALE)
    database = str(_value(connection, "SELECT current_database()"))
    return Server(version, number // 10_000, database, str(extension) if extension else None)


def state(connection: Connection) -> backup_state.State:
    """The state hash of one instant; the connection may be in a snapshot already."""
    own = connection.autocommit
    if own:
        connection.autocommit = False
        connection.set_session("REPEATABLE READ", readonly=True)
    try:
        with connection.cursor() as cursor:
            return backup_state.read(cursor)
    finally:
        if own:
            connection.rollback()
            connection.set_session("DEFAULT", readonly=False)
            connection.autocommit = True


def is_empty(connection: Connection) -> bool:
    """Whether nobody's table is there."""
    with connection.cursor() as cursor:
        return not backup_state.tables(cursor)


@contextmanager
def shut(connection: Connection) -> Iterator[None]:
    """Whoever connects to this database can only read, until the block ended well.

    A crash leaves it so, and nothing that trades can start on it. Who does not own the database
    cannot shut it, and goes without.
    """
    name = sql.Identifier(str(_value(connection, "SELECT current_database()")))
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("ALTER DATABASE {} SET {} = on").format(name, _READ_ONLY))
    except psycopg2.errors.InsufficientPrivilege:
        yield
        return
    yield
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("ALTER DATABASE {} RESET {}").format(name, _READ_ONLY))


def past_shut(url: str, settings: str = "") -> str:
    """The address by which one may write nevertheless; `settings` as PGOPTIONS has them."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    given = query.pop("options", [])
    options = " ".join([*given, settings, "-c default_transaction_read_only=off"]).strip()
    wanted = urlencode({**query, "options": [options]}, doseq=True, quote_via=quote)
    return urlunsplit(parts._replace(query=wanted))


def clear(connection: Connection) -> None:
    """Remove all schemas and what is in them: `public` is there again, empty."""
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMAS)
        for (name,) in cursor.fetchall():
            cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
        cursor.execute("CREATE SCHEMA IF NOT EXISTS public")


def others(connection: Connection) -> list[str]:
    """Names of the programs that are connected to this database besides us."""
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS)
        return [str(row[0]) for row in cursor.fetchall()]


@contextmanager
def scratch(connection: Connection, url: str, *, spare_bytes: int = 0) -> Iterator[str]:
    """Address of an empty database beside this one, dropped at the end.

    The caller is `alone`: what a killed one left behind is removed first. Raises BackupError when
    our role may not make databases, and NotTried when a copy would fill the disk.
    """
    own = scratch_prefix(connection)
    with connection.cursor() as cursor:
        cursor.execute(_FORGOTTEN, (own,))
        for (name,) in cursor.fetchall():
            drop(connection, name)
    _refuse_to_fill(connection, spare_bytes)
    name = f"{own}{secrets.token_hex(4)}"
    make(connection, name)
    try:
        yield named(url, name)
    finally:
        drop(connection, name)


def _refuse_to_fill(connection: Connection, spare_bytes: int) -> None:
    """A second database of this size must fit beside the first, and leave the journal its room."""
    free = _room(connection)
    size = int(str(_value(connection, "SELECT pg_database_size(current_database())")))
    if free is not None and free < size + spare_bytes:
        raise NotTried(
            f"There is no room to prove a backup: that takes {size // _MIB} MiB beside the"
            f" database and leaves {spare_bytes // _MIB} MiB free, and the disk has"
            f" {free // _MIB} MiB left.",
            remedy="Free some space where the database is (BACKUP_SPARE_MB is what stays free), or"
            " prove it on another machine: `tradewright backup verify FILE`.",
        )


def _room(connection: Connection) -> int | None:
    """Free bytes where the server keeps its data; None where that is not for us to see."""
    try:
        disk = os.statvfs(str(_value(connection, "SHOW data_directory")))
    except (psycopg2.errors.InsufficientPrivilege, OSError):
        return None  # another machine, or a server that is not ours
    return disk.f_bavail * disk.f_frsize


def scratch_prefix(connection: Connection) -> str:
    """What the names of this database's scratch databases begin with."""
    return f"{PREFIX}{hashlib.sha256(_identity(connection)).hexdigest()[:8]}_"


def make(connection: Connection, name: str) -> None:
    """An empty database. Raises BackupError when our role may not."""
    if not _value(connection, _MAY_CREATE):
        raise BackupError(
            "The database's role may not make another database, which proves or takes a backup.",
            remedy="ALTER ROLE … CREATEDB, or restore the file on another server.",
        )
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
                sql.Identifier(name)
            )
        )


def drop(connection: Connection, name: str) -> None:
    """Remove a database, whoever is connected to it."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def swap(url: str, fresh: str, kept: str) -> None:
    """Give the database's name to `fresh` and call the old one `kept`, both or neither."""
    old = database_of(url)
    with connected(named(url, _maintenance(url))) as connection:
        connection.autocommit = False
        with connection, connection.cursor() as cursor:
            for name, other in ((old, kept), (fresh, old)):
                cursor.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                        sql.Identifier(name), sql.Identifier(other)
                    )
                )


def named(url: str, database: str) -> str:
    """The same server's other database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def database_of(url: str) -> str:
    """The name in an address, or what it stands for without one."""
    with connected(url) as connection:
        return str(_value(connection, "SELECT current_database()"))


def _maintenance(url: str) -> str:
    """A database to be connected to while ours is renamed."""
    return "template1" if urlsplit(url).path == "/postgres" else "postgres"


def _identity(connection: Connection) -> bytes:
    query = "SELECT oid::text FROM pg_database WHERE datname = current_database()"
    return str(_value(connection, query)).encode()


def _value(connection: Connection, query: str, *arguments: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(query, arguments or None)
        row = cursor.fetchone()
        return row[0] if row else None
