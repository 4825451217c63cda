"""`up` as a process: it starts everything, keeps it running, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import redis

from app.db import home as home_folder
from app.db import migrations, revisions
from app.db.embedded import EmbeddedPostgres, started
from app.db.loopback import ask_health, free_port
from app.db.processes import is_alive, wait_until
from app.supervisor import Plan, Watched
from tests.certificates import certificate

API = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "healthy", "score": 100}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
HTTPServer.allow_reuse_address = True
HTTPServer(("127.0.0.1", int(os.environ["API_PORT"])), Handler).serve_forever()
"""
TLS_API = API.replace("HTTPServer((", "server = HTTPServer((").replace(
    ".serve_forever()",
    """
import ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.environ["API_TLS_CERTIFICATE"], os.environ["API_TLS_KEY"])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()""",
)
CORE = "import time; time.sleep(600)"
UP = """
import os, sys
from pathlib import Path
from app.core.errors import TradewrightError
from app.supervisor import Plan, Supervisor
home, port, api, core = sys.argv[1:]
parts = {"core": (sys.executable, "-c", core), "api": (sys.executable, "-c", api)}
try:
    certificate = os.environ.get("API_TLS_CERTIFICATE")
    plan = Plan(
        home=Path(home),
        port=int(port),
        parts=parts,
        tls_certificate=Path(certificate) if certificate else None,
    )
    sys.exit(Supervisor(plan).run())
except TradewrightError as error:
    sys.exit(f"tradewright: {error}")
"""


