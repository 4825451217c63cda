"""Connections by SQLAlchemy, async and psycopg2; asyncpg's pool, without SQLAlchemy, is `pool`."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, sessionmaker

from app.core.config import settings, with_driver
from app.db.address import database_url
from app.db.pool import APPLICATION_NAME, CLOSE_SECONDS, create_pool, opened_pool

__all__ = [
    "APPLICATION_NAME",
    "CLOSE_SECONDS",
    "SessionLocal",
    "create_engine",
    "create_pool",
    "create_session_factory",
    "get_db",
    "opened_pool",
    "sync_engine",
]


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
