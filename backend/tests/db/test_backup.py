"""Backups of a real database: made, read, proved and restored; what is wrong changes nothing."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from app.core.errors import BackupError, ConfigurationError, Unavailable
from app.db import backup, backup_restore, migrations, revisions
from app.db import backup_database as databases
from app.db.backup import Made, Manifest
from app.db.backup_file import Reader
from app.db.backup_state import State
from tests import servers
from tests.mounts import small_disk
from tests.servers import TestServers

KEY = SecretStr("a key for tests, long enough")
WRONG = SecretStr("another key, as long as it")
AT = datetime(2026, 11, 20, 3, tzinfo=UTC)


def execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def value(url: str, query: str) -> Any:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()


def state_of(url: str) -> str:
    with databases.connected(url) as connection:
        return databases.state(connection).hash


def tables_of(url: str) -> int:
    return int(value(url, "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND oid > 16384"))


def scratches(url: str) -> list[str]:
    with databases.connected(url) as connection, connection.cursor() as cursor:
        own = databases.scratch_prefix(connection)
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (own,))
        return [row[0] for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def filled(test_servers: TestServers, template_database: str) -> Iterator[str]:
    """A migrated database with a few rows, for all tests of this file."""
    with servers.copied(test_servers.database_url, template_database) as url:
        execute(
            url, "INSERT INTO instruments (symbol) SELECT 'S' || n FROM generate_series(1, 500) n"
        )
        yield url


@pytest.fixture(scope="module")
def made(filled: str, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("kept") / "backups"
    return backup.create(filled, folder, KEY, secret_id="0a", now=lambda: AT)


@pytest.fixture
def target(test_servers: TestServers) -> Iterator[str]:
    """Another database, empty; whatever a restore kept of it goes, too."""
    with servers.copied(test_servers.database_url, None) as url:
        yield url
        name = databases.database_of(url)
    with servers.administered(test_servers.database_url) as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (f"{name}_",)
        )
        for (kept,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE "{kept}" WITH (FORCE)')


def test_a_backup_says_what_it_holds(made: Made, filled: str) -> None:
    manifest = made.manifest
    assert made.path.name.startswith("tradewright-20261120T030000Z-")
    assert made.path.stat().st_size == made.size
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.is_encrypted
    assert manifest.state_hash == state_of(filled) == manifest.state.hash
    assert manifest.state.tables["public.instruments"].rows > 500
    assert manifest.revision == revisions.head()
    assert {head.stream for head in manifest.heads} >= {"audit", "system"}
    assert manifest.secret_id == "0a"
    assert [found.manifest for found in backup.listed(made.path.parent, KEY)] == [manifest]
    assert backup.listed(made.path.parent / "none", KEY) == []


def test_a_backup_is_proved_by_a_restore(made: Made, filled: str) -> None:
    execute(filled, "DELETE FROM instruments WHERE symbol = 'S7'")
    proof = backup_restore.verify(filled, made.path, KEY)
    assert proof.manifest == made.manifest
    assert proof.restore_seconds <= proof.seconds
    assert scratches(filled) == []


def test_a_restore_that_comes_out_otherwise_is_no_proof(made: Made, filled: str) -> None:
    tables = {**made.manifest.state.tables}
    tables["public.stocks"] = replace(tables["public.stocks"], sum="1")
    state = State(tables)
    saved = replace(made.manifest, state=state, state_hash=state.hash)
    with (
        backup.opened(made.path, KEY) as reader,
        databases.alone(filled) as connection,
        databases.scratch(connection, filled) as url,
        pytest.raises(BackupError, match=r"tables public\.stocks differ"),
    ):
        backup_restore.fill(url, reader, saved)


def test_a_backup_is_one_instants_though_others_write(filled: str, tmp_path: Path) -> None:
    with databases.snapshot(filled) as (connection, _):
        execute(filled, "INSERT INTO instruments (symbol) VALUES ('LATE')")
        within = databases.state(connection).hash
    later = backup.create(filled, tmp_path, None)
    assert within != later.manifest.state_hash == state_of(filled)
    assert not later.is_encrypted


def test_a_backup_fills_an_empty_database(made: Made, target: str) -> None:
    restored = backup_restore.restore(target, made.path, KEY)
    assert restored.kept is None
    assert state_of(target) == made.manifest.state_hash
    assert migrations.differences(target) == []
    execute(target, "INSERT INTO instruments (symbol) VALUES ('NEXT')")  # sequences go on


def test_a_database_that_is_not_empty_is_replaced_only_when_told(made: Made, target: str) -> None:
    execute(target, "CREATE TABLE precious (id int)")
    with pytest.raises(BackupError, match="not empty"):
        backup_restore.restore(target, made.path, KEY)
    assert tables_of(target) == 1

    restored = backup_restore.restore(target, made.path, KEY, replace=True)
    assert state_of(target) == made.manifest.state_hash
    assert restored.kept
    assert tables_of(databases.named(target, restored.kept)) == 1


def test_a_database_that_somebody_uses_is_left_alone(made: Made, target: str) -> None:
    other = psycopg2.connect(target, application_name="a notebook")
    try:
        with pytest.raises(BackupError, match="in use by a notebook"):
            backup_restore.restore(target, made.path, KEY, replace=True)
    finally:
        other.close()
    assert tables_of(target) == 0


def _wrong_key(made: Made, _: Path) -> tuple[Path, SecretStr | None]:
    return made.path, WRONG


def _torn(made: Made, folder: Path) -> tuple[Path, SecretStr | None]:
    torn = folder / "torn.backup"
    torn.write_bytes(made.path.read_bytes()[:-100])
    return torn, KEY


def _changed(made: Made, folder: Path) -> tuple[Path, SecretStr | None]:
    changed = bytearray(made.path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path = folder / "changed.backup"
    path.write_bytes(changed)
    return path, KEY


def _missing(_: Made, folder: Path) -> tuple[Path, SecretStr | None]:
    return folder / "gone.backup", KEY


def _foreign(_: Made, folder: Path) -> tuple[Path, SecretStr | None]:
    path = folder / "foreign.backup"
    path.write_bytes(b"PGDMP, but none of ours")
    return path, KEY


def _folder(_: Made, folder: Path) -> tuple[Path, SecretStr | None]:
    return folder, KEY


WRONG_FILES = {
    _wrong_key: "key does not fit",
    _torn: "torn",
    _changed: "damaged",
    _missing: "does not exist",
    _foreign: "no backup of Tradewright",
    _folder: "cannot be read",
}


def test_what_cannot_be_read_changes_nothing(made: Made, target: str, tmp_path: Path) -> None:
    execute(target, "CREATE TABLE precious (id int)")
    for spoil, said in WRONG_FILES.items():
        path, key = spoil(made, tmp_path)
        with pytest.raises(BackupError, match=said):
            backup_restore.restore(target, path, key, replace=True)
        with pytest.raises(BackupError, match=said):
            backup_restore.verify(target, path, key)
    assert tables_of(target) == 1
    assert scratches(target) == []


def test_a_list_shows_what_cannot_be_read_and_why(made: Made, tmp_path: Path) -> None:
    _torn(made, tmp_path)
    _foreign(made, tmp_path)
    found = backup.listed(tmp_path, KEY)
    assert [one.path.name for one in found] == ["torn.backup", "foreign.backup"]
    assert ["torn" in (one.error or "") for one in found] == [True, False]
    assert [one.is_encrypted for one in found] == [True, False]
    unread = backup.listed(made.path.parent, WRONG)[0]
    assert unread.is_encrypted
    assert "key does not fit" in (unread.error or "")


def test_a_restore_that_fails_in_the_middle_leaves_an_empty_database(
    made: Made, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with backup.opened(made.path, KEY) as reader:
        pieces = list(reader.archive())
    cut = b"".join(pieces)[:-20_000]
    monkeypatch.setattr(Reader, "archive", lambda _: iter([cut]))
    with backup.opened(made.path, KEY) as reader, pytest.raises(BackupError, match="pg_restore"):
        backup_restore.fill(target, reader, made.manifest, at_once=True)
    assert tables_of(target) == 0


def test_what_comes_out_otherwise_leaves_an_empty_database(
    made: Made, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(made.manifest, state_hash="00" * 32)
    monkeypatch.setattr(backup_restore, "checked", lambda _: other)
    with pytest.raises(BackupError, match="is not what was saved"):
        backup_restore.restore(target, made.path, KEY)
    assert tables_of(target) == 0
    monkeypatch.undo()
    backup_restore.restore(target, made.path, KEY)  # it is as empty as it was, and may be written
    assert state_of(target) == made.manifest.state_hash


def test_an_empty_database_can_only_be_read_until_it_is_settled(made: Made, target: str) -> None:
    def settle(url: str, _: Manifest) -> None:
        assert value(target, "SHOW default_transaction_read_only") == "on"
        execute(url, "CREATE TABLE settled (id int)")

    backup_restore.restore(target, made.path, KEY, settle=settle)
    assert value(target, "SHOW default_transaction_read_only") == "off"
    assert value(target, "SELECT to_regclass('settled')") == "settled"


def test_what_cannot_be_settled_does_not_take_the_old_ones_place(made: Made, target: str) -> None:
    def settle(_: str, __: Manifest) -> None:
        raise BackupError("It could not be halted.")

    with pytest.raises(BackupError, match="could not be halted"):
        backup_restore.restore(target, made.path, KEY, settle=settle)
    assert tables_of(target) == 0
    execute(target, "CREATE TABLE precious (id int)")
    with pytest.raises(BackupError, match="could not be halted"):
        backup_restore.restore(target, made.path, KEY, replace=True, settle=settle)
    assert tables_of(target) == 1


def test_a_newer_schema_than_ours_is_refused(
    made: Made, target: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "versions").mkdir()
    monkeypatch.setattr(revisions, "versions_folder", lambda: tmp_path / "versions")
    with pytest.raises(BackupError, match="which this program does not know"):
        backup_restore.restore(target, made.path, KEY)
    assert tables_of(target) == 0


def test_one_at_a_time(filled: str, tmp_path: Path) -> None:
    with databases.alone(filled), pytest.raises(BackupError, match="at work"):
        backup.create(filled, tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_backup_or_proof_left_is_removed(made: Made, filled: str) -> None:
    left = made.path.parent / "tradewright-20261119T030000Z-abcd.partial"
    left.write_bytes(b"half")
    with databases.connected(filled) as connection:
        name = f"{databases.scratch_prefix(connection)}dead"
        databases.make(connection, name)
    with databases.alone(filled) as connection, databases.scratch(connection, filled) as fresh:
        assert scratches(filled) == [databases.database_of(fresh)]
    assert scratches(filled) == []
    backup.create(filled, made.path.parent, KEY)
    assert not left.exists()


def test_a_full_disk_ends_cleanly(filled: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", megabytes=1) as disk:
        disk.fill()
        with pytest.raises(ConfigurationError, match="is full"):
            backup.create(filled, disk.folder / "kept", KEY)
        disk.free()
        disk.fill_but(8192)
        with pytest.raises(ConfigurationError, match="is full"):
            backup.create(filled, disk.folder / "kept", KEY)
        assert list((disk.folder / "kept").iterdir()) == []


def test_a_backup_leaves_room_for_the_journal(filled: str, tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    more_than_there_is = 2 * disk.f_blocks * disk.f_frsize
    with pytest.raises(BackupError, match="MiB left"):
        backup.create(filled, tmp_path / "kept", KEY, spare_bytes=more_than_there_is)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_proof_is_not_tried_where_it_would_fill_the_disk(
    made: Made, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = value(filled, "SELECT pg_database_size(current_database())")
    monkeypatch.setattr(databases, "_room", lambda _: 2 * size)
    with pytest.raises(databases.NotTried, match="no room to prove"):
        backup_restore.verify(filled, made.path, KEY, spare_bytes=2 * size)
    assert scratches(filled) == []


def test_a_server_that_is_away_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        backup.create("postgresql://nobody@127.0.0.1:9/none", tmp_path, None)


def test_a_role_that_may_not_make_databases_can_save_but_not_prove(
    filled: str, tmp_path: Path
) -> None:
    plain = f"{filled}?options=-crole%3Dpg_read_all_data"
    made = backup.create(plain, tmp_path, None)
    with pytest.raises(BackupError, match="may not make another database"):
        backup_restore.verify(plain, made.path, None)
