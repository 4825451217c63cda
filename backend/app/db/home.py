"""The home folder: its privacy, the one process that may hold it, and what that one serves."""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

from app.core.errors import ConfigurationError

OURS: Final = frozenset({"run", "logs", "postgres", "postgres.new", "postgres.path", "secret.key"})
"Names by which a folder is known as a home of ours."


@dataclass(frozen=True, kw_only=True)
class Servers:
    """What the process that holds a home serves; addresses include their passwords."""

    pid: int
    database_url: str
    redis_url: str | None = None
    api_url: str | None = None


def prepare(home: Path) -> None:
    """Make the folder private (0700), with its parts. Never touches a parent's mode.

    Raises ConfigurationError when it cannot be made, is not ours, or holds somebody else's files.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_mode & 0o077:
            _refuse_foreign(home)
            home.chmod(0o700)
        for part in ("run", "logs"):
            (home / part).mkdir(mode=0o700, exist_ok=True)
        write(home / "run" / ".probe", "")
        (home / "run" / ".probe").unlink()
    except OSError as error:
        explain(error, home)


def _refuse_foreign(home: Path) -> None:
    names = {entry.name for entry in home.iterdir()}
    if names and not names & OURS:
        raise ConfigurationError(
            f"{home} is open to other users and holds other files, so it is not used as it is.",
            remedy="Set TRADEWRIGHT_HOME to a new or empty folder.",
        )


def explain(error: OSError, place: Path) -> NoReturn:
    """Raise an operating system's refusal as a sentence with a remedy."""
    sentences = {
        errno.EROFS: (
            f"{place} is on a read-only disk.",
            "Set TRADEWRIGHT_HOME to a writable one.",
        ),
        errno.ENOSPC: (f"The disk of {place} is full.", "Free some space; nothing was lost."),
        errno.EDQUOT: (f"The disk quota for {place} is used up.", "Free some space."),
        errno.EACCES: (
            f"No permission to use {place}.",
            "Start as the user who owns it, or set TRADEWRIGHT_HOME to a folder of your own.",
        ),
        errno.EPERM: (f"{place} belongs to another user.", "Set TRADEWRIGHT_HOME to your own."),
        errno.ENOTDIR: (f"{place} is not a folder.", "Set TRADEWRIGHT_HOME to a folder."),
        errno.EEXIST: (f"{place} is not a folder.", "Set TRADEWRIGHT_HOME to a folder."),
    }
    message, remedy = sentences.get(
        error.errno or 0, (f"{place} cannot be used: {error.strerror or error}.", "")
    )
    raise ConfigurationError(message, remedy=remedy or None) from error


def write(path: Path, content: str) -> None:
    """Replace a private file (0600) whole or not at all. Raises ConfigurationError if it cannot."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        explain(error, path.parent)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def held(home: Path, purpose: str) -> Iterator[None]:
    """Be the only process that runs servers on this home.

    Raises ConfigurationError naming the process that already does.
    """
    prepare(home)
    lock = _open_lock(home)
    try:
        # A reader that looks whether the lock is free holds it for an instant.
        if not _locked(lock, patience=0.5):
            raise ConfigurationError(
                f"{home} is already in use by {holder(home)}.",
                remedy="Stop that one first, or choose another folder with --home.",
            )
        _sign(lock, home, purpose)
        yield
        _servers_file(home).unlink(missing_ok=True)
        os.ftruncate(lock, 0)
    finally:
        os.close(lock)


def _sign(lock: int, home: Path, purpose: str) -> None:
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n{purpose}\n".encode(), 0)
    except OSError as error:
        explain(error, home)


def _open_lock(home: Path) -> int:
    try:
        return os.open(home / "run" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        explain(error, home)


def _locked(lock: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)


def holder(home: Path) -> str:
    """The holder as a person would look for it: `process 123 (tradewright up)`."""
    with suppress(OSError, ValueError):
        pid, purpose, *_ = (home / "run" / "lock").read_text().splitlines()
        return f"process {pid} ({purpose})"
    return "another process"


def is_held(home: Path) -> bool:
    """Whether some process runs servers on this home now."""
    try:
        lock = os.open(home / "run" / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def publish(home: Path, servers: Servers) -> None:
    """Let other commands on this machine find what we serve; only the holder may call it."""
    write(_servers_file(home), json.dumps(asdict(servers)))


def running(home: Path) -> Servers | None:
    """What the process that holds this home serves, once it does. A dead one's word is ignored."""
    if not is_held(home):
        return None
    with suppress(OSError, ValueError, TypeError):
        servers = Servers(**json.loads(_servers_file(home).read_text()))
        # After kill -9 the next holder may not have published yet: then the word is the dead one's.
        return servers if holder(home).startswith(f"process {servers.pid} ") else None
    return None


def _servers_file(home: Path) -> Path:
    return home / "run" / "servers.json"
