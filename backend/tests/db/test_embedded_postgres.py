"""The embedded PostgreSQL: private, found again, restarted, and clear about what is wrong."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from app.core.errors import ConfigurationError
from app.db import home as home_folder
from app.db.embedded import EmbeddedPostgres, attach_or_start, started
from app.db.loopback import is_free
from app.db.processes import is_alive, lesser_user, start, wait_until
from tests.mounts import small_disk

SMALL = {"shared_buffers": "8MB", "max_connections": "10"}
RUN_FOREVER = """
import sys, time
from pathlib import Path
from app.db import home
from app.db.embedded import EmbeddedPostgres
home.prepare(Path(sys.argv[1]))
postgres = EmbeddedPostgres(Path(sys.argv[1]))
postgres.start()
print(postgres.url, flush=True)
time.sleep(float(sys.argv[2]))
postgres.stop()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")


@pytest.fixture(scope="module")
def ready_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a database that was stopped cleanly; copy it, do not use it."""
    home = tmp_path_factory.mktemp("ready") / "home"
    with server(home) as postgres:
        query(postgres.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    return home


@pytest.fixture
def home(ready_home: Path, tmp_path: Path) -> Path:
    """A copy of that home, with the owners of its files."""
    subprocess.run(["cp", "-a", str(ready_home), str(tmp_path / "home")], check=True)
    return tmp_path / "home"


@contextmanager
def server(home: Path, **options: Any) -> Iterator[EmbeddedPostgres]:
    home_folder.prepare(home)
    with started(EmbeddedPostgres(home, settings=SMALL, **options)) as postgres:
        yield postgres


def query(url: str, statement: str) -> Any:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def kept(url: str) -> int:
    return int(query(url, "SELECT answer FROM kept"))


def test_the_first_start_makes_a_database_of_version_18(tmp_path: Path) -> None:
    with server(tmp_path / "home") as postgres:
        assert query(postgres.url, "SHOW server_version").startswith("18.")
        assert query(postgres.url, "SHOW server_encoding") == "UTF8"
        assert query(postgres.url, "SHOW timezone") == "UTC"
        assert query(postgres.url, "SHOW data_checksums") == "on"


def test_nobody_enters_without_the_password(home: Path) -> None:
    with server(home) as postgres:
        stored = (home / "postgres.password").read_text()
        wrong = postgres.url.replace(stored, "guess")
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            query(wrong, "SELECT 1")
        for folder in Path(tempfile.gettempdir()).glob("tw-*"):
            socket_url = f"postgresql://tradewright@/postgres?host={folder}&port={postgres.port}"
            with pytest.raises(
                psycopg2.OperationalError, match=r"no password|authentication|No such"
            ):
                query(socket_url, "SELECT 1")


def test_it_listens_on_the_loopback_and_in_a_private_short_folder(home: Path) -> None:
    with server(home) as postgres:
        assert postgres.process
        listening = psutil.Process(postgres.process.pid).net_connections("inet")
        assert {connection.laddr for connection in listening} == {("127.0.0.1", postgres.port)}
        folder = Path((home / "run" / "postgres.sockets").read_text())
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(str(folder / f".s.PGSQL.{postgres.port}")) < 107
    assert not folder.exists()


def test_a_long_temporary_folder_does_not_matter(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with server(home) as postgres:
        assert kept(postgres.url) == 42


def test_everything_in_the_home_is_private(home: Path) -> None:
    with server(home):
        modes = {path.name: path.stat().st_mode & 0o077 for path in [home, *home.iterdir()]}
    assert not any(modes.values()), modes


@as_root
def test_as_root_the_server_is_another_user(home: Path) -> None:
    with server(home) as postgres:
        assert postgres.process
        assert psutil.Process(postgres.process.pid).uids().effective != 0
        assert home.stat().st_uid == 0


def test_the_second_start_keeps_data_address_and_password(home: Path) -> None:
    with server(home) as postgres:
        first = postgres.url
    with server(home) as postgres:
        assert postgres.url == first
        assert kept(postgres.url) == 42


def test_a_killed_server_is_started_again_at_the_same_address(home: Path) -> None:
    with server(home) as postgres:
        url = postgres.url
        query(url, "CREATE TABLE committed AS SELECT 7 AS answer")
        assert postgres.process
        postgres.process.kill()
        postgres.process.wait()
        postgres.start()
        assert postgres.url == url
        assert query(url, "SELECT answer FROM committed") == 7


def test_it_does_not_outlive_a_killed_supervisor(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_FOREVER, str(home), "600"], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout
        url = supervisor.stdout.readline().strip()
        query(url, "CREATE TABLE committed AS SELECT 7 AS answer")
        (child,) = psutil.Process(supervisor.pid).children()
        supervisor.send_signal(signal.SIGKILL)
    with server(home) as postgres:
        assert not is_alive(child.pid)
        assert query(postgres.url, "SELECT answer FROM committed") == 7
    log = (home / "logs" / "postgres.log").read_text()
    assert "database system was shut down" in log
    assert "not properly shut down" not in log


def test_a_start_waits_for_a_predecessor_that_is_still_stopping(home: Path) -> None:
    said: list[str] = []
    with server(home) as predecessor, closing(psycopg2.connect(predecessor.url)):
        assert predecessor.process
        other = EmbeddedPostgres(home, say=said.append, settings=SMALL)
        with started(other):
            assert kept(other.url) == 42
            assert said == [
                "Waiting for PostgreSQL of a killed start "
                f"(process {predecessor.process.pid}) to stop."
            ]


def test_a_stale_lock_with_the_number_of_another_program_is_cleared(home: Path) -> None:
    with server(home) as postgres:
        lock = (home / "postgres" / "postmaster.pid").read_text()
        assert postgres.process
        postgres.process.kill()
        postgres.process.wait()
    _, rest = lock.split("\n", 1)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        (home / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{rest}")
        with server(home) as postgres:
            assert kept(postgres.url) == 42
        assert stranger.poll() is None
        stranger.kill()


def test_a_taken_port_means_another_one(home: Path) -> None:
    with server(home) as postgres:
        port = postgres.port
    with closing(socket.create_server(("127.0.0.1", port))), server(home) as postgres:
        assert postgres.port != port
        assert kept(postgres.url) == 42


def test_a_port_taken_while_it_was_dead_is_said(home: Path) -> None:
    with server(home) as postgres:
        postgres.stop()
        postgres.retry_seconds = 0.0
        with (
            closing(socket.create_server(("127.0.0.1", postgres.port))),
            pytest.raises(ConfigurationError, match=rf"Port {postgres.port} .* was taken"),
        ):
            postgres.start()
        postgres.start()
        assert kept(postgres.url) == 42


def test_a_full_disk_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=50) as disk:
        home = disk.folder / "home"
        home_folder.prepare(home)
        with pytest.raises(ConfigurationError, match=r"is full: \d+ MB are free.*needs 128 MB"):
            EmbeddedPostgres(home).start()
        assert not (home / "postgres").exists()


def test_a_disk_that_became_full_loses_nothing(ready_home: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=200) as disk:
        home = disk.folder / "home"
        subprocess.run(["cp", "-a", str(ready_home), str(home)], check=True)
        disk.fill()
        with pytest.raises(ConfigurationError, match=r"is full.*nothing was lost"):
            EmbeddedPostgres(home, settings=SMALL).start()
        disk.free()
        with server(home) as postgres:
            assert kept(postgres.url) == 42


def test_a_disk_that_fills_up_under_it_loses_nothing(ready_home: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=200) as disk:
        home = disk.folder / "home"
        subprocess.run(["cp", "-a", str(ready_home), str(home)], check=True)
        with server(home) as postgres:
            disk.fill()
            with pytest.raises(psycopg2.Error):
                query(postgres.url, "CREATE TABLE big AS SELECT generate_series(1, 3000000)")
        disk.free()
        with server(home) as postgres:
            assert kept(postgres.url) == 42


def test_a_read_only_disk_is_said(ready_home: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=200) as disk:
        home = disk.folder / "home"
        subprocess.run(["cp", "-a", str(ready_home), str(home)], check=True)
        disk.make_read_only()
        with pytest.raises(ConfigurationError, match="is on a read-only disk"):
            EmbeddedPostgres(home, settings=SMALL).start()
        disk.make_read_only(False)
        with server(home) as postgres:
            assert kept(postgres.url) == 42


def test_another_major_version_is_left_alone(home: Path) -> None:
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    before = sorted(home.rglob("*"))
    with pytest.raises(
        ConfigurationError, match=r"made by PostgreSQL 16, and this program brings PostgreSQL 18"
    ):
        EmbeddedPostgres(home).start()
    assert sorted(home.rglob("*")) == before


def test_a_folder_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    home_folder.prepare(tmp_path / "home")
    (tmp_path / "home" / "postgres").mkdir()
    (tmp_path / "home" / "postgres" / "letter.txt").touch()
    with pytest.raises(ConfigurationError, match="is no PostgreSQL data folder"):
        EmbeddedPostgres(tmp_path / "home").start()
    assert (tmp_path / "home" / "postgres" / "letter.txt").exists()


def test_a_lost_password_file_costs_nothing(home: Path) -> None:
    (home / "postgres.password").unlink()
    with server(home) as postgres:
        assert kept(postgres.url) == 42


def test_a_half_made_database_is_made_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home_folder.prepare(home)
    (home / "postgres.new" / "base").mkdir(parents=True)
    with server(home) as postgres:
        assert query(postgres.url, "SELECT 1") == 1
    assert not (home / "postgres.new").exists()


def test_a_damaged_database_says_what_postgresql_said(home: Path) -> None:
    (home / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(ConfigurationError, match=r"did not start; it said: .*postgres\.log"):
        EmbeddedPostgres(home, settings=SMALL).start()


def test_it_works_as_a_normal_user(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp())
    user = lesser_user()
    if user:
        os.chown(folder, user.uid, user.gid)
    process = start(
        [sys.executable, "-c", RUN_FOREVER, folder / "home", "0"],
        user=user,
        output=subprocess.PIPE,
        environment={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path("/"),
    )
    output = process.communicate()[0].decode()
    shutil.rmtree(folder)
    assert process.returncode == 0, output
    assert output.startswith("postgresql://tradewright:")


@as_root
def test_where_the_kernel_leaves_no_way_the_database_goes_to_the_state_folder(
    tmp_path: Path,
) -> None:
    script = f"""
