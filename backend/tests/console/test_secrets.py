"""`tradewright secrets`: values come from stdin or a file, and never come back."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from app.console import secrets
from app.core import credentials
from app.core.config import get_settings
from app.core.errors import ConfigurationError, NotFound
from app.core.vault import FILE

SECRET = "PKCANARYCANARY99"


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("TRADEWRIGHT_ENV_FILE", str(tmp_path / ".env"))
    get_settings.cache_clear()
    yield
    credentials.offer({})
    get_settings.cache_clear()


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(secrets.app, arguments, input=typed)


def test_a_key_is_set_from_stdin_listed_and_forgotten() -> None:
    done = run("set", "ALPACA_API_KEY", typed=f"{SECRET}\n")
    assert done.exit_code == 0, done.output
    listed = run("list", "--json")
    assert SECRET not in done.output + listed.output + run("list").output
    rows = {row["name"]: row for row in orjson.loads(listed.output)["credentials"]}
    assert rows["ALPACA_API_KEY"]["source"] == "stored"
    assert run("delete", "ALPACA_API_KEY").exit_code == 0
    assert isinstance(run("delete", "ALPACA_API_KEY").exception, NotFound)


def test_a_key_is_set_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET)
    assert run("set", "QUIVER_API_KEY", "--file", str(file)).exit_code == 0
    secrets.offer_stored()
    assert credentials.offered("QUIVER_API_KEY") == SECRET


def test_one_that_the_environment_has_too_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIVER_API_KEY", "given")
    assert "goes before it" in run("set", "QUIVER_API_KEY", typed=SECRET).output


def test_a_value_is_no_argument() -> None:
    assert run("set", "ALPACA_API_KEY", SECRET).exit_code == 2


def test_a_rotation_makes_a_key_and_seals_all_under_it(tmp_path: Path) -> None:
    run("set", "ALPACA_API_KEY", typed=SECRET)
    done = orjson.loads(run("rotate", "--json").output)
    assert done["sealed_anew"]["credentials"] == 1
    rows = orjson.loads(run("list", "--json").output)["credentials"]
    assert done["new_key_id"] in {row["key_id"] for row in rows}
    resumed = orjson.loads(run("rotate", "--resume", "--json").output)
    assert (resumed["new_key_id"], resumed["sealed_anew"]["credentials"]) == (None, 0)
    assert len((tmp_path / FILE).read_text().split()) == 1


def test_a_rotation_that_must_be_done_elsewhere_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWRIGHT_VAULT_KEYS", "ab" * 32)
    get_settings.cache_clear()
    assert isinstance(run("rotate").exception, ConfigurationError)
    assert run("rotate", "--resume").exit_code == 0


def test_without_a_database_commands_go_on_without_stored_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    get_settings.cache_clear()
    secrets.offer_stored()
    assert credentials.offered("ALPACA_API_KEY") is None
