"""The home folder is private, belongs to one process at a time, and says who that is."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.errors import ConfigurationError
from app.db import home as home_folder
from app.db.home import Servers
from tests.mounts import small_disk

HOLD = """
import sys, time
from pathlib import Path
from app.db import home
with home.held(Path(sys.argv[1]), "tradewright up"):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the home."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def servers(pid: int) -> Servers:
    return Servers(pid=pid, database_url="postgresql://x", redis_url=None, api_url=None)


def test_a_home_is_made_private(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    home_folder.prepare(home)
    assert [path.stat().st_mode & 0o777 for path in (home, home / "run", home / "logs")] == [
        0o700
    ] * 3


def test_an_empty_or_own_folder_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "home" / "logs").mkdir(parents=True)
    (tmp_path / "home").chmod(0o755)
    home_folder.prepare(tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigurationError, match="holds other files"):
        home_folder.prepare(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"is not a folder"):
        home_folder.prepare(tmp_path / "file")
    with pytest.raises(ConfigurationError, match=r"is not a folder"):
        home_folder.prepare(tmp_path / "file" / "home")


def test_a_read_only_disk_is_said(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        disk.make_read_only()
        with pytest.raises(ConfigurationError, match="is on a read-only disk"):
            home_folder.prepare(disk.folder / "home")


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        home_folder.prepare(disk.folder / "home")
        disk.fill()
        with pytest.raises(ConfigurationError, match=r"full.*nothing was lost"):
            home_folder.write(disk.folder / "home" / "run" / "x", "y" * 100_000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_another_user_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="No permission to use"):
        home_folder.prepare(tmp_path / "home")


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    with holder(tmp_path / "home") as process:
        assert home_folder.is_held(tmp_path / "home")
        with (
            pytest.raises(
                ConfigurationError, match=rf"in use by process {process.pid} \(tradewright up\)"
            ),
            home_folder.held(tmp_path / "home", "a test"),
        ):
            pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path / "home") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with home_folder.held(tmp_path / "home", "a test"):
            assert home_folder.holder(tmp_path / "home") == f"process {os.getpid()} (a test)"
    assert not home_folder.is_held(tmp_path / "home")


def test_others_find_what_the_holder_serves(tmp_path: Path) -> None:
    with home_folder.held(tmp_path, "a test"):
        assert home_folder.running(tmp_path) is None
        home_folder.publish(tmp_path, servers(os.getpid()))
        assert home_folder.running(tmp_path) == servers(os.getpid())
        assert (tmp_path / "run" / "servers.json").stat().st_mode & 0o777 == 0o600
    assert home_folder.running(tmp_path) is None


def test_the_word_of_a_dead_process_is_ignored(tmp_path: Path) -> None:
    home_folder.prepare(tmp_path)
    home_folder.publish(tmp_path, servers(1))
    assert home_folder.running(tmp_path) is None
    with home_folder.held(tmp_path, "a test"):
        assert home_folder.running(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", json.dumps({"pid": 1}), json.dumps([1])])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: str) -> None:
    with home_folder.held(tmp_path, "a test"):
        (tmp_path / "run" / "servers.json").write_text(content)
        assert home_folder.running(tmp_path) is None


def test_a_home_that_does_not_exist_is_not_held(tmp_path: Path) -> None:
    assert not home_folder.is_held(tmp_path / "nowhere")
    assert home_folder.running(tmp_path / "nowhere") is None
    assert home_folder.holder(tmp_path / "nowhere") == "another process"
