"""The engine's side of the strategy host: starts it, opens a session for each deployment."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from app.core.environment import variables
from app.core.errors import StrategyLost
from app.core.logging import get_logger
from app.core.strategies import StrategyOptions
from app.db.processes import start
from app.hosting import wire
from app.hosting.messages import Request, Told, error_of

_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")
"All that strategies see of our environment: no address, no key."
_OWN: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TRADEWRIGHT_ENV_FILE": os.devnull,
    "TRADEWRIGHT_SECRETS_DIR": os.devnull,
}
_STOP_SECONDS: Final = 2.0
log = get_logger("agents")


class Session:
    """One deployment's process. Calls wait, so they belong into a thread of their own."""

    def __init__(self, host: "StrategyHost", link: socket.socket, pid: int) -> None:
        self.pid = pid
        self.failure: str | None = None
        "Why it is gone; None while it is there."
        self._host, self._link = host, link
        self._lock = threading.Lock()

    def call(self, request: Request, seconds: float) -> Any:  # noqa: ANN401 - each has its own
        """The answer. Raises what the strategy raised, and StrategyLost, after which it is gone."""
        with self._lock:
            if self.failure is not None:
                raise StrategyLost(self.failure)
            deadline = time.monotonic() + seconds
            try:
                wire.send(self._link, request, deadline)
                answer = wire.receive(self._link, deadline)
            except TimeoutError:
                raise self._lost(f"The strategy was silent for {seconds:g} s.") from None
            except wire.Closed as error:
                raise self._lost(f"The strategy's process ended: {error}.") from None
        if "error" in answer:
            raise error_of(msgspec.convert(answer["error"], Told))
        return answer["is"]

    def end(self, reason: str = "The strategy's process was ended.") -> None:
        """Kill it, if it is there; a call under way ends with it."""
        if self.failure is None:
            self.failure = reason
            self._host.forget(self)
        with self._lock:
            self._link.close()

    def _lost(self, reason: str) -> StrategyLost:
        if self.failure is None:
            self.failure = reason
            self._host.forget(self)
        self._link.close()
        return StrategyLost(self.failure)


class StrategyHost:
    """The `strategies` process of this engine. It starts with the first session, and again."""

    def __init__(self, folders: Sequence[Path], options: StrategyOptions) -> None:
        self.folders, self.options = tuple(folders), options
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()

    @property
    def pid(self) -> int | None:
        """Of the process that makes the others; None before it was needed."""
        return self._process.pid if self._process else None

    def session(self) -> Session:
        """A process for one deployment. Raises StrategyLost when none can be had."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid = self._order({"memory": self.options.memory_mb << 20}, [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise StrategyLost(f"The strategy host does not start: {error}.") from error
        session = Session(self, ours, pid)
        self._sessions.add(session)
        return session

    def forget(self, session: Session) -> None:
        """End the process of a session that is over; it is gone already when this fails."""
        self._sessions.discard(session)
        with suppress(OSError):
            self._order({"end": session.pid}, [], is_needed=False)

    def close(self) -> None:
        """End it and all sessions."""
        for session in list(self._sessions):
            session.end("The strategy host was stopped.")
        with self._lock:
            self._drop()

    def _order(self, order: dict[str, int], handles: list[int], *, is_needed: bool = True) -> int:
        with self._lock:
            for is_last in (False, True):
                if self._link is None and is_needed:
                    self._begin()
                if self._link is None:
                    return 0
                try:
                    return self._ask(self._link, order, handles)
                except (OSError, msgspec.DecodeError):
                    self._drop()
                    if is_last or not is_needed:
                        raise
        raise AssertionError("unreachable")

    def _ask(self, link: socket.socket, order: dict[str, int], handles: list[int]) -> int:
        link.settimeout(self.options.start_seconds if handles else _STOP_SECONDS)
        content = msgspec.msgpack.encode(order)
        if handles:
            socket.send_fds(link, [content], handles)
        else:
            link.sendall(content)
        answer = link.recv(4096)
        if not answer:
            raise ConnectionResetError("it ended")
        return int(msgspec.msgpack.decode(answer)["pid"])

    def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {n: v for n, v in variables().items() if n in _PASSED_ON} | _OWN
        with theirs:
            self._process = start(
                [sys.executable, "-m", "app.hosting.server", *map(str, self.folders)],
                environment=environment,
                stdin=theirs.fileno(),
                output=subprocess.DEVNULL,
                death_signal=signal.SIGKILL,
            )
        self._link = ours
        log.info("strategy_host_started", pid=self._process.pid)

    def _drop(self) -> None:
        link, process = self._link, self._process
        self._link = self._process = None
        if link is not None:
            link.close()
        if process is not None:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
