"""`tradewright audit`: verify, anchor, list."""

import asyncio
from pathlib import Path

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner, Result

from app.console import audit, keys
from app.core.config import get_settings


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(audit.app, arguments)


def test_chains_are_verified_anchored_and_listed(database_url: str) -> None:
    CliRunner().invoke(keys.app, ["create", "--name", "test"])
    found = orjson.loads(run("verify", "--json").output)
    assert {"streams", "rows", "ok", "first_bad"} <= set(found)
    assert (found["ok"], found["rows"]) == (True, 1)
    assert orjson.loads(run("anchor", "--json").output)["anchored"] == 1
    assert orjson.loads(run("verify", "--since-anchors", "--json").output)["rows"] == 0
    assert "api_key" in run("list", "--resource", "api_key").output
    asyncio.run(_tamper(database_url))
    bad = run("verify")
    assert bad.exit_code == 1
    assert "Stream audit is broken at 1" in bad.output
    assert orjson.loads(run("verify", "--json").output)["first_bad"]["seq"] == 1
    assert run("anchor", "--restart", "--reason", "a test").exit_code == 1


async def _tamper(url: str) -> None:
    db = await asyncpg.connect(url)
    async with db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE audit_trail SET actor = 'eve' WHERE seq = 1")
    await db.close()
