"""People who query with SQL see the market and the trading, and nothing secret."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg2
import pytest

from app.db import readers
from app.db.base import Base


@pytest.fixture
def reader(database_url: str) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor of somebody who was made a reader as the documentation says."""
    name = f"ann_{urlsplit(database_url).path[1:]}"
    owner = psycopg2.connect(database_url)
    owner.autocommit = True
    with owner.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN IN ROLE {readers.ROLE}")
        cursor.execute(f"SET SESSION AUTHORIZATION {name}")
        yield cursor
        cursor.execute("RESET SESSION AUTHORIZATION")
        cursor.execute(f"DROP ROLE {name}")
    owner.close()


def test_a_reader_reads_the_market_and_the_trading(reader: psycopg2.extensions.cursor) -> None:
    for name in readers.readable():
        reader.execute(f"SELECT * FROM {name} LIMIT 1")


def test_a_reader_sees_no_secret(reader: psycopg2.extensions.cursor) -> None:
    for name in readers.SECRET:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            reader.execute(f"SELECT * FROM {name} LIMIT 1")


def test_a_reader_changes_nothing(reader: psycopg2.extensions.cursor) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        reader.execute("DELETE FROM stock_data")


def test_nothing_with_a_key_password_or_token_is_readable() -> None:
    columns = {
        f"{name}.{column.name}"
        for name in readers.readable()
        if name in Base.metadata.tables
        for column in Base.metadata.tables[name].columns
    }
    words = ("password", "token", "secret", "key_hash", "address")
    assert [column for column in columns if any(word in column for word in words)] == []
