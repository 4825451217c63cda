"""Connections: SQLAlchemy async for requests, asyncpg for the order path, psycopg2 for tools."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

import asyncpg
from sqlalchemy import Engine
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, sessionmaker

from app.core.config import bare_url, settings, with_driver
from app.core.logging import get_logger
from app.db.address import database_url

APPLICATION_NAME = "tradewright"
CLOSE_SECONDS: Final = 5.0
log = get_logger()


@cache
def sync_engine() -> Engine:
    """The one synchronous engine of this process, on the configured or embedded database."""
    return create_sync_engine(with_driver(database_url(), "psycopg2"), pool_pre_ping=True)


class _LocalSession(Session):
    """A session that looks for its database at the first use, not when this module is imported."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's signature
        return sync_engine()


SessionLocal = sessionmaker(class_=_LocalSession, expire_on_commit=False)
"""`with SessionLocal() as session:` in scripts and notebooks. Requests use the async session."""


def get_db() -> Iterator[Session]:
    """One session, closed at the end and rolled back unless it was committed."""
    with SessionLocal() as session:
        yield session


def create_engine(url: str) -> AsyncEngine:
    """An async engine on any PostgreSQL address, with the configured pool."""
    return create_async_engine(
        with_driver(url, "asyncpg"),
        pool_size=settings.database.pool_size,
        max_overflow=settings.database.pool_size,
        pool_pre_ping=True,
        connect_args={"server_settings": {"application_name": APPLICATION_NAME}},
    )


def create_session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Sessions whose objects stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


async def create_pool(url: str, *, min_size: int = 1, max_size: int | None = None) -> asyncpg.Pool:
    """An asyncpg pool for prepared statements and COPY; json columns come as the stored text."""
    return await asyncpg.create_pool(
        bare_url(url),
        min_size=min_size,
        max_size=max_size or settings.database.pool_size,
        server_settings={"application_name": APPLICATION_NAME},
    )


@asynccontextmanager
async def opened_pool(url: str, **sizes: int) -> AsyncIterator[asyncpg.Pool]:
    """`create_pool`, closed at the end; connections that nobody gives back are cut off."""
    pool = await create_pool(url, **sizes)
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            log.warning("connections_cut_off", seconds=CLOSE_SECONDS)
            pool.terminate()
