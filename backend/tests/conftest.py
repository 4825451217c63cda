"""What every test may ask for: a database of its own, a session, Redis, clean settings."""

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest
import redis
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from app.core import system_config
from app.core.config import get_settings, with_driver
from app.core.environment import project_root
from app.db.session import opened_pool
from tests import order, servers
from tests.servers import TestServers

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")  # a busy machine is no failure

OURS = (
    "TRADEWRIGHT_TEST_DATABASE_URL",
    "TRADEWRIGHT_TEST_REDIS_URL",
    "TRADEWRIGHT_TEST_TIMESCALE_URL",
)
FOREIGN = ("DATABASE_", "DB_URL", "REDIS_", "API_", "LOG_", "ENVIRONMENT", "REPLAY", "CORS_")


def pytest_configure(config: pytest.Config) -> None:
    """Let nothing of the person's own setup reach a test: no .env, no variables, no home."""
    for name in list(os.environ):
        if name.startswith(("TRADEWRIGHT_", *FOREIGN)) and name not in OURS:
            del os.environ[name]
    os.environ["TRADEWRIGHT_ENV_FILE"] = os.devnull
    os.environ["TRADEWRIGHT_SECRETS_DIR"] = os.devnull


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long."""
    items[:] = order.in_order(items)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no garbage collection need look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _fresh_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings are read anew in each test, and the home is never the developer's."""
    os.environ.setdefault("TRADEWRIGHT_HOME", str(tmp_path_factory.mktemp("home")))
    get_settings.cache_clear()
    system_config.read_again()
    yield
    get_settings.cache_clear()
    system_config.read_again()


@pytest.fixture(scope="session")
def test_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServers]:
    """PostgreSQL and Redis of this test run."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with servers.shared(folder) as running:
        yield running


@pytest.fixture(scope="session")
def template_database(test_servers: TestServers) -> str:
    """Name of the migrated database that the others are copies of."""
    return servers.template(test_servers.database_url)


@pytest.fixture
def database_url(test_servers: TestServers, template_database: str) -> Iterator[str]:
    """`postgresql://…` of a migrated database that only this test uses."""
    with servers.copied(test_servers.database_url, template_database) as url:
        yield url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to it."""
    async with opened_pool(database_url, max_size=8) as pool:
        yield pool


@pytest.fixture
def empty_database_url(test_servers: TestServers) -> Iterator[str]:
    """`postgresql://…` of a database without a table, for migrations."""
    with servers.copied(test_servers.database_url, None) as url:
        yield url


@pytest.fixture(scope="session")
async def _session_engine(
    test_servers: TestServers, template_database: str
) -> AsyncIterator[AsyncEngine]:
    with servers.copied(test_servers.database_url, template_database) as url:
        engine = create_async_engine(with_driver(url, "asyncpg"), poolclass=NullPool)
        yield engine
        await engine.dispose()


@pytest.fixture
async def session(_session_engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A session whose commits are savepoints: everything is rolled back after the test."""
    async with _session_engine.connect() as connection:
        outer = await connection.begin()
        async with AsyncSession(
            bind=connection,
            expire_on_commit=False,
            join_transaction_mode="create_savepoint",
        ) as session:
            yield session
        await outer.rollback()


@pytest.fixture
def redis_url(test_servers: TestServers) -> str:
    """`redis://…`, emptied before each test; xdist workers have a database each."""
    url = servers.redis_database(test_servers.redis_url)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real market data; the test is skipped where it is missing."""
    folder = project_root().parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data is not at hand in {folder}")
    return folder
