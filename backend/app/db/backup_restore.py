"""Prove and restore backups: into a scratch database, an empty one, or in the place of another."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg2
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.core import clock
from app.core.config import with_driver
from app.core.errors import BackupError
from app.db import backup_database as databases
from app.db import backup_tools, readers, revisions
from app.db.backup import Manifest, checked, explained, manifest_of, opened
from app.db.backup_file import Reader

Settle = Callable[[str, Manifest], None]
"Called with the address of what was restored."


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A backup was restored into a scratch database and had the state hash of its manifest."""

    path: Path
    manifest: Manifest
    restore_seconds: float
    seconds: float


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """Where a backup was restored; `kept` is the name of the database that was there before."""

    manifest: Manifest
    seconds: float
    kept: str | None = None


@explained()
def verify(
    url: str,
    path: Path,
    key: SecretStr | None,
    *,
    spare_bytes: int = 0,
    accept_unsealed: bool = False,
) -> Proof:
    """Restore a backup into a scratch database beside `url`'s and compare the state hash.

    Raises BackupError when it does not hold; the scratch database is gone in any case.
    """
    began = time.perf_counter()
    with (
        opened(path, key, accept_unsealed=accept_unsealed) as reader,
        databases.alone(url) as connection,
        databases.scratch(connection, url, spare_bytes=spare_bytes) as address,
    ):
        manifest = manifest_of(reader)
        seconds = fill(address, reader, manifest)
    return Proof(
        path=path,
        manifest=manifest,
        restore_seconds=round(seconds, 3),
        seconds=round(time.perf_counter() - began, 3),
    )


def fill(url: str, reader: Reader, manifest: Manifest, *, at_once: bool = False) -> float:
    """Restore into an empty database and compare the state hash; seconds of the restore alone.

    Raises BackupError; with `at_once` a restore that fails leaves the database empty.
    """
    began = time.perf_counter()
    with databases.connected(url) as connection:
        server = databases.server(connection)
    tools = backup_tools.fitting(server.major, archive_major=manifest.dump_major)
    with _timescale(url, manifest.timescaledb):
        backup_tools.restore(tools, url, reader.archive(), at_once=at_once)
    seconds = time.perf_counter() - began
    with databases.connected(url) as connection:
        found = databases.state(connection)
    if found.hash != manifest.state_hash:
        raise BackupError(
            f"The restored {reader.path.name} is not what was saved: tables"
            f" {', '.join(found.differing(manifest.state)[:10])} differ.",
            remedy="Take another backup.",
        )
    return seconds


@contextmanager
def copied(url: str, *, spare_bytes: int = 0) -> Iterator[str]:
    """Address of a scratch copy of the database as it is now, dropped at the end."""
    with (
        databases.alone(url) as connection,
        databases.scratch(connection, url, spare_bytes=spare_bytes) as address,
    ):
        with databases.snapshot(url) as (seen, snapshot):
            server = databases.server(seen)
            tools = backup_tools.fitting(server.major)
            with (
                _timescale(address, server.timescaledb),
                backup_tools.dumping(tools, url, snapshot) as archive,
            ):
                pieces = iter(lambda: archive.read(backup_tools.PIECE), b"")
                backup_tools.restore(tools, address, pieces, at_once=False)
        yield address


@contextmanager
def unpacked(
    url: str, path: Path, key: SecretStr | None, *, spare_bytes: int = 0
) -> Iterator[tuple[str, Manifest]]:
    """Address of a scratch database beside `url`'s that holds a backup, proved; then dropped."""
    with (
        opened(path, key) as reader,
        databases.alone(url) as connection,
        databases.scratch(connection, url, spare_bytes=spare_bytes) as address,
    ):
        manifest = manifest_of(reader)
        fill(address, reader, manifest)
        yield address, manifest


