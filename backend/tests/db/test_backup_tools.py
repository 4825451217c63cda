"""pg_dump and pg_restore: the ones that fit, without a password where others may read it."""

from pathlib import Path

import pytest

from app.core.errors import BackupError, ConfigurationError
from app.db import backup_tools
from app.db.backup_tools import Tools


def test_the_oldest_that_knows_the_server_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    known = tuple(Tools(major, Path(f"/{major}")) for major in (18, 15, 16))
    monkeypatch.setattr(backup_tools, "at_hand", lambda: known)
    assert backup_tools.fitting(14).major == 15
    assert backup_tools.fitting(16).major == 16
    assert backup_tools.fitting(15, archive_major=18).major == 18
    with pytest.raises(ConfigurationError, match=r"19, and the newest .* of version 18"):
        backup_tools.fitting(19)


def test_the_wheels_own_are_at_hand() -> None:
    assert any(tools.major >= 18 for tools in backup_tools.at_hand())


def test_a_folder_without_both_programs_is_none(tmp_path: Path) -> None:
    assert backup_tools._tools(tmp_path) is None
    for name in ("pg_dump", "pg_restore"):
        (tmp_path / name).write_text("#!/bin/sh\necho nothing\n")
        (tmp_path / name).chmod(0o755)
    assert backup_tools._tools(tmp_path) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p%40ss@h:1/d?sslmode=require", "postgresql://u@h:1/d?sslmode=require"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://h/d", "postgresql://h/d"),
    ],
)
def test_no_password_stands_in_the_list_of_processes(url: str, shown: str) -> None:
    assert backup_tools.without_password(url) == shown


def test_the_password_goes_by_the_environment_and_no_foreign_setting_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("BACKUP_KEY", "not for children")
    given = backup_tools._environment("postgresql://u:p%40ss@h:1/d")
    assert given["PGPASSWORD"] == "p@ss"
    assert not {"PGHOST", "BACKUP_KEY"} & set(given)


def test_what_pg_dump_says_is_passed_on(empty_database_url: str) -> None:
    tools = backup_tools.fitting(18)
    with (
        pytest.raises(BackupError, match=r"pg_dump failed: .*snapshot"),
        backup_tools.dumping(tools, empty_database_url, "no-such-snapshot") as archive,
    ):
        archive.read()


def test_what_pg_restore_says_is_passed_on(empty_database_url: str) -> None:
    tools = backup_tools.fitting(18)
    with pytest.raises(BackupError, match=r"pg_restore failed: .*archive"):
        backup_tools.restore(tools, empty_database_url, [b"x" * 1024] * 100, at_once=True)
