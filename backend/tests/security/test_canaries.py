"""Secrets are planted everywhere; then logs, database, API answers, output, traces and backups are
searched."""

import base64
import io
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from app.api.parts import Parts
from app.console import audit, config, secrets
from app.console.users import app as users_app
from app.core import credentials as known
from app.core import logging as logs
from app.core.backup import BackupOptions
from app.core.errors import ConfigurationError
from app.core.monitoring import TracingOptions
from app.core.options import Options
from app.db import backup
from app.db.address import database_url
from app.main import create_app
from app.monitoring.traces import TYPES, TraceHandler, Tracer
from app.services.credentials import offer
from tests.api.world import OURS, World, client_of
from tests.monitoring.test_traces import Collector, journaled
from tests.monitoring.test_traces import collector as collector  # a fixture

MASTER = "c0ffee" * 10 + "c0de"
CANARIES = {
    "database password": "canary-db-5f1d0a",
    "key of the environment": "CANARYENVKEY7731",
    "stored key": "CANARYSTOREDKEY9042",
    "replaced key": "CANARYREPLACEDKEY118",
    "password": "canary password of ada",
    "wrong password": "canary guess of mallory",
    "password of the command line": "canary password of bob",
    "channel": "canary-mail-password",
    "backup key": "canary-of-the-backups",
    "trace header": "canary-of-the-collector",
    "master key": MASTER,
}
ONE_ANSWER = {"/api/auth/totp"}
"Answers that show a secret, once, to the person who asked for it."


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    url = os.environ["DATABASE_URL"]
    if password := urlsplit(url).password:  # a server that asks for one has a secret of its own
        environment.setitem(CANARIES, "database password", password)
    else:
        planted = url.replace("@", f":{CANARIES['database password']}@", 1)
        environment.setenv("DATABASE_URL", planted)
    environment.setenv("ALPACA_API_KEY", CANARIES["key of the environment"])
    environment.setenv("TRADEWRIGHT_SECRET_KEY", MASTER)
    environment.setenv("BACKUP_KEY", CANARIES["backup key"])
    environment.setenv("BACKUP_SPARE_MB", "0")
    environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-key={CANARIES['trace header']}")
    environment.setenv("LOG_DIR", str(tmp_path / "logs"))
    environment.setenv("LOG_LEVEL", "DEBUG")
    return environment


