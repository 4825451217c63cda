"""The commands of the platform, run as a person runs them: words in, exit code and text out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from app import cli
from app.core import env_example, system_config
from app.core.backup import BackupOptions
from app.core.config import get_settings
from app.db import revisions

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`run("db", "url")` → exit code, stdout, stderr; the home is this test's own."""
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path / "home"))

    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        output = capfd.readouterr()
        return int(end.value.code or 0), output.out, output.err

    return call


def test_help_lists_every_command_and_imports_none(run: Run) -> None:
    code, said, _ = run("--help")
    assert code == 0
    for name in cli.COMMANDS:
        assert f"  {name} " in said
    script = "import sys; from app import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
    script += "print([m for m in sys.modules if m.startswith(('app.console', 'pydantic', 'rich'))])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_wrong_command_is_answered_with_the_nearest(run: Run) -> None:
    code, _, said = run("stauts")
    assert code == 2
    assert "There is no command 'stauts'. Did you mean status?" in said
    assert run("db", "upgrad")[0] == 2


def test_no_words_at_all_show_the_help(run: Run) -> None:
    code, said, more = run()
    assert "Commands:" in said + more
    assert code in (0, 2)


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, "tradewright 0.1.0\n", "")


def test_config_check_says_that_it_loaded_and_what_is_missing(run: Run) -> None:
    code, said, _ = run("config", "check")
    assert code == 0
    assert said.startswith("Config loaded successfully\n")
    assert "alpaca       not switched on; needs ALPACA_API_KEY, ALPACA_SECRET_KEY" in said


def test_config_check_speaks_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIVER_API_KEY", "canary-key")
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("API_HOST", "0.0.0.0")
    code, said, _ = run("config", "check", "--json")
    result = json.loads(said)
    assert (code, result["ok"], result["environment"]) == (0, True, "production")
    assert result["vendors"]["quiver"] == {"ready": True, "missing": []}
    assert len(result["advice"]) == 3
    assert "canary" not in said


def test_a_wrong_setting_fails_with_its_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "x")
    assert run("config", "check")[0] == 1
    code, said, _ = run("config", "check", "--json")
    assert code == 1
    assert json.loads(said)["error"]["detail"].startswith("API_PORT: ")


