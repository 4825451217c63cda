"""`tradewright backup` and `tradewright upgrade`, as a person runs them."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from app import cli
from app.core.config import get_settings
from app.core.errors import ConfigurationError
from app.db import backup_database as databases
from app.db import home as home_folder
from app.db import migrations, revisions
from app.db.embedded import EmbeddedPostgres, started
from tests import servers
from tests.servers import TestServers

Run = Callable[..., tuple[int, str, str]]
KEY = "a key for tests, long enough"


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`run("backup", "list")` → exit code, stdout, stderr; the home is this test's own."""
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path / "home"))

    def call(*words: object) -> tuple[int, str, str]:
        get_settings.cache_clear()
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main([str(word) for word in words])
        output = capfd.readouterr()
        return int(end.value.code or 0), output.out, output.err

    return call


@pytest.fixture(scope="module")
def source(test_servers: TestServers, template_database: str) -> Iterator[str]:
    with servers.copied(test_servers.database_url, template_database) as url:
        yield url


@pytest.fixture
def at_source(run: Run, monkeypatch: pytest.MonkeyPatch, source: str) -> Run:
    monkeypatch.setenv("DATABASE_URL", source)
    monkeypatch.setenv("BACKUP_KEY", KEY)
    monkeypatch.setenv("BACKUP_SPARE_MB", "0")
    return run


def answered(result: tuple[int, str, str]) -> Any:
    code, said, complaint = result
    assert code == 0, complaint
    return json.loads(said)


def state_of(url: str) -> str:
    with databases.connected(url) as connection:
        return databases.state(connection).hash


def test_a_backup_is_made_listed_and_proved(at_source: Run, tmp_path: Path) -> None:
    row = answered(at_source("backup", "create", "--no-verify", "--json"))
    assert (row["status"], row["verified_at"]) == ("finished", None)
    (tmp_path / "key").write_text(f"{KEY}\n")
    code, said, _ = at_source(
        "backup", "verify", Path(row["path"]).name, "--key-file", tmp_path / "key"
    )
    assert code == 0
    assert "holds: restored in" in said
    listed = answered(at_source("backup", "list", "--json"))
    assert [(one["path"], one["encrypted"]) for one in listed] == [(row["path"], "yes")]
    assert listed[0]["proved_at"]
    assert listed[0]["state_hash"] == row["state_hash"]


def test_a_fresh_home_gets_the_same_state(
    at_source: Run, monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path
) -> None:
    row = answered(at_source("backup", "create", "--no-verify", "--json"))
    fresh = tmp_path / "fresh"
    monkeypatch.setenv("BACKUP_KEY", "another key, as long as it")
    code, _, said = at_source("backup", "restore", row["path"], "--home", fresh)
    assert (code, "key does not fit" in said) == (1, True)
    assert not fresh.exists()

    monkeypatch.setenv("BACKUP_KEY", KEY)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    code, said, _ = at_source("backup", "restore", row["path"], "--home", fresh, "--no-halt")
    assert code == 0
    assert "Trading is halted" not in said
    assert "state hash equal" in said
    assert "has no secret.key" in said
    assert "Redis does not answer" in said
    assert "empty it before the first start" in said
    assert "vault.keys beside it" in said
    (fresh / "secret.key").write_text("5e" * 32)
    (fresh / "secret.key").chmod(0o600)
    with (
        home_folder.held(fresh, "a test"),
        started(EmbeddedPostgres(fresh)) as postgres,
    ):
        assert state_of(postgres.url) == row["state_hash"]
        code, _, said = at_source("backup", "restore", row["path"], "--home", fresh, "--replace")
        assert (code, "already in use by" in said) == (1, True)

    with redis.Redis.from_url(redis_url) as client:
        client.xadd("events:system", {"event": "{}"})
    monkeypatch.setenv("REDIS_URL", redis_url)
    code, said, _ = at_source("backup", "restore", row["path"], "--home", fresh, "--replace")
    assert code == 0
    assert "Redis has forgotten the database that was there (1 removed)." in said
    assert "is now called tradewright_before_" in said
    assert "secret key here is not the one" in said
    assert "audit anchor --restart" in said
    assert "Trading is halted" in said
    with (
        home_folder.held(fresh, "a test"),
        started(EmbeddedPostgres(fresh)) as postgres,
        databases.connected(postgres.url) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT state, reason FROM trading_state WHERE scope = 'all'")
        state, reason = cursor.fetchone() or ("", "")
        assert (state, reason[:24]) == ("halted", "Restored from the backup")
        cursor.execute("SELECT count(*) FROM backups WHERE status = 'running'")
        assert cursor.fetchone() == (0,)


def test_what_cannot_be_restored_is_said_with_exit_code_1(
    at_source: Run, source: str, tmp_path: Path
) -> None:
    before = state_of(source)
    (tmp_path / "foreign.backup").write_bytes(b"PGDMP and so on, none of ours")
    for words, said in {
        ("restore", tmp_path / "none.backup"): "does not exist",
        ("restore", tmp_path / "foreign.backup"): "no backup of Tradewright",
        ("verify", tmp_path / "foreign.backup"): "no backup of Tradewright",
        ("verify",): "There is no backup in",
        ("verify", "newest", "--key-file", tmp_path / "no-key"): "no backup in",
    }.items():
        code, _, complaint = at_source("backup", *words)
        assert (code, said in complaint) == (1, True), complaint
    assert state_of(source) == before


def test_a_home_that_is_held_is_not_restored_over(at_source: Run, tmp_path: Path) -> None:
    row = answered(at_source("backup", "create", "--no-verify", "--json"))
    with home_folder.held(tmp_path / "home", "tradewright up"):
        code, _, said = at_source("backup", "restore", row["path"])
    assert (code, "in use by process" in said) == (1, True)
    code, _, said = at_source("backup", "restore", row["path"], "--key-file", tmp_path / "gone")
    assert (code, "key file" in said) == (1, True)


def test_without_a_database_there_is_nothing_to_save(run: Run) -> None:
    code, _, said = run("backup", "create")
    assert (code, "no database here yet" in said) == (1, True)
    code, said, _ = run("backup", "list")
    assert (code, "Nothing to show." in said) == (0, True)


def test_an_upgrade_is_tried_on_a_copy_first(
    run: Run, monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("BACKUP_SPARE_MB", "0")
    migrations.downgrade(database_url, "-1")
    old, head = revisions.current(database_url), revisions.head()
    assert old != head
    checked = answered(run("upgrade", "--check", "--json"))
    assert (checked["ok"], checked["from"], checked["to"]) == (True, old, head)
    assert revisions.current(database_url) == old

    with home_folder.held(tmp_path / "home", "tradewright up"):
        code, _, said = run("upgrade")
    assert (code, "The platform runs" in said) == (1, True)

    holders: list[str] = []
    migrate = migrations.upgrade

    def watched(url: str) -> None:
        if url == database_url:
            holders.append(home_folder.holder(tmp_path / "home"))
            with pytest.raises(ConfigurationError, match="already in use"):
                home_folder.held(tmp_path / "home", "tradewright up").__enter__()
        migrate(url)

    monkeypatch.setattr(migrations, "upgrade", watched)
    code, said, _ = run("upgrade")
    assert code == 0
    assert holders == [f"process {os.getpid()} (tradewright upgrade)"]
    assert not home_folder.is_held(tmp_path / "home")
    assert f"The database went from revision {old} to {head}." in said
    assert revisions.current(database_url) == head
