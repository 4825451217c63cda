"""Keeps the databases and our processes running on one machine, and stays small itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from app.core.environment import home as configured_home
from app.core.environment import project_root, variable, variables
from app.core.errors import ConfigurationError, TradewrightError
from app.db import home as home_folder
from app.db.embedded_postgres import EmbeddedPostgres
from app.db.embedded_redis import EmbeddedRedis
from app.db.loopback import ask_health, is_free
from app.db.processes import start

PURPOSE: Final = "tradewright up"
TICK_SECONDS: Final = 0.1
STEADY_SECONDS: Final = 1.0
SETTLED_SECONDS: Final = 60.0
"A process that ran this long is forgiven its earlier deaths."
LONGEST_WAIT_SECONDS: Final = 30.0
DEATHS_AT_START_MAX: Final = 3
DEGRADED_IS_ENOUGH_SECONDS: Final = 15.0
LATE_SECONDS: Final = 60.0
_NO: Final = ("false", "0", "no", "off", "f", "n")
PARTS_STOP_SECONDS: Final = 5.0
"Of the ten that a stop may take; the rest is for the databases."
AT_HEAD: Final = 0
BEHIND: Final = 3
NEW: Final = 5
"Exit codes of app.db.revisions."


class Stop(BaseException):
    """A signal asked us to stop; raised wherever the supervisor is at that instant."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run, and where. Given addresses are used as they are; None is started embedded."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str | None = None
    redis_url: str | None = None
    saves_before_upgrade: bool = True
    tls_certificate: Path | None = None
    parts: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {
            name: (sys.executable, "-m", "app.cli", name)
            for name in ("core", "api", "guardian", "worker")
        }
    )

    @classmethod
    def from_environment(cls) -> "Plan":
        """What `tradewright up` has checked and put there."""
        plan = cls(
            home=configured_home(),
            host=variable("API_HOST", "127.0.0.1"),
            port=int(variable("API_PORT", "8000")),
            database_url=variable("DATABASE_URL") or None,
            redis_url=variable("REDIS_URL") or None,
            saves_before_upgrade=_is_wanted("BACKUP_BEFORE_UPGRADE"),
            tls_certificate=Path(given) if (given := variable("API_TLS_CERTIFICATE")) else None,
        )
        unwanted = {
            name for name in ("guardian", "worker") if not _is_wanted(f"{name.upper()}_ENABLED")
        }
        return replace(plan, parts={k: v for k, v in plan.parts.items() if k not in unwanted})

    @property
    def reachable_host(self) -> str:
        known = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        return known.get(self.host, self.host)

    @property
    def api_url(self) -> str:
        host = self.reachable_host
        scheme = "https" if self.tls_certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


def _is_wanted(name: str) -> bool:
    """A switch of the environment that is on unless it says no."""
    return variable(name, "true").lower() not in _NO