class Up:
    """A supervisor with a small web server for `api` and a sleeper for `core`."""

    def __init__(self, home: Path, port: int, api: str = API, core: str = CORE) -> None:
        self.home = home
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, "-c", UP, str(home), str(port), api, core],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_address(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        return line

    @property
    def servers(self) -> home_folder.Servers:
        found = home_folder.running(self.home)
        assert found
        return found

    def child(self, sign: str) -> psutil.Process:
        """The child whose command line has this sign."""
        (found,) = self.children(sign)
        return found

    def children(self, sign: str) -> list[psutil.Process]:
        def fits(child: psutil.Process) -> bool:
            try:
                return sign in " ".join(child.cmdline())
            except psutil.Error:  # a zombie, or gone since
                return False

        return [child for child in psutil.Process(self.process.pid).children() if fits(child)]

    def said(self) -> list[str]:
        log = self.home / "logs" / "supervisor.log"
        return [json.loads(line)["event"] for line in log.read_text().splitlines()]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Exit code, and the seconds it took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode, time.monotonic() - begin


@pytest.fixture(scope="module")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after its first start, which takes a while; copy it, do not use it."""
    home = tmp_path_factory.mktemp("migrated") / "home"
    up = Up(home, free_port())
    up.wait_for_address()
    up.stop()
    return home


@pytest.fixture
def start(tmp_path: Path, migrated_home: Path) -> Iterator[Callable[..., Up]]:
    """Starts a supervisor on a copy of that home."""
    subprocess.run(["cp", "-a", str(migrated_home), str(tmp_path / "home")], check=True)
    ups: list[Up] = []

    def begin(**options: Any) -> Up:
        ups.append(Up(tmp_path / "home", options.pop("port", free_port()), **options))
        return ups[-1]

    yield begin
    for up in ups:
        if up.process.poll() is None:
            up.stop()
        up.process.communicate()


@pytest.fixture
def up(start: Callable[..., Up]) -> Up:
    running = start()
    running.wait_for_address()
    return running


def database_answers(url: str) -> bool:
    try:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return True
    except psycopg2.Error:
        return False


def redis_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def test_everything_runs_and_the_address_is_printed(start: Callable[..., Up]) -> None:
    up = start()
    assert up.wait_for_address() == f"Tradewright is running at http://127.0.0.1:{up.port}"
    assert database_answers(up.servers.database_url)
    assert redis_answers(up.servers.redis_url or "")
    assert up.servers.api_url == f"http://127.0.0.1:{up.port}"
    with closing(psycopg2.connect(up.servers.database_url)) as db, db.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM alembic_version")
        assert cursor.fetchone() == (1,)


def test_the_first_run_token_is_part_of_the_address(start: Callable[..., Up]) -> None:
    token = "from pathlib import Path; import os\n"
    token += 'Path(os.environ["TRADEWRIGHT_HOME"], "run", "sign-up-token").write_text("once")\n'
    up = start(api=token + API)
    assert up.wait_for_address().endswith(f":{up.port}/sign-up?token=once")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_it_cleanly_and_nothing_remains(up: Up, number: int) -> None:
    children = psutil.Process(up.process.pid).children(recursive=True)
    code, seconds = up.stop(number)
    assert code == 0
    assert seconds < 10
    assert not [child for child in children if is_alive(child.pid)]
    assert not home_folder.is_held(up.home)
    assert up.said()[-1] == "Stopped."
    assert not (up.home / "postgres" / "postmaster.pid").exists()


def test_a_part_that_does_not_want_to_stop_is_ended(start: Callable[..., Up]) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    up = start(core=stubborn)
    up.wait_for_address()
    core = up.child("SIG_IGN")
    code, seconds = up.stop()
    assert code == 0
    assert seconds < 10
    assert not is_alive(core.pid)


def test_a_second_signal_does_not_break_the_stopping(up: Up) -> None:
    up.process.send_signal(signal.SIGINT)
    code, _ = up.stop(signal.SIGINT)
    assert code == 0
    assert not (up.home / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize(
    ("sign", "name"),
    [("time.sleep", "core"), ("HTTPServer", "api"), ("postgres -D", "PostgreSQL")],
)
def test_what_dies_is_started_again_and_said(up: Up, sign: str, name: str) -> None:
    dead = up.child(sign).pid
    os.kill(dead, signal.SIGKILL)
    assert wait_until(lambda: any(child.pid != dead for child in up.children(sign)), 60)
    assert wait_until(lambda: database_answers(up.servers.database_url), 60)
    assert wait_until(lambda: ask_health("127.0.0.1", up.port) is not None, 60)
    assert up.said()[-1] == f"{name} ended (signal SIGKILL). Starting it again."


def test_redis_comes_back_at_the_same_address(up: Up) -> None:
    url = up.servers.redis_url or ""
    with redis.Redis.from_url(url) as client:
        client.set("key", "value")
    up.child("-server").kill()
    assert wait_until(lambda: redis_answers(url), 60)
    assert wait_until(lambda: up.said()[-1].startswith("Redis ended (signal SIGKILL)"), 60)


def test_a_killed_supervisor_takes_everything_along(up: Up, start: Callable[..., Up]) -> None:
    children = psutil.Process(up.process.pid).children(recursive=True)
    url = up.servers.database_url
    up.process.kill()
    up.process.wait()
    assert wait_until(lambda: not any(is_alive(child.pid) for child in children), 60)
    again = start(port=up.port)
    again.wait_for_address()
    assert again.servers.database_url == url
    assert database_answers(url)


def test_a_second_up_on_the_same_home_is_refused(up: Up, start: Callable[..., Up]) -> None:
    second = start()
    _, said = second.process.communicate(timeout=60)
    assert second.process.returncode == 1
    assert f"in use by process {up.process.pid} (tradewright up)" in said
    assert database_answers(up.servers.database_url)


def test_a_port_in_use_is_said_before_anything_starts(start: Callable[..., Up]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        up = start(port=other.getsockname()[1])
        _, said = up.process.communicate(timeout=60)
    assert up.process.returncode == 1
    assert f"Port {up.port} on 127.0.0.1 is in use. Choose another with --port" in said
    assert up.said()[-1] == "Stopped."


def test_a_part_that_never_starts_ends_it_all(start: Callable[..., Up]) -> None:
    up = start(core="import sys; sys.exit('no key')")
    _, said = up.process.communicate(timeout=60)
    assert up.process.returncode == 1
    assert "no key" in said
    assert "core does not start" in said
    assert not home_folder.is_held(up.home)


def test_a_database_that_does_not_answer_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.supervisor"],
        env={
            **os.environ,
            "DATABASE_URL": f"postgresql://x@127.0.0.1:{free_port()}/x",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "TRADEWRIGHT_HOME": str(tmp_path / "home"),
            "API_PORT": str(free_port()),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "The database does not answer" in done.stderr
    assert "Check DATABASE_URL" in done.stderr


def test_it_stays_small(up: Up) -> None:
    assert psutil.Process(up.process.pid).memory_info().rss < 30 * 1024**2


def test_waits_grow_with_each_death_and_are_forgiven() -> None:
    said: list[str] = []
    dead = subprocess.Popen(["false"])
    dead.wait()
    watched = Watched("part", lambda: dead, process=dead)
    waits = []
    now = 0.0
    for _ in range(10):
        watched.tend(now, said.append)
        waits.append(watched.retry_at - now if watched.retry_at else 0.0)
        now += waits[-1]
        if watched.retry_at:
            watched.tend(now, said.append)
    assert waits[:4] == [0.0, 0.5, 1.0, 2.0]
    assert max(waits) == 30.0
    with subprocess.Popen(["sleep", "600"]) as alive:
        watched.process = alive
        watched.tend(watched.started_at + 61, said.append)
        alive.kill()
    assert watched.deaths == 0


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
    ],
)
def test_the_address_is_one_that_a_browser_reaches(tmp_path: Path, host: str, url: str) -> None:
    assert Plan(home=tmp_path, host=host).api_url == url


def made_older(home: Path) -> None:
    """As if a program of the last version had left the home's database."""
    with home_folder.held(home, "a test"), started(EmbeddedPostgres(home)) as postgres:
        migrations.downgrade(postgres.url, "-1")


def revision_of(home: Path) -> str | None:
    with home_folder.held(home, "a test"), started(EmbeddedPostgres(home)) as postgres:
        return revisions.current(postgres.url)


def test_a_database_of_an_older_version_is_saved_before_it_is_migrated(
    start: Callable[..., Up], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    made_older(home)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(home))
    monkeypatch.setenv("BACKUP_SPARE_MB", "100000000")
    refused = start()
    _, said = refused.process.communicate()
    assert refused.process.returncode == 1
    assert "The backup was broken off" in said
    assert "The database was not migrated, so nothing was started" in said
    assert not list(home.glob("backups/*"))
    assert revision_of(home) != revisions.head()

    monkeypatch.setenv("BACKUP_SPARE_MB", "0")
    up = start()
    assert up.wait_for_address()
    assert any("it is saved, a copy is migrated, and then itself" in one for one in up.said())
    assert revisions.current(up.servers.database_url) == revisions.head()
    assert len(list(home.glob("backups/*.backup"))) == 1


def test_who_has_a_backup_may_go_without(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Plan.from_environment().saves_before_upgrade
    monkeypatch.setenv("BACKUP_BEFORE_UPGRADE", "false")
    assert not Plan.from_environment().saves_before_upgrade


def test_over_tls_it_asks_and_prints_its_own_address(
    start: Callable[..., Up], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, private = certificate(tmp_path, "ours")
    monkeypatch.setenv("API_TLS_CERTIFICATE", str(public))
    monkeypatch.setenv("API_TLS_KEY", str(private))
    up = start(api=TLS_API)
    assert up.wait_for_address() == f"Tradewright is running at https://127.0.0.1:{up.port}"
    assert up.servers.api_url == f"https://127.0.0.1:{up.port}"
