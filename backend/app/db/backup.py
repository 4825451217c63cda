"""Make and read backups of a database: synchronous, for threads and commands."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, BinaryIO, Final

import msgspec
import psycopg2
from pydantic import SecretStr

from app.core import clock
from app.core.errors import BackupError, Unavailable
from app.core.security import subkey
from app.db import backup_database as databases
from app.db import backup_tools, home
from app.db.backup_file import Reader, Writer
from app.db.backup_state import State

SUFFIX: Final = ".backup"
_UNFINISHED: Final = ".partial"
_LOOK_EVERY: Final = 16 * 1024**2
_REVISION: Final = "SELECT version_num FROM alembic_version"
_HEADS: Final = "SELECT stream, seq, encode(hash, 'hex') FROM journal_streams ORDER BY stream"


class StreamHead(msgspec.Struct, frozen=True):
    """How far a stream of the journal had come, and the hash that proves all before it."""

    stream: str
    seq: int
    hash: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: written as its last frame, after the archive."""

    id: str
    made_at: datetime
    program: str
    revision: str | None
    postgres: str
    dump_major: int
    timescaledb: str | None
    database: str
    state: State
    state_hash: str
    heads: list[StreamHead]
    archive_bytes: int
    archive_sha256: str
    secret_id: str
    "Tells whether a home's secret.key is the one that signed these journals; not the key."
    seconds: float


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A finished backup."""

    path: Path
    size: int
    sha256: bytes
    is_encrypted: bool
    manifest: Manifest


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the folder: its manifest, or why it cannot be read."""

    path: Path
    size: int
    is_encrypted: bool = False
    manifest: Manifest | None = None
    error: str | None = None


def secret_id(master: bytes) -> str:
    """Tells one master key from another without telling the key."""
    return subkey(master, "backup secret id", 8).hex()


@contextmanager
def explained() -> Iterator[None]:
    """PostgreSQL's refusals as ours; that it went away, or has no room, says nothing of a file."""
    try:
        yield
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise Unavailable(
            f"The database went away: {' '.join(str(error).split()) or type(error).__name__}."
        ) from error
    except psycopg2.Error as error:
        raise BackupError(
            f"PostgreSQL refused: {' '.join(str(error).split()) or type(error).__name__}."
        ) from error


# --------------------------------------------------------------------------------- making


@explained()
def create(
    url: str,
    folder: Path,
    key: SecretStr | None,
    *,
    secret_id: str = "",
    spare_bytes: int = 0,
    now: Callable[[], datetime] = clock.now,
) -> Made:
    """Save the database as one instant shows it, into a new file of the folder.

    Raises BackupError and ConfigurationError; then no file stays behind.
    """
    with databases.alone(url):
        forget_unfinished(folder)
        made_at = now()
        name = f"{secrets.token_hex(4)}"
        path = folder / f"tradewright-{made_at:%Y%m%dT%H%M%SZ}-{name}{SUFFIX}"
        with _fresh(path) as file:
            writer = Writer(
                _Sparing(file, folder, spare_bytes), key, id=name, made_at=made_at.isoformat()
            )
            manifest = _save(url, writer, name, made_at, secret_id)
            sha256 = writer.finish(msgspec.json.encode(manifest))
        return Made(
            path=path,
            size=writer.size,
            sha256=sha256,
            is_encrypted=key is not None,
            manifest=manifest,
        )


def _save(url: str, writer: Writer, name: str, made_at: datetime, secret_id: str) -> Manifest:
    """The archive into the writer, while another connection computes the state hash."""
    began = time.perf_counter()
    with databases.snapshot(url) as (connection, snapshot), ThreadPoolExecutor(1) as pool:
        server = databases.server(connection)
        tools = backup_tools.fitting(server.major)
        revision, heads = _position(connection)
        with backup_tools.dumping(tools, url, snapshot) as archive:
            counting = pool.submit(databases.state, connection)
            try:
                size, digest = _copy(archive, writer)
            except BaseException:
                connection.cancel()  # nobody waits for the hash of what was not saved
                raise
        state = counting.result()
    return Manifest(
        id=name,
        made_at=made_at,
        program=version("tradewright"),
        revision=revision,
        postgres=server.version,
        dump_major=tools.major,
        timescaledb=server.timescaledb,
        database=server.database,
        state=state,
        state_hash=state.hash,
        heads=heads,
        archive_bytes=size,
        archive_sha256=digest,
        secret_id=secret_id,
        seconds=round(time.perf_counter() - began, 3),
    )


