"""An account with a broker of its own, a venue behind it, and a guardian's records."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.core import clock
from app.core.guardian import GuardianOptions
from app.db.loopback import free_port
from app.domain.deployments import AccountMode
from app.domain.pulse import Pulse
from app.guardian.guardian import Guardian
from app.guardian.records import Records
from app.repositories.accounts import AccountSettings, add
from tests.venue import Venue, VenueBroker

KEY = b"k" * 32


class Door:
    """A way to the database that can be shut."""

    def __init__(self, url: str) -> None:
        self.port = free_port()
        self._to = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        user = self._to.netloc.rpartition("@")[0]
        place = f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        return self._to._replace(netloc=place).geturl()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._writers += [writer, back]
        with suppress(OSError):
            await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def account_id(pool: asyncpg.Pool) -> int:
    async with pool.acquire() as db, db.transaction():
        return await add(
            db,
            name="Mine",
            dataset="live",
            cash=Decimal(100_000),
            settings=AccountSettings(),
            broker="venue",
        )


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    door = Door(database_url)
    await door.open()
    yield door
    await door.shut()


@pytest.fixture
async def records(door: Door) -> AsyncIterator[Records]:
    records = Records(door.url, KEY, clock.system)
    yield records
    await records.close()


@pytest.fixture
def venue() -> Venue:
    """It holds 10 AAPL for deployment 1, and an order rests."""
    venue = Venue(clock.system)
    venue.print("AAPL", 100)
    venue.hold("AAPL", 10)
    venue.by_hand("buy", 5, "AAPL", limit=90)
    return venue


Guard = Callable[..., Guardian]


@pytest.fixture
async def guard(tmp_path: Path, records: Records, venue: Venue) -> AsyncIterator[Guard]:
    """Starts a guardian that looks every 10 ms and is soon out of patience."""
    tasks: list[asyncio.Task[None]] = []

    def start(**options: Any) -> Guardian:
        fields = {"heartbeat_seconds": 1, "hang_seconds": 2, **options}
        made = Guardian(
            tmp_path,
            GuardianOptions(**fields),
            records,
            lambda account, _: None if account.broker == "paper" else VenueBroker(venue),
            clock.system,
            look_seconds=0.01,
        )
        tasks.append(asyncio.create_task(made.run()))
        return made

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def make_pulse(account_id: int = 1, **given: Any) -> Pulse:
    """Of an engine that holds 10 AAPL for deployment 1."""
    fields: dict[str, Any] = {
        "account": "Mine",
        "broker": "venue",
        "mode": AccountMode.PAPER,
        "at": datetime.now(UTC),
        "is_ready": True,
        "held": {"d1": {"AAPL": Decimal(10)}},
    }
    return Pulse(account_id=account_id, **{**fields, **given})
