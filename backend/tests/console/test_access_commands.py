"""`keys`, `users`, `openapi` and `api` from the command line."""

from pathlib import Path

import orjson
import psycopg2
import pytest
from typer.testing import CliRunner, Result

from app.console import api, keys, users
from app.console.openapi import openapi, rendered
from app.core.config import Settings, get_settings
from app.core.errors import ConfigurationError, Conflict, InvalidInput, NotFound
from app.domain.users import CONSOLE

PASSWORD = "seven blue herons at dawn"


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()


def run(app: object, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=typed)  # type: ignore[arg-type]  # a Typer app


def made(*arguments: str) -> dict[str, object]:
    done = run(keys.app, "create", "--name", "test", *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, object] = orjson.loads(done.output)
    return found


def test_a_key_is_made_before_anybody_has_signed_up() -> None:
    key = made("--scopes", "read,trade,admin")
    assert str(key["key"]).startswith(f"tw_{key['id']}_")
    assert key["scopes"] == ["admin", "read", "trade"]
    assert made("--days", "30")["expires_at"] is not None


def test_the_consoles_own_user_is_nobody() -> None:
    made()
    assert orjson.loads(run(users.app, "list", "--json").output) == {"users": []}
    assert CONSOLE not in run(users.app, "list").output


def test_keys_are_listed_and_revoked() -> None:
    key = str(made()["id"])
    assert key in run(keys.app, "list").output
    assert run(keys.app, "revoke", key).exit_code == 0
    [row] = orjson.loads(run(keys.app, "list", "--json").output)["keys"]
    assert row["revoked_at"] is not None
    assert isinstance(run(keys.app, "revoke", key).exception, NotFound)


@pytest.mark.parametrize("scopes", ["reed", "", "read,everything"])
def test_a_wrong_scope_is_named(scopes: str) -> None:
    done = run(keys.app, "create", "--name", "n", "--scopes", scopes)
    assert isinstance(done.exception, InvalidInput)
    assert "trade" in str(done.exception)


def test_people_are_added_with_a_password_from_stdin() -> None:
    done = run(users.app, "add", "ada@example.com", "--role", "admin", typed=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    assert "ada@example.com" in run(users.app, "list").output
    again = run(users.app, "add", "ada@example.com", typed=f"{PASSWORD}\n")
    assert isinstance(again.exception, Conflict)


def test_a_key_belongs_to_the_first_admin_or_whom_one_names() -> None:
    run(users.app, "add", "ada@example.com", "--role", "admin", typed=f"{PASSWORD}\n")
    run(users.app, "add", "eve@example.com", typed=f"{PASSWORD}\n")
    assert made("--scopes", "admin")["scopes"] == ["admin"]
    assert made("--email", "eve@example.com")["scopes"] == ["read"]
    nobody = run(keys.app, "create", "--name", "n", "--email", "bob@example.com")
    assert isinstance(nobody.exception, NotFound)


@pytest.mark.parametrize(("email", "typed"), [("ada", PASSWORD), ("ada@example.com", "short")])
def test_wrong_people_are_refused(email: str, typed: str) -> None:
    assert isinstance(run(users.app, "add", email, typed=f"{typed}\n").exception, InvalidInput)


def test_the_openapi_document_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    openapi()
    assert capsys.readouterr().out == rendered()


async def test_loopback_needs_nothing() -> None:
    await api.check_binding(get_settings())


async def refused(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        await api.check_binding(Settings())
    return str(caught.value)


async def test_others_are_refused_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "without TLS" in await refused(monkeypatch, API_HOST="0.0.0.0")


async def test_others_are_refused_before_somebody_has_signed_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    why = await refused(monkeypatch, API_HOST="0.0.0.0", API_TRUSTED_PROXIES="10.0.0.0/8")
    assert "users add" in why


def test_a_proxy_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TRUSTED_PROXIES", "everybody")
    with pytest.raises(ConfigurationError, match="API_TRUSTED_PROXIES"):
        Settings()


def test_a_forgotten_password_is_replaced_by_whoever_owns_the_machine() -> None:
    run(users.app, "add", "ada@example.com", "--role", "admin", typed=f"{PASSWORD}\n")
    done = run(users.app, "password", "ada@example.com", typed="nine grey owls at noon\n")
    assert done.exit_code == 0, done.output
    assert "may sign in with the new password" in done.output


@pytest.mark.parametrize(
    ("email", "typed", "error"),
    [
        ("nobody@example.com", PASSWORD, NotFound),
        ("ada@example.com", "short", InvalidInput),
    ],
)
def test_a_password_is_not_replaced_for_a_stranger_or_by_a_weak_one(
    email: str, typed: str, error: type[Exception]
) -> None:
    run(users.app, "add", "ada@example.com", typed=f"{PASSWORD}\n")
    assert isinstance(run(users.app, "password", email, typed=f"{typed}\n").exception, error)


def test_a_key_is_bound_to_addresses_and_to_a_size() -> None:
    bounds = ("--scopes", "trade", "--address", "10.0.0.7", "--address", "192.168.0.0/16")
    key = made(*bounds, "--notional-cap", "25000")
    assert key["addresses"] == ["10.0.0.7/32", "192.168.0.0/16"]
    assert str(key["notional_cap"]).startswith("25000")
    assert "192.168.0.0/16" in run(keys.app, "list").output


@pytest.mark.parametrize(
    "bound", [("--address", "home"), ("--notional-cap", "much"), ("--notional-cap", "-1")]
)
def test_what_is_no_bound_is_refused(bound: tuple[str, str]) -> None:
    done = run(keys.app, "create", "--name", "n", *bound)
    assert isinstance(done.exception, InvalidInput)


def test_people_are_changed_and_shut_out() -> None:
    for email in ("ada@example.com", "eve@example.com"):
        run(users.app, "add", email, "--role", "admin", typed=f"{PASSWORD}\n")
    done = run(users.app, "change", "eve@example.com", "--role", "viewer", "--inactive")
    assert "eve@example.com is viewer and is shut out" in done.output
    back = run(users.app, "change", "eve@example.com", "--active", "--name", "Eve", "--json")
    row = orjson.loads(back.output)
    assert (row["is_active"], row["name"], row["role"]) == (True, "Eve", "viewer")
    last = run(users.app, "change", "ada@example.com", "--role", "viewer")
    assert isinstance(last.exception, Conflict)
    nobody = run(users.app, "change", "bob@example.com", "--inactive")
    assert isinstance(nobody.exception, NotFound)


def test_a_lost_second_factor_is_taken_off_by_whoever_owns_the_machine(database_url: str) -> None:
    run(users.app, "add", "ada@example.com", "--role", "admin", typed=f"{PASSWORD}\n")
    none = run(users.app, "second-factor-off", "ada@example.com")
    assert isinstance(none.exception, NotFound)
    with psycopg2.connect(database_url) as db, db.cursor() as cursor:
        cursor.execute(
            "UPDATE users SET totp_secret = 'x', totp_key_id = 'k', totp_confirmed_at = now()"
        )
    db.close()
    assert orjson.loads(run(users.app, "list", "--json").output)["users"][0]["has_second_factor"]
    done = run(users.app, "second-factor-off", "ada@example.com")
    assert "with the password alone" in done.output
    row = orjson.loads(run(users.app, "list", "--json").output)["users"][0]
    assert row["has_second_factor"] is False
