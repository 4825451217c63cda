"""Starting: `tradewright up` until it is healthy, first and second time, and its memory."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from app.db.loopback import free_port
from benchmarks.measure import Result, at_most, bare_environment, scratch_home, timed

PATIENCE_SECONDS = 120
SETTLING_SECONDS = 10
DATABASE = frozenset({"postgres"})


class Running:
    """`tradewright up` on a scratch home, as a child."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home, self.port = home, free_port()
        self.environment = bare_environment(home, **settings)
        self.log = (home / "up.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up", "--port", str(self.port)],
            env=self.environment, stdout=self.log, stderr=self.log,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"`up` ended:\n{self.tail()}")
            if self._status() == "healthy":
                return
            time.sleep(0.02)
        raise RuntimeError(f"`up` did not become healthy:\n{self.tail()}")

    def _status(self) -> str | None:
        try:
            with urlopen(f"{self.url}/health", timeout=2) as answer:
                return str(json.load(answer)["status"])
        except (URLError, OSError, ValueError):
            return None

    def tail(self) -> str:
        return (self.home / "up.log").read_text(errors="replace")[-3000:]

    def run(self, *arguments: str) -> str:
        """What a command of ours prints, on the same home."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env=self.environment, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    def memory_mb(self) -> float:
        """Summed PSS of everything under `up` without PostgreSQL."""
        root = psutil.Process(self.process.pid)
        whole = [root, *root.children(recursive=True)]
        return sum(_pss(one) for one in whole if one.name() not in DATABASE)

    def stop(self) -> float:
        """Seconds until it has stopped."""
        self.process.send_signal(signal.SIGINT)
        seconds, _ = timed(lambda: self.process.wait(PATIENCE_SECONDS))
        self.log.close()
        return seconds


def _pss(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 1024**2
    except psutil.NoSuchProcess:
        return 0.0


@contextmanager
def running(home: Path, **settings: str) -> Iterator[Running]:
    """A healthy platform, stopped at the end."""
    one = Running(home, **settings)
    try:
        one.wait_until_healthy()
        yield one
    finally:
        if one.process.poll() is None:
            one.stop()


def up() -> list[Result]:
    """The first start makes the database and the first account; the second finds them."""
    with scratch_home() as home:
        first, one = timed(lambda: _healthy(home))
        one.stop()
        second, again = timed(lambda: _healthy(home))
        time.sleep(SETTLING_SECONDS)  # the simulated market is trading now
        memory = round(again.memory_mb(), 1)
        stopped = again.stop()
    return [
        at_most("up: to healthy, first start", first, "s", 20, peak_rss_mb=memory),
        at_most("up: to healthy, second start", second, "s", 6, peak_rss_mb=memory),
        at_most("up: memory without PostgreSQL", memory, "MB", 600, peak_rss_mb=memory),
        at_most("up: stopped after", stopped, "s", 10, peak_rss_mb=memory),
    ]


def _healthy(home: Path) -> Running:
    one = Running(home)
    try:
        one.wait_until_healthy()
    except RuntimeError:
        one.process.kill()
        raise
    return one


def help_text() -> list[Result]:
    """Median of the time that `tradewright --help` takes as a process."""
    command = [sys.executable, "-m", "app.cli", "--help"]

    def once() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))

    once()
    middle = 1000 * statistics.median(timed(once)[0] for _ in range(7))
    return [at_most("cli: --help", middle, "ms", 300)]
