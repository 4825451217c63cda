"""Child processes that run as a lesser user and do not outlive us."""

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

from app.db import child

CANDIDATES: Final = ("tradewright", "postgres", "nobody")
"OS users that servers may run as when we are root, the best first."


class OsUser(NamedTuple):
    """An account of the operating system."""

    name: str
    uid: int
    gid: int


def lesser_user(owned: Path | None = None) -> OsUser | None:
    """Who servers run as: the owner of `owned`, else a candidate; None unless we are root."""
    if os.geteuid() != 0:
        return None
    if owned and owned.exists() and owned.stat().st_uid != 0:
        with suppress(KeyError):
            return _user(pwd.getpwuid(owned.stat().st_uid))
    for name in CANDIDATES:
        with suppress(KeyError):
            return _user(pwd.getpwnam(name))
    return None


def _user(entry: pwd.struct_passwd) -> OsUser:
    return OsUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def start(
    argv: Sequence[str | Path],
    *,
    user: OsUser | None = None,
    output: IO[bytes] | int | None = None,
    stdin: int | None = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a direct child in its own session, so that Ctrl-C reaches only us.

    `death_signal` reaches it when we die, however we die (Linux). Call from the main thread:
    the kernel watches the thread that made the child.
    """
    uid, gid = (user.uid, user.gid) if user else (-1, -1)
    prepared = [sys.executable, "-IS", child.__file__, os.getpid(), int(death_signal), uid, gid]
    return subprocess.Popen(  # our own binaries, no shell
        [str(part) for part in (*prepared, *argv)],
        stdin=stdin,
        stdout=output,
        stderr=output,
        env=dict(environment) if environment is not None else None,
        cwd=cwd,
        start_new_session=True,
        umask=0o077,
    )


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def working_folder(pid: int) -> Path | None:
    """Where a process works, if the system lets us see it."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink()
    return None


def wait_until(is_done: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time; looks every 10 ms."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