def test_config_get_shows_the_limits_as_they_apply(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert json.loads(run("config", "get", "max_position_size", "--json")[1]) == {
        "max_position_size": "0.05"
    }
    code, said, _ = run("config", "get")
    assert code == 0
    assert "order_timeout_seconds" in said
    assert run("config", "history") == (0, "Nothing to show.\n", "")


def test_an_unknown_limit_is_answered_with_the_nearest(run: Run) -> None:
    code, _, said = run("config", "get", "max_positon_size")
    assert code == 2
    assert "Did you mean max_position_size?" in said


def test_config_set_changes_a_limit_with_its_history(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    asked = run("config", "set", "market_data_refresh_seconds", "5", "--reason", "slow line")
    assert asked[:2] == (0, "market_data_refresh_seconds is 5 now.\n")
    changes = json.loads(run("config", "history", "--json")[1])
    assert [(one["before"], one["after"], one["reason"]) for one in changes] == [
        (1, 5, "slow line")
    ]
    assert run("config", "set", "max_position_size", "0.1")[0] == 0
    assert json.loads(run("config", "get", "max_position_size", "--json")[1]) == {
        "max_position_size": "0.1"
    }
    back = run("config", "rollback", str(changes[0]["id"]), "--reason", "fast line")
    assert back[:2] == (0, "market_data_refresh_seconds is 1 now.\n")
    code, _, said = run("config", "set", "market_data_refresh_seconds", "0")
    assert code == 2
    assert "must lie between 1 and 3600" in said
    assert run("config", "set", "market_data_refresh_seconds", "soon")[0] == 2


def test_config_shows_where_each_value_comes_from(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_TICKS_DAYS", "40")
    _, said, complaint = run("config", "show", "--json")
    assert "What people changed while it ran is not shown" in complaint
    shown = {one["variable"]: (one["value"], one["source"]) for one in json.loads(said)}
    assert shown["RETENTION_TICKS_DAYS"] == (40, "environment")
    assert "SESSION_HOURS" not in shown

    monkeypatch.setenv("DATABASE_URL", database_url)
    get_settings.cache_clear()
    system_config.read_again()
    assert run("config", "set", "sessions.hours", "8")[:2] == (0, "sessions.hours is 8 now.\n")
    assert "cannot be 99" in run("config", "set", "sessions.hours", "99")[2]
    _, said, _ = run("config", "show", "--all", "--json")
    shown = {one["variable"]: (one["value"], one["source"]) for one in json.loads(said)}
    assert shown["SESSION_HOURS"] == (8, "stored")
    assert shown["SESSION_IDLE_MINUTES"] == (30, "default")
    assert shown["DATABASE_URL"] == ("(set)", "environment")
    assert shown["LOG_LEVEL"] == ("DEBUG", "profile")
    assert database_url not in said
    got = json.loads(run("config", "get", "--category", "sessions", "--json")[1])
    assert got == {
        "sessions.idle_minutes": 30,
        "sessions.hours": 8,
        "sessions.refresh_days": 30,
    }
    assert run("config", "set", "backups.time", "05:07")[0] == 0
    assert "7 5 * * * (America/New_York)" in run("jobs", "list")[1]
    assert BackupOptions().time == "01:30"  # nothing of it stays in this process
    assert run("config", "set", "sessions.hours", "null")[:2] == (0, "sessions.hours is 12 now.\n")


def test_config_example_is_the_file(run: Run) -> None:
    assert run("config", "example") == (0, env_example.document(), "")


def test_db_url_prints_what_psql_and_sqlalchemy_take(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://u:p@h:5432/d")
    assert run("db", "url")[1] == "postgresql://u:p@h:5432/d\n"
    assert run("db", "url", "--sqlalchemy")[1] == "postgresql+psycopg2://u:p@h:5432/d\n"
    assert json.loads(run("db", "url", "--json")[1]) == {"url": "postgresql://u:p@h:5432/d"}


def test_db_url_without_a_database_says_how_to_get_one(run: Run) -> None:
    code, _, said = run("db", "url")
    assert code == 1
    assert "Start one with `tradewright up`, or set DATABASE_URL" in said


def test_the_database_goes_up_and_down_and_is_checked(
    run: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    head = revisions.head()
    assert run("db", "check")[0] == 1
    assert run("db", "upgrade") == (0, f"The database is at revision {head}.\n", "")
    assert json.loads(run("db", "check", "--json")[1])["ok"] is True
    assert run("db", "downgrade", "-1")[0] == 0
    assert run("db", "check")[0] == 1
    assert run("db", "downgrade", "base") == (0, "The database is at revision base.\n", "")


def test_an_unknown_revision_is_wrong_use(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    code, _, said = run("db", "upgrade", "nonsense")
    assert code == 2
    assert "nonsense" in said


def test_commands_start_the_embedded_database_for_themselves(run: Run) -> None:
    assert run("db", "upgrade")[0] == 0
    assert json.loads(run("db", "check", "--json")[1])["ok"] is True


def test_status_reads_the_database(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    code, said, _ = run("status", "--json")
    result = json.loads(said)
    assert code == 0
    assert (result["trading_state"], result["open_orders"]) == ("active", 0)
    assert result["health"]["status"] == "unhealthy"
    assert result["deployments"] == result["positions"] == []
    assert run("status")[1].startswith("Trading is active.\n")


def test_status_shows_the_strictest_trading_state(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    with closing(psycopg2.connect(database_url)) as db, db, db.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trading_state (scope, state) VALUES"
            " ('account:1', 'reducing'), ('account:2', 'halted'), ('account:3', 'active')"
        )
    assert json.loads(run("status", "--json")[1])["trading_state"] == "halted"


def test_status_of_an_empty_database_says_what_to_do(
    run: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    code, _, said = run("status")
    assert code == 1
    assert "never migrated. Run `tradewright db upgrade`." in said


def test_status_without_a_database_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@127.0.0.1:1/x")
    code, _, said = run("status")
    assert code == 1
    assert "The database does not answer" in said


def checks(said: str) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(said)["checks"]}


def test_doctor_finds_a_fresh_machine_in_order(run: Run, tmp_path: Path) -> None:
    code, said, _ = run("doctor", "--json")
    found = checks(said)
    assert code == 0, said
    assert found["python"]["status"] == found["binaries"]["status"] == "ok"
    assert found["database"]["status"] == found["redis"]["status"] == "warning"
    assert not (tmp_path / "home").exists()


def test_doctor_finds_running_parts_in_order(
    run: Run, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    (tmp_path / "home" / "run").mkdir(parents=True)
    found = checks(run("doctor", "--json")[1])
    assert found["database"]["status"] == found["redis"]["status"] == "ok"
    assert found["home"]["detail"].endswith("in use by nobody")


def test_doctor_says_what_is_wrong_and_what_to_do(
    run: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    (tmp_path / "home" / "run").mkdir(parents=True)
    (tmp_path / "home" / "secret.key").write_text("short")
    code, said, _ = run("doctor")
    assert code == 1
    assert "failed   key" in said
    assert "failed   redis" in said
    assert "→ Run `tradewright db upgrade`." in said


def test_doctor_with_a_wrong_setting_stops_at_the_settings(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_PORT", "x")
    code, said, _ = run("doctor", "--json")
    assert code == 1
    assert list(checks(said)) == ["python", "settings"]


def test_up_refuses_what_is_not_there(run: Run, tmp_path: Path) -> None:
    code, _, said = run("up", "--replay", str(tmp_path / "nothing"))
    assert code == 2
    assert "There is nothing at" in said


def test_up_becomes_the_supervisor_with_the_settings_in_its_environment(tmp_path: Path) -> None:
    """Its port is taken, so that it stops at once and shows what it was given."""
    replay = tmp_path / "bars"
    replay.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    ) as other:
        assert other.stdout
        port = other.stdout.readline().split(" port ")[1].split()[0]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "app.cli", "up", "--port", port),
                *("--home", str(tmp_path / "home"), "--replay", str(replay), "--speed", "0"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        other.kill()
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use" in done.stderr
    assert not (tmp_path / "home").exists()