import ctypes, os
ctypes.CDLL(None).prctl(24, 2, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH
os.execv({sys.executable!r}, [{sys.executable!r}, "-c", '''
import sys
from pathlib import Path
from app.db import home
from app.db.embedded import EmbeddedPostgres, started
home.prepare(Path(sys.argv[1]))
with started(EmbeddedPostgres(Path(sys.argv[1]), say=print)) as postgres:
    print(postgres.data)
''', {str(tmp_path / "home")!r}])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, data = done.stdout.strip().splitlines()
    try:
        assert "cannot enter" in said
        assert data in said
        assert data.startswith("/var/lib/tradewright/")
        assert (tmp_path / "home" / "postgres.path").read_text() == data
    finally:
        shutil.rmtree(Path(data).parent)


def test_a_command_starts_it_for_a_while(home: Path) -> None:
    with attach_or_start(home) as url:
        assert kept(url) == 42
    assert not home_folder.is_held(home)
    assert is_free(int(url.rpartition(":")[2].partition("/")[0]))


def test_a_command_attaches_to_the_one_that_runs(home: Path) -> None:
    with home_folder.held(home, "a test"), server(home) as postgres:
        published = home_folder.Servers(pid=os.getpid(), database_url=postgres.url)
        home_folder.publish(home, published)
        with attach_or_start(home) as url:
            assert url == postgres.url
        assert kept(postgres.url) == 42


def test_stopping_does_not_wait_for_clients(home: Path) -> None:
    with server(home) as postgres:
        client = psycopg2.connect(postgres.url)
        postgres.stop()
        assert postgres.process
        assert postgres.process.returncode == 0
        client.close()
        assert wait_until(lambda: is_free(postgres.port or 0), 5)
