"""`dead-letters list` and `redrive` on a database with one of them."""

import asyncio
from pathlib import Path

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner, Result

from app.console import dead_letters
from app.core.clock import system
from app.core.config import get_settings
from app.core.errors import InvalidInput, NotFound
from app.db.session import opened_pool
from app.events.handlers import CommittedEvent, EventHandler
from app.repositories.handler_deliveries import HandlerDeliveries
from tests.events.bus_world import BusWorld


class Silent(EventHandler):
    """Only its name matters."""

    name = "silent"

    async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
        """Nothing."""


async def died(url: str) -> None:
    async with opened_pool(url, max_size=3) as pool:
        world = BusWorld(pool, url)
        deliveries = HandlerDeliveries(pool, world.journal, system)
        await deliveries.enroll(Silent())
        last = await world.append("a")
        (one,) = await deliveries.hand_out(Silent(), "system", 0, last)
        one.attempts = 6
        await deliveries.bury("silent", one, "ValueError: no")


async def audited(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT action FROM audit_trail WHERE resource = $1", "dead_letter"
        )
        return [row["action"] for row in rows]
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def _platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()
    asyncio.run(died(database_url))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dead_letters.app, arguments)


def test_dead_letters_are_listed_sent_again_and_that_is_audited(database_url: str) -> None:
    assert "ValueError: no" in run("list").output
    (row,) = orjson.loads(run("list", "--handler", "silent", "--json").output)["dead_letters"]
    assert (row["stream"], row["seq"], row["type"]) == ("system", 1, "feed_connected")
    assert run("redrive", "--all").output == "1 of silent wait again.\n"
    assert run("list").output == "Nothing to show.\n"
    assert run("redrive", "--all").output == "There was none.\n"
    assert asyncio.run(audited(database_url)) == ["redriven"]


def test_what_is_not_there_or_not_named_is_refused() -> None:
    assert isinstance(run("redrive").exception, InvalidInput)
    assert isinstance(run("redrive", "--handler", "other").exception, NotFound)
    seq = run("redrive", "--handler", "silent", "--seq", "1").exception
    assert isinstance(seq, InvalidInput)
    assert seq.field == "stream"
    again = run("redrive", "--stream", "system", "--seq", "1", "--json")
    assert orjson.loads(again.output) == {"redriven": 1, "handlers": {"silent": 1}}
