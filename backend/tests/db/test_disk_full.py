"""The journal on a disk that fills up: it refuses, loses nothing, goes on when there is room."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from app.core.errors import JournalError
from app.domain import events as ev
from app.domain.ports import Entry
from app.repositories import journal as journals
from app.repositories.journal import PostgresJournal
from tests.mounts import SmallDisk, small_disk

KEY = b"k" * 32
STREAM = "account:1"
AT = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def entry(number: int) -> Entry:
    """About 100 kB that do not compress."""
    noise = secrets.token_hex(50_000)
    return Entry(ev.ConfigChanged(key="k", before=noise, after=number, actor="ann", at=AT))


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """Where the server's user may go, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="tw-disk-") as place:
        Path(place).chmod(0o755)
        with small_disk(Path(place) / "disk", megabytes=8) as disk:
            disk.folder.chmod(0o755)
            yield disk


def folder_on(disk: SmallDisk, like: Path) -> Path:
    """A folder there that belongs to the server's user, as `like` does."""
    if not like.is_dir():
        pytest.skip("the server's disk is on another machine")
    folder = disk.folder / "events"
    folder.mkdir()
    owner = like.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    return folder


@asynccontextmanager
async def events_on(disk: SmallDisk, pool: asyncpg.Pool) -> AsyncIterator[None]:
    """`trading_events` on a small disk of its own; PostgreSQL's log of changes stays elsewhere."""
    folder = folder_on(disk, Path(await pool.fetchval("SHOW data_directory")))
    name = f"small_{secrets.token_hex(4)}"
    await pool.execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
    await pool.execute(f"ALTER TABLE trading_events SET TABLESPACE {name}")
    try:
        yield
    finally:
        await pool.execute("ALTER TABLE trading_events SET TABLESPACE pg_default")
        await pool.execute(f"DROP TABLESPACE {name}")


async def opened(pool: asyncpg.Pool) -> PostgresJournal:
    await pool.execute(
        "INSERT INTO journal_streams (stream) VALUES ($1) ON CONFLICT DO NOTHING", STREAM
    )
    return await PostgresJournal(pool, STREAM, 1, None, KEY).open()


async def until_refused(journal: PostgresJournal) -> str:
    """Append until there is no room; what the journal said then."""
    for number in range(500):
        try:
            await journal.append([entry(number)])
        except JournalError as error:
            return str(error)
    pytest.fail("the disk never filled up")


async def test_what_the_disk_has_no_room_for_is_refused_and_nothing_is_lost(
    database_url: str, disk: SmallDisk
) -> None:
    async with (
        asyncpg.create_pool(database_url, min_size=0, max_size=3) as pool,
        events_on(disk, pool),
    ):
        journal = await opened(pool)
        assert await journal.append([entry(0)]) == 1
        disk.fill_but(1024**2)
        assert "No space left on device" in await until_refused(journal)
        kept = await pool.fetchval("SELECT max(seq) FROM trading_events")
        with pytest.raises(JournalError):
            await journal.append([entry(0)])
        disk.free()
        again = await opened(pool)
        assert again.seq == kept
        assert await again.append([entry(0)]) == kept + 1
        assert await journals.verify(pool, STREAM, KEY) == kept + 1
        await journal.close()
        await again.close()
