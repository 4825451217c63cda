"""The API on a database of its own: without a server by default, with a real one where asked."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from fastapi import FastAPI

from app.api.parts import Parts
from app.main import create_app
from tests import servers
from tests.api.world import OURS, PASSWORD, World, client_of, key_of, started
from tests.servers import TestServers


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, redis_url: str
) -> pytest.MonkeyPatch:
    """Settings of this test; change them before asking for `app`."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    return monkeypatch


@pytest.fixture
async def app(environment: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    """The application, started."""
    app = create_app()
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def parts(app: FastAPI) -> Parts:
    """What the application is made of."""
    found: Parts = app.state.parts
    return found


@pytest.fixture
def world(parts: Parts) -> World:
    """Puts people, accounts and prices into the database."""
    return World(parts.pool)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """No log lines: what the API logs is tested where it matters."""
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)
    yield
    structlog.reset_defaults()


def _drop(_logger: object, _method: str, _event: structlog.typing.EventDict) -> str:
    raise structlog.DropEvent


@pytest.fixture
async def visitor(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of somebody whom nobody knows; it sends what browsers send."""
    async with client_of(app) as client:
        client.headers.update(OURS)
        yield client


@pytest.fixture
async def admin(app: FastAPI, parts: Parts, world: World) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's program, with a key of every scope."""
    user_id = await world.person("ada@example.com", "admin")
    key = await key_of(parts, user_id, "admin", "read", "trade", "data", "admin")
    async with client_of(app, key) as client:
        yield client


@pytest.fixture
async def browser(visitor: httpx.AsyncClient, world: World) -> httpx.AsyncClient:
    """An admin's browser, signed in."""
    await world.person("ada@example.com", "admin")
    body = {"email": "ada@example.com", "password": PASSWORD}
    answer = await visitor.post("/api/auth/sign-in", json=body)
    assert answer.status_code == 200, answer.text
    return visitor


# A database costs more than most tests: those that store nothing share one, and one application.


@pytest.fixture(scope="session")
async def calm_app(
    test_servers: TestServers,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[FastAPI]:
    """An application for tests that leave everything as it is: one account, 30 bars of AAPL."""
    home = tmp_path_factory.mktemp("calm")
    with servers.copied(test_servers.database_url, template_database) as url:
        async with started(url, test_servers, home) as app:
            world = World(app.state.parts.pool)
            await world.account()
            await world.bars([100.0 + number for number in range(30)])
            user_id = await world.person("ada@example.com", "admin")
            scopes = ("read", "trade", "data", "admin")
            app.state.key = await key_of(app.state.parts, user_id, "admin", *scopes)
            yield app


@pytest.fixture
async def calm_admin(calm_app: FastAPI, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's program that changes nothing."""
    async with client_of(calm_app, calm_app.state.key) as client:
        yield client


@pytest.fixture
async def calm_visitor(calm_app: FastAPI, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor's browser that changes nothing."""
    async with client_of(calm_app) as client:
        client.headers.update(OURS)
        yield client


@pytest.fixture
async def calm_browser(calm_visitor: httpx.AsyncClient) -> httpx.AsyncClient:
    """An admin's browser, signed in, that changes nothing but its own sessions."""
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert (await calm_visitor.post("/api/auth/sign-in", json=body)).status_code == 200
    return calm_visitor
