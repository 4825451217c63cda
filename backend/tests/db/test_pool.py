"""Connections notice when the other end is gone, or is there and says nothing any more."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from app.db import pool as pools
from app.db.pool import SILENCE_SECONDS, connect, keep_alive, opened_pool


class Way:
    """A way to the database on which nothing passes while it is not open; it closes nothing."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self.open = asyncio.Event()
        self.open.set()
        self.url = ""

    async def passes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._to.hostname, self._to.port)
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self.open.wait()
                writer.write(data)
        writer.close()


@pytest.fixture
async def way(database_url: str) -> AsyncIterator[Way]:
    way = Way(database_url)
    server = await asyncio.start_server(way.passes, "127.0.0.1", 0)
    to = urlsplit(database_url)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    user = to.netloc.rpartition("@")[0]
    way.url = to._replace(netloc=f"{user}@{place}" if user else place).geturl()
    yield way
    way.open.set()
    server.close()


async def test_a_server_that_says_nothing_any_more_is_given_up_and_found_again(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "CONNECT_SECONDS", 0.5)
    async with opened_pool(way.url, max_size=1, command_seconds=0.2) as pool:
        assert await pool.fetchval("SELECT 1") == 1
        way.open.clear()
        async with asyncio.timeout(30):
            with pytest.raises(TimeoutError):
                await pool.fetchval("SELECT 2")
            with pytest.raises(TimeoutError):
                await pool.fetchval("SELECT 3")
        way.open.set()
        assert await pool.fetchval("SELECT 4", timeout=10) == 4
        assert await pool.fetchval("SELECT pg_sleep(0.3)", timeout=10) is None


async def test_a_connection_is_probed_and_given_up_by_the_kernel(database_url: str) -> None:
    connection = await connect(database_url, "tradewright test", command_seconds=5)
    try:
        used = connection._transport.get_extra_info("socket")
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        limit = used.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert limit == SILENCE_SECONDS * 1_000
        idle, every, times = (
            used.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        )
        assert idle + every * times <= SILENCE_SECONDS
        assert await connection.fetchval("SHOW application_name") == "tradewright test"
        theirs = [
            await connection.fetchval(f"SELECT setting FROM pg_settings WHERE name = '{name}'")
            for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
        ]
        assert [int(one) for one in theirs] == [idle, every, times]
    finally:
        await connection.close()


def test_a_socket_of_the_same_machine_needs_no_probe() -> None:
    here, there = socket.socketpair()
    with here, there:
        keep_alive(here)
        assert here.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
