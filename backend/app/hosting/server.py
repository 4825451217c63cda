"""`strategies`: makes a process for each deployment and ends it when asked; run by `core`.

`python -m app.hosting.server FOLDER…`, its link to the engine as standard input. It imports what
strategies need once, and forks: a process more costs what the strategy itself needs. It never runs
a line of theirs, so it can always be asked to end one of them.
"""

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from app.hosting.worker import Worker
from app.strategies.catalog import Catalogue

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_REAP_SECONDS: Final = 0.2
_LARGEST_FILE: Final = 64 << 20
_FORBIDDEN: Final = frozenset(
    {"os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system"}
    | {"subprocess.Popen", "pty.spawn", "os.startfile", "os.kill", "os.killpg"}
)
"What a strategy may not do: start other programs, or end those of others."
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class Server:
    """The parent of all strategies' processes."""

    def __init__(self, link: socket.socket, folders: Sequence[Path]) -> None:
        self._link, self._folders = link, folders
        self._workers: set[int] = set()

    def run(self) -> None:
        """Until the engine is gone; then nothing of us remains."""
        _ask_kernel(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            while self._step():
                self._reap()
        finally:
            for pid in self._workers:
                _kill(pid)

    def _step(self) -> bool:
        """One order, or a short wait; False when the link is over."""
        ready, _, _ = select.select([self._link], [], [], _REAP_SECONDS)
        if not ready:
            return True
        try:
            content, handles, _, _ = socket.recv_fds(self._link, 4096, 1)
        except OSError:
            return False
        if not content:
            return False
        order: dict[str, int] = msgspec.msgpack.decode(content)
        pid = self._begin(handles[0], order["memory"]) if handles else self._end(order["end"])
        with suppress(OSError):
            self._link.sendall(msgspec.msgpack.encode({"pid": pid}))
        return True

    def _begin(self, handle: int, memory: int) -> int:
        pid = os.fork()
        if pid == 0:
            self._become_worker(handle, memory)
        os.close(handle)
        self._workers.add(pid)
        return pid

    def _end(self, pid: int) -> int:
        """Only a child of ours that was not reaped: its id cannot be somebody else's by now."""
        if pid in self._workers:
            _kill(pid)
        return pid

    def _reap(self) -> None:
        """Let the dead go, and end what strategies left behind: it comes to us."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                break
            self._workers.discard(pid)
        for pid in _children() - self._workers:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _become_worker(self, handle: int, memory: int) -> NoReturn:
        code = 1
        try:
            self._link.close()
            confine(memory)
            Worker(self._folders).serve(socket.socket(fileno=handle))
            code = 0
        finally:
            os._exit(code)


def confine(memory: int) -> None:
    """Take from this process what a strategy does not need; `memory` bytes more than now."""
    os.setsid()
    _ask_kernel(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.nice(5)  # the order path comes first
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    limit(memory)
    sys.addaudithook(_forbid)


def limit(memory: int) -> None:
    """Bounds of the system on this process."""
    bounds = {
        resource.RLIMIT_AS: _used() + memory,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: _LARGEST_FILE,
    }
    for which, most in bounds.items():
        hard = resource.getrlimit(which)[1]
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (wanted, wanted))


def _used() -> int:
    """Address space in bytes; generous where the system does not say."""
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 1 << 31


def _forbid(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError(f"a strategy may not start or end programs ({event})")


def _children() -> set[int]:
    with suppress(OSError, ValueError):
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return {int(pid) for pid in text.split()}
    return set()


def _kill(pid: int) -> None:
    """It and what it may have started, which shares its group unless it took care not to."""
    for end in (os.killpg, os.kill):
        with suppress(OSError):
            end(pid, signal.SIGKILL)


def _ask_kernel(what: int, value: int) -> None:
    if _libc is not None:
        _libc.prctl(what, value, 0, 0, 0)


def main() -> None:
    """Serve the engine that started us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=os.dup(0))
    Catalogue().names()  # what strategies import is shared by all that are forked from here
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, what it shares
    Server(link, [Path(folder) for folder in sys.argv[1:]]).run()


if __name__ == "__main__":
    main()