def _position(
    connection: psycopg2.extensions.connection,
) -> tuple[str | None, list[StreamHead]]:
    """Schema revision and journal heads, of the connection's instant."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version'), to_regclass('journal_streams')")
        known = cursor.fetchone() or (None, None)
        row = None
        heads = []
        if known[0]:
            cursor.execute(_REVISION)
            row = cursor.fetchone()
        if known[1]:
            cursor.execute(_HEADS)
            heads = [StreamHead(*found) for found in cursor.fetchall()]
        return (str(row[0]) if row else None), heads


def _copy(archive: IO[bytes], writer: Writer) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while piece := archive.read(backup_tools.PIECE):
        size += len(piece)
        digest.update(piece)
        writer.write(piece)
    return size, digest.hexdigest()


class _Sparing:
    """A file that stops before the disk is full: the journal needs room more than a backup."""

    def __init__(self, file: BinaryIO, folder: Path, spare: int) -> None:
        self._file, self._folder, self._spare = file, folder, spare
        self._since = _LOOK_EVERY

    def write(self, data: bytes) -> int:
        self._since += len(data)
        if self._spare and self._since >= _LOOK_EVERY:
            self._since = 0
            self._look()
        return self._file.write(data)

    def _look(self) -> None:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free < self._spare:
            raise BackupError(
                f"The backup was broken off: the disk of {self._folder} has only"
                f" {free // 1024**2} MiB left.",
                remedy="Free some space, or set BACKUP_DIR to another disk (BACKUP_SPARE_MB is"
                " what a backup leaves free).",
            )


@contextmanager
def _fresh(path: Path) -> Iterator[BinaryIO]:
    """A private file under another name, which gets its own when it is whole and on the disk."""
    unfinished = path.with_suffix(_UNFINISHED)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _settle(path.parent)
    except OSError as error:
        home.explain(error, path.parent)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def forget_unfinished(folder: Path) -> None:
    """Remove what a killed backup left; only who is `alone` may."""
    for path in folder.glob(f"tradewright-*{_UNFINISHED}"):
        path.unlink(missing_ok=True)


# -------------------------------------------------------------------------------- reading


@contextmanager
def opened(path: Path, key: SecretStr | None, *, accept_unsealed: bool = False) -> Iterator[Reader]:
    """A backup's file, unlocked. Raises BackupError with a sentence for whatever is wrong."""
    try:
        file = path.open("rb")
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else error.strerror
        raise BackupError(
            f"{path} cannot be read: it {reason}."
            if reason == "does not exist"
            else f"{path} cannot be read: {reason}.",
            remedy="`tradewright backup list` shows those that are at hand.",
        ) from None
    with file:
        try:
            reader = Reader(file, path)
            reader.unlock(key, accept_unsealed=accept_unsealed)
            yield reader
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}.") from error


def manifest_of(reader: Reader) -> Manifest:
    """What the backup holds. Raises BackupError."""
    try:
        return msgspec.json.decode(reader.manifest(), type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupError(
            f"{reader.path} has a manifest that this program cannot read: {error}.",
            remedy="Restore it with the version that made it.",
        ) from None


def checked(reader: Reader) -> Manifest:
    """The manifest, after the whole file was read and found as it was written."""
    manifest = manifest_of(reader)
    digest, size = hashlib.sha256(), 0
    for piece in reader.archive():
        digest.update(piece)
        size += len(piece)
    if (size, digest.hexdigest()) != (manifest.archive_bytes, manifest.archive_sha256):
        raise BackupError(f"{reader.path} is damaged: its archive is not the one it names.")
    return manifest


def listed(folder: Path, key: SecretStr | None) -> list[Found]:
    """The folder's backups, newest first; one that cannot be read says why."""
    paths = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.name, reverse=True)
    return [_looked_at(path, key) for path in paths]


def _looked_at(path: Path, key: SecretStr | None) -> Found:
    size, is_encrypted = path.stat().st_size, False
    try:
        with path.open("rb") as file:
            is_encrypted = Reader(file, path).is_encrypted
        with opened(path, key, accept_unsealed=True) as reader:  # only shown
            return Found(
                path=path, size=size, is_encrypted=is_encrypted, manifest=manifest_of(reader)
            )
    except BackupError as error:
        return Found(path=path, size=size, is_encrypted=is_encrypted, error=str(error))
