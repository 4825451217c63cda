"""The LISTEN connection and those it wakes."""

import asyncio
from typing import Any

import asyncpg

from app.events.listener import Listener
from app.events.notices import ChangeNotices
from app.events.outcomes import Outcomes


async def test_notices_are_heard_and_the_connection_comes_back(database_url: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    caught_up: asyncio.Queue[bool] = asyncio.Queue()
    listener = Listener(lambda: asyncpg.connect(database_url))
    listener.on("journal", heard.put_nowait)
    listener.on_connected(lambda: caught_up.put_nowait(True))
    listener.start()
    async with asyncio.timeout(60):
        await caught_up.get()
        other = await asyncpg.connect(database_url)
        await other.execute("SELECT pg_notify('journal', 'system:1')")
        assert await heard.get() == "system:1"
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await caught_up.get()
        await other.execute("SELECT pg_notify('journal', 'system:2')")
        assert await heard.get() == "system:2"
    await other.close()
    await listener.stop()
    assert not listener.is_connected


async def test_no_database_is_waited_for() -> None:
    tries: asyncio.Queue[bool] = asyncio.Queue()

    async def refuse() -> Any:
        tries.put_nowait(True)
        raise OSError("nobody there")

    listener = Listener(refuse)
    listener.start()
    async with asyncio.timeout(60):
        await tries.get()
        await tries.get()
    await listener.stop()


async def test_whoever_waits_for_a_command_is_woken() -> None:
    outcomes = Outcomes()
    with outcomes.expect(7) as done:
        outcomes.heard("8")
        outcomes.heard("nonsense")
        assert not done.is_set()
        outcomes.heard("7")
        assert done.is_set()
    outcomes.heard("7")
    with outcomes.expect(9) as done:
        outcomes.catch_up()
        assert done.is_set()


async def test_a_change_wakes_everybody_once() -> None:
    notices = ChangeNotices()
    first, second = notices.next_change(), notices.next_change()
    second.cancel()
    notices.heard("all")
    assert first.done()
    assert not notices.next_change().done()