@pytest.fixture
def console(environment: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything is logged, to files and to the console, as in the running product."""
    assert environment
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    said = io.StringIO()
    logs.configure_logging("api", console=said)
    yield said
    logs.reset_logging()
    root.handlers, root.level = before
    known.offer({})


@pytest.fixture
async def app(console: io.StringIO) -> AsyncIterator[FastAPI]:
    assert console
    app = create_app()
    async with app.router.lifespan_context(app):
        yield app


def forms(secret: str) -> set[str]:
    """How a secret may be written."""
    raw = secret.encode()
    return {secret, quote(secret), raw.hex(), base64.b64encode(raw).decode().rstrip("=")}


def found_in(text: str, secrets_: dict[str, str]) -> list[str]:
    lowered = text.lower()
    return [
        name
        for name, secret in secrets_.items()
        if any(form.lower() in lowered for form in forms(secret))
    ]


async def dump(parts: Parts) -> str:
    """Every row of every table, as text; what `pg_dump` would write."""
    names = await parts.pool.fetch(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    whole = io.BytesIO()
    async with parts.pool.acquire() as db:
        for row in names:
            await db.copy_from_query(f"SELECT * FROM {row['name']}", output=whole)
    return whole.getvalue().decode(errors="replace")


async def traced(parts: Parts, world: World, collector: Collector) -> str:
    """What the collector is sent of an order's whole life, and of everything people did."""
    await world.bars([100.0])
    await world.bars([100.0], symbol="SPY")
    account = await world.account("Traced")
    await world.deployment(account)
    events = await journaled(parts.pool, account)
    options = TracingOptions(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    tracer = Tracer(options)
    handler = TraceHandler(tracer)
    async with parts.pool.acquire() as db:
        for event in events:
            if event.event_type in TYPES:
                await handler.handle(event, db)
    await tracer.flush()
    tracer.close()
    assert any(CANARIES["trace header"] in str(headers) for _, headers in collector.seen)
    return collector.raw.decode(errors="replace")


def backed_up(url: str, folder: Path) -> dict[str, str]:
    """A sealed backup as it lies on the disk, and all that a plain one holds."""
    key = BackupOptions().key
    sealed = backup.create(url, folder / "sealed", key, secret_id="x").path
    plain = backup.create(url, folder / "plain", None, secret_id="x").path
    with backup.opened(plain, None) as reader:
        manifest = str(backup.manifest_of(reader))
        archive = b"".join(reader.archive())
    return {
        "sealed": sealed.read_bytes().decode(errors="replace"),
        "plain": archive.decode(errors="replace"),
        "manifest": manifest + plain.read_bytes()[:4096].decode(errors="replace"),
    }


async def used(client: httpx.AsyncClient, parts: Parts, world: World) -> tuple[str, dict[str, str]]:
    """What people do with secrets, right and wrong; every answer, and secrets made on the way."""
    await world.account()
    said: list[str] = []
    made: dict[str, str] = {}

    async def ask(method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        answer = await client.request(method, path, json=body, headers=headers)
        if path not in ONE_ANSWER:
            said.append(f"{answer.headers} {answer.text}")
        return answer

    token = await parts.auth.first_run_token()
    person = {"email": "ada@example.com", "password": CANARIES["password"]}
    signed = await client.post("/api/auth/sign-up", json={"token": token, "name": "Ada", **person})
    assert signed.status_code < 300, signed.text
    made["session"] = next(iter(signed.cookies.values()))
    made["sign-up token"] = str(token)
    await ask("POST", "/api/auth/sign-in", {**person, "password": CANARIES["wrong password"]})
    key = await client.post("/api/api-keys", json={"name": "k", "scopes": ["read", "admin"]})
    assert key.status_code == 201, key.text
    made["API key"] = key.json()["key"].split("_")[-1]
    totp = await client.post("/api/auth/totp", json={})
    assert totp.status_code < 300, totp.text
    made["one-time secret"] = totp.json()["secret"]
    await ask("GET", "/api/accounts", authorization=f"Bearer {key.json()['key']}x")
    for value in (CANARIES["replaced key"], CANARIES["stored key"]):
        answer = await ask("PUT", "/api/credentials/ALPACA_SECRET_KEY", {"value": value})
        assert answer.status_code == 200, answer.text
    await ask("PUT", "/api/credentials/NO_SUCH_KEY", {"value": CANARIES["stored key"]})
    await ask("PUT", "/api/credentials/ALPACA_SECRET_KEY", {"valeu": CANARIES["stored key"]})
    url = f"mailtos://ada:{CANARIES['channel']}@example.invalid?to=ada@example.com"
    channel = await ask("POST", "/api/notification-channels", {"name": "mail", "url": url})
    assert channel.status_code == 201, channel.text
    await ask("POST", f"/api/notification-channels/{channel.json()['id']}/test")
    for path, methods in paths().items():
        if "get" in methods and "{" not in path:
            await ask("GET", path)
    return "\n".join(said), made


def paths() -> dict[str, Any]:
    """Every path of the API."""
    found: dict[str, Any] = create_app().openapi()["paths"]
    return found


def command_line() -> str:
    """What commands print when they meet the same secrets."""
    runner = CliRunner()
    done = [
        runner.invoke(secrets.app, ["set", "QUIVER_API_KEY"], input=CANARIES["stored key"]),
        runner.invoke(secrets.app, ["list", "--json"]),
        runner.invoke(secrets.app, ["rotate"]),
        runner.invoke(config.app, ["check"]),
        runner.invoke(audit.app, ["list", "--json"]),
        runner.invoke(audit.app, ["verify"]),
        runner.invoke(
            users_app,
            ["add", "bob@example.com"],
            input=f"{CANARIES['password of the command line']}\n",
        ),
    ]
    assert [one.exit_code for one in done] == [0] * len(done), [one.output for one in done]
    return "\n".join(f"{one.output} {one.exception!r}" for one in done)


async def test_no_secret_comes_out_anywhere(
    app: FastAPI, console: io.StringIO, collector: Collector, tmp_path: Path
) -> None:
    parts: Parts = app.state.parts
    async with client_of(app) as client:
        client.headers.update(OURS)
        answers, made = await used(client, parts, World(parts.pool))
    output = await anyio.to_thread.run_sync(command_line)
    await offer(parts.pool, parts.credentials.vault)
    log = "".join(file.read_text() for file in (tmp_path / "logs").iterdir())
    planted = {**CANARIES, **made}
    assert len(answers) > 10_000
    assert '"/api/credentials' in log
    assert found_in(answers, planted) == []
    assert found_in(output, planted) == []
    assert found_in(log + console.getvalue(), planted) == []
    assert found_in(await dump(parts), planted) == []
    traces = await traced(parts, World(parts.pool), collector)
    assert "order_filled" in traces
    assert found_in(traces, planted) == []
    saved = await anyio.to_thread.run_sync(backed_up, database_url(), tmp_path / "backups")
    assert "ada@example.com" in saved["plain"]
    assert "ada@example.com" not in saved["sealed"]
    assert {name: found_in(text, planted) for name, text in saved.items()} == {
        "sealed": [],
        "plain": [],
        "manifest": [],
    }


def test_what_looks_for_secrets_finds_them() -> None:
    """The search itself, on places that do hold one."""
    secret = {"one": "CANARY/ö 1"}
    for form in forms("CANARY/ö 1"):
        assert found_in(f"a line {form} of a log", secret) == ["one"]
    assert found_in("nothing", secret) == []


def test_an_error_about_a_setting_hides_its_value(environment: pytest.MonkeyPatch) -> None:
    class Probe(Options):
        number: int = 1

    environment.setenv("NUMBER", "CANARYNUMBER")
    with pytest.raises(ConfigurationError) as refused:
        Probe()
    assert "CANARY" not in str(refused.value)