@dataclass
class Watched:
    """One process to keep alive: how to start it, and how often it died."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started_at: float = 0.0
    retry_at: float | None = None

    def launch(self) -> None:
        self.process = self.start()
        self.started_at = time.monotonic()
        self.retry_at = None

    def tend(self, now: float, say: Callable[[str], None]) -> None:
        """Start it again when it died: at once the first time, then with growing waits."""
        if self.process and self.process.poll() is None:
            if now - self.started_at > SETTLED_SECONDS:
                self.deaths = 0
            return
        if self.retry_at is None:
            self._postpone(now)
            say(f"{self.name} ended ({_ending(self.process)}). {self._promise(now)}")
        if self.retry_at is not None and now >= self.retry_at:
            try:
                self.launch()
            except TradewrightError as error:
                self._postpone(now)
                say(f"{error} {self._promise(now)}")

    def is_steady(self, now: float) -> bool:
        """Alive, and not only for an instant."""
        is_alive = self.process is not None and self.process.poll() is None
        return is_alive and now - self.started_at >= STEADY_SECONDS

    def _postpone(self, now: float) -> None:
        self.deaths += 1
        wait = 0.0 if self.deaths == 1 else 0.25 * 2 ** (self.deaths - 1)
        self.retry_at = now + min(wait, LONGEST_WAIT_SECONDS)

    def _promise(self, now: float) -> str:
        wait = (self.retry_at or now) - now
        return f"Starting it again in {wait:g} s." if wait else "Starting it again."


def _ending(process: subprocess.Popen[bytes] | None) -> str:
    code = process.returncode if process else None
    if code is None or code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


class Supervisor:
    """Runs a plan in the foreground until SIGINT, SIGTERM or SIGHUP."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.watched: list[Watched] = []
        self.environment = dict(variables())
        self._parts_since = 0.0
        self._announced = False
        self._complained = False

    def run(self) -> int:
        """Exit code. Raises ConfigurationError when something cannot be started at all."""
        check_port(self.plan)
        with _signals_raise_stop() as ignore_signals, suppress(Stop), ExitStack() as stack:
            # Registered first, so it runs last: a second Ctrl-C cannot interrupt the stopping.
            stack.enter_context(home_folder.held(self.plan.home, PURPOSE))
            try:
                self._start_servers(stack)
                self._migrate()
                self._start_parts(stack)
                self._watch()
            finally:
                ignore_signals()
        self.say("Stopped.")
        return 0

    def say(self, sentence: str) -> None:
        """To the person at the terminal, and to the log that remains."""
        sys.stderr.write(f"{sentence}\n")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with suppress(OSError), (self.plan.home / "logs" / "supervisor.log").open("a") as log:
            log.write(json.dumps({"timestamp": stamp, "event": sentence}) + "\n")

    # ------------------------------------------------------------------------- starting

    def _start_servers(self, stack: ExitStack) -> None:
        home, plan = self.plan.home, self.plan
        database_url, redis_url = plan.database_url, plan.redis_url
        if database_url is None:
            postgres = EmbeddedPostgres(home, say=self.say)
            stack.callback(postgres.stop)
            self._watch_server(postgres)
            database_url = postgres.url
        if redis_url is None:
            redis = EmbeddedRedis(home, say=self.say)
            stack.callback(redis.stop)
            self._watch_server(redis)
            redis_url = redis.url
        self.environment |= {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "TRADEWRIGHT_HOME": str(home),
            "API_HOST": plan.host,
            "API_PORT": str(plan.port),
        }
        home_folder.publish(
            home,
            home_folder.Servers(
                pid=os.getpid(),
                database_url=database_url,
                redis_url=redis_url,
                api_url=plan.api_url,
            ),
        )

    def _watch_server(self, server: EmbeddedPostgres | EmbeddedRedis) -> None:
        def launch() -> subprocess.Popen[bytes]:
            server.start()
            assert server.process
            return server.process

        watched = Watched(server.name, launch)
        watched.launch()
        self.watched.append(watched)

    def _migrate(self) -> None:
        """Look at the database in a few milliseconds; load Alembic only when it is behind."""
        state = self._run_tool("-m", "app.db.revisions")
        if state == BEHIND and self.plan.saves_before_upgrade:
            self._upgrade()
            return
        if state in (BEHIND, NEW):
            self.say("Bringing the database to the newest revision.")
            state = self._run_tool("-m", "app.cli", "db", "upgrade")
        if state != AT_HEAD:
            raise ConfigurationError(
                "The database cannot be used; the reason is above.",
                remedy="Check DATABASE_URL, or `tradewright doctor`.",
            )

    def _upgrade(self) -> None:
        """Migrate a database that holds data. Raises ConfigurationError; then it is as it was."""
        self.say(
            "The database is of an older version: it is saved, a copy is migrated, and then itself"
            " (`up --no-backup` only migrates)."
        )
        if self._run_tool("-m", "app.cli", "upgrade", "--within-up") != AT_HEAD:
            raise ConfigurationError(
                "The database was not migrated, so nothing was started; the reason is above.",
                remedy="Remove the reason, or say `up --no-backup` if you have a backup of your"
                " own.",
            )

    def _run_tool(self, *arguments: str) -> int:
        process = start(
            [sys.executable, *arguments],
            environment=self.environment,
            cwd=project_root(),
            output=sys.stderr.fileno(),
        )
        try:
            return process.wait()
        finally:
            process.kill()

    def _start_parts(self, stack: ExitStack) -> None:
        parts = [
            Watched(name, partial(start, argv, environment=self.environment))
            for name, argv in self.plan.parts.items()
        ]
        stack.callback(stop_together, parts)
        self._parts_since = time.monotonic()
        for part in parts:
            self.watched.append(part)
            part.launch()

    # -------------------------------------------------------------------------- watching

    def _watch(self) -> None:
        while True:
            now = time.monotonic()
            for watched in self.watched:
                watched.tend(now, self.say)
                if not self._announced and watched.deaths > DEATHS_AT_START_MAX:
                    raise ConfigurationError(
                        f"{watched.name} does not start; its reason is above.",
                        remedy="`tradewright doctor` checks this machine and the settings.",
                    )
            if not self._announced:
                self._announce(now)
            time.sleep(TICK_SECONDS)

    def _announce(self, now: float) -> None:
        """Print the address once everything answers."""
        plan = self.plan
        answer = ask_health(plan.reachable_host, plan.port, plan.tls_certificate)
        status = str(answer["status"]) if answer else None
        waited = now - self._parts_since
        if not all(watched.is_steady(now) for watched in self.watched):
            status = None
        if status == "healthy" or (status and waited > DEGRADED_IS_ENOUGH_SECONDS):
            self._announced = True
            note = "" if status == "healthy" else f" ({status}; `tradewright status` says more)"
            sys.stdout.write(f"Tradewright is running at {self._address()}{note}\n")
            sys.stdout.flush()
        elif waited > LATE_SECONDS and not self._complained:
            self._complained = True
            self.say(
                f"Not healthy after {waited:.0f} s; the logs are in {self.plan.home / 'logs'}."
            )

    def _address(self) -> str:
        """With the first-run token until somebody has signed up."""
        with suppress(OSError):
            token = (self.plan.home / "run" / "sign-up-token").read_text().strip()
            return f"{self.plan.api_url}/sign-up?token={token}" if token else self.plan.api_url
        return self.plan.api_url


def check_port(plan: Plan) -> None:
    """Raises ConfigurationError before anything is started when nobody could reach us."""
    try:
        free = is_free(plan.port, plan.host)
    except OSError as error:
        raise ConfigurationError(
            f"API_HOST={plan.host} is no address of this machine: {error.strerror}.",
            remedy="Use 127.0.0.1, or an address that `ip address` lists.",
        ) from None
    if not free:
        raise ConfigurationError(
            f"Port {plan.port} on {plan.host} is in use.",
            remedy="Choose another with --port or API_PORT, or end the program that listens there.",
        )


def stop_together(parts: Sequence[Watched]) -> None:
    """Ask all to stop, wait for all, and end those that do not."""
    processes = [part.process for part in parts if part.process]
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PARTS_STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _signals_raise_stop() -> Iterator[Callable[[], None]]:
    """Turn the signals into Stop; the value makes them have no effect from then on."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stop

    def ignore() -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield ignore
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> int:
    try:
        return Supervisor(Plan.from_environment()).run()
    except TradewrightError as error:
        sys.stderr.write(f"tradewright: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
