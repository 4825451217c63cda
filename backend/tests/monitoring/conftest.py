"""A pool on a fresh database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.db.session import create_pool


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database_url, max_size=4)
    yield pool
    await pool.close()