@contextmanager
def _timescale(url: str, wanted: str | None) -> Iterator[None]:
    """TimescaleDB wants to know of a restore, before and after."""
    if wanted is None:
        yield
        return
    with databases.connected(url) as connection, connection.cursor() as cursor:
        try:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb VERSION %s", (wanted,))
        except psycopg2.Error as error:
            raise BackupError(
                f"The backup needs TimescaleDB {wanted}, which this server does not"
                f" give: {str(error).strip()}",
                remedy="Install that version on the server, or restore on one that has it.",
            ) from None
        cursor.execute("SELECT timescaledb_pre_restore()")
    try:
        yield
    finally:
        with databases.connected(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT timescaledb_post_restore()")


def as_it_is(_: str, __: Manifest) -> None:
    """Leave what was restored as it was saved."""


@explained()
def restore(
    url: str,
    path: Path,
    key: SecretStr | None,
    *,
    replace: bool = False,
    accept_unsealed: bool = False,
    settle: Settle = as_it_is,
) -> Restored:
    """Put a backup in the place of `url`'s database.

    The file is read to its end first. An empty database is filled in one transaction. Another one
    is refused unless `replace`: then a new database is filled and proved beside it, and the two
    change names, so that the old one is still there. `settle` may change what was restored (halt
    it, say) before anybody can trade on it. Raises BackupError; then nothing has changed.
    """
    began = time.perf_counter()
    with opened(path, key, accept_unsealed=accept_unsealed) as reader:
        manifest = checked(reader)
        _refuse_unknown(manifest)
        with databases.alone(url) as connection:
            _refuse_in_use(connection)
            is_empty = databases.is_empty(connection)
            if is_empty:
                _into_empty(connection, url, reader, manifest, settle)
            elif not replace:
                raise BackupError(
                    "The database is not empty, so nothing was restored.",
                    remedy="Restore into a fresh home (--home), or say --replace: the database that"
                    " is there is then kept under another name.",
                )
        kept = None if is_empty else _beside(url, reader, manifest, settle)
    _settle_in(url, manifest)
    return Restored(manifest=manifest, seconds=round(time.perf_counter() - began, 3), kept=kept)


def _into_empty(
    connection: psycopg2.extensions.connection,
    url: str,
    reader: Reader,
    manifest: Manifest,
    settle: Settle,
) -> None:
    """Fill, prove and settle a database that stays shut until all is done, or is empty again."""
    writable = databases.past_shut(url, backup_tools.FASTER)
    failed: BaseException | None = None
    with databases.shut(connection):
        try:
            fill(writable, reader, manifest, at_once=True)
            settle(writable, manifest)
        except BaseException as error:  # noqa: BLE001 - raised again once it is open
            _clear(writable)
            failed = error
    if failed is not None:
        raise failed


def _clear(url: str) -> None:
    """Remove what should not have been restored."""
    with databases.connected(url) as connection:
        if databases.is_empty(connection):
            return
        try:
            databases.clear(connection)
        except psycopg2.Error as error:
            raise BackupError(
                "What was restored is not what was saved, or could not be halted, and cannot be"
                f" removed either: {str(error).strip()}",
                remedy="The database can only be read now. Drop it and make another one.",
            ) from None


def _beside(url: str, reader: Reader, manifest: Manifest, settle: Settle) -> str:
    """Fill a new database, prove it, and change names; the name of the old one now."""
    with databases.alone(url) as connection:
        name = databases.database_of(url)
        kept = f"{name}_before_{clock.now():%Y%m%d%H%M%S}"
        fresh = f"{name}_restored_{secrets.token_hex(4)}"
        databases.make(connection, fresh)
        try:
            address = databases.named(url, fresh)
            fill(address, reader, manifest)
            settle(address, manifest)  # before it gets the name by which it is found
        except BaseException:
            databases.drop(connection, fresh)
            raise
    try:
        databases.swap(url, fresh, kept)
    except psycopg2.Error as error:
        with databases.connected(url) as connection:
            databases.drop(connection, fresh)
        raise BackupError(
            f"The databases could not change names: {str(error).strip()}",
            remedy="Stop whatever uses the database and try again.",
        ) from None
    return kept


def _refuse_unknown(manifest: Manifest) -> None:
    known = {path.name.partition("_")[0] for path in revisions.versions_folder().glob("*.py")}
    if manifest.revision and manifest.revision not in known:
        raise BackupError(
            f"The backup has schema revision {manifest.revision}, which this program does not know:"
            f" Tradewright {manifest.program} made it.",
            remedy="Restore it with that version, or a newer one.",
        )


def _refuse_in_use(connection: psycopg2.extensions.connection) -> None:
    if names := databases.others(connection):
        raise BackupError(
            f"The database is in use by {', '.join(names)}, so nothing was restored.",
            remedy="Stop every program that is connected to it and try again.",
        )


def _settle_in(url: str, manifest: Manifest) -> None:
    """What a dump leaves out: statistics for the planner, and the rights of readers."""
    with databases.connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    if manifest.revision is not None and manifest.revision == revisions.head():
        engine = create_engine(with_driver(url, "psycopg2"), poolclass=NullPool)
        with engine.begin() as granting:
            readers.grant(granting)
