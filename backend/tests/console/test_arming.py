"""`tradewright accounts arm`: number, password and code are asked for, never arguments."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from app.console import accounts, users
from app.core.config import get_settings
from app.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated

PASSWORD = "seven blue herons at dawn"


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("TRADEWRIGHT_LIVE_TRADING", "true")
    for name in ("TWELVE_DATA_API_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "a-key-of-a-test")
    monkeypatch.setenv("ALPACA_BASE_URL", "https://api.alpaca.markets")
    get_settings.cache_clear()


def run(*arguments: str, typed: str | None = None, app: object = accounts.app) -> Result:
    return CliRunner().invoke(app, arguments, input=typed)  # type: ignore[arg-type]  # a Typer app


def test_an_admin_arms_and_anybody_at_the_machine_disarms() -> None:
    for email, role in (("ada@example.com", "admin"), ("tom@example.com", "trader")):
        assert not run("add", email, "--role", role, typed=f"{PASSWORD}\n", app=users.app).exception
    made = run(
        "create", "Real", "--feeds", "twelve_data", "--symbols", "SPY", "--broker", "alpaca",
        "--mode", "live", "--json",
    )  # fmt: skip
    number = orjson.loads(made.output)["id"]
    arm = ("arm", "Real", "--email")
    assert isinstance(
        run(*arm, "ada@example.com", typed=f"{number}\nwrong\n\n").exception, Unauthenticated
    )
    assert isinstance(
        run(*arm, "tom@example.com", typed=f"{number}\n{PASSWORD}\n\n").exception, Forbidden
    )
    assert isinstance(
        run(*arm, "ada@example.com", typed=f"yes\n{PASSWORD}\n\n").exception, InvalidInput
    )
    done = run(*arm, "ada@example.com", "--json", typed=f"{number}\n{PASSWORD}\n\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    assert orjson.loads(run("disarm", "Real", "--json").output)["armed_at"] is None
    assert isinstance(run("disarm", "Reel").exception, NotFound)


def test_a_paper_account_is_not_armed() -> None:
    run("add", "ada@example.com", "--role", "admin", typed=f"{PASSWORD}\n", app=users.app)
    run("create", "Mine", "--feeds", "twelve_data", "--symbols", "SPY")
    failed = run("arm", "Mine", "--email", "ada@example.com", typed=f"1\n{PASSWORD}\n\n")
    assert isinstance(failed.exception, Conflict)
