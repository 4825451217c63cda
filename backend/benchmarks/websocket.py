"""Fan-out: events to 200 WebSocket clients, one of them stalled, against a bare server."""

import asyncio
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.sharedctypes import SynchronizedArray
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TypeAlias
from urllib.request import urlopen

import asyncpg
from redis.asyncio import Redis
from websockets.asyncio.server import ServerConnection, broadcast, serve

from app.core.clock import now, system
from app.core.security import hash_password, master_key, subkey
from app.db import home as home_folder
from app.db import migrations
from app.db.embedded import EmbeddedPostgres, EmbeddedRedis
from app.db.loopback import free_port
from app.db.session import create_pool
from app.domain.events import FeedConnected
from app.domain.ports import Entry
from app.domain.users import Caller, Role, Scope
from app.repositories import users
from app.repositories.journal import SharedJournal
from app.services.keys import Keys, KeyWish
from app.services.tickets import Tickets
from benchmarks.listeners import PATIENCE_SECONDS, Stalled, listening, wait_until
from benchmarks.measure import Result, bare_environment, result, scratch_home

CLIENTS = 200
A_PERSON = 5
EVENTS = 16_000
BARE_EVENTS = 1_500
BATCH = 100
AHEAD = 1_000
"Events committed but not yet counted by the slowest client that reads."
HELLO = b'{"op":"subscribe","topics":["events"]}'
MARKER = b'"topic":"events"'
Shared: TypeAlias = "SynchronizedArray[int]"


def websocket() -> list[Result]:
    """Messages a second: all clients reading, one stalled, and a bare server's."""
    with scratch_home() as home, _api(home) as (port, database, redis):
        reading = asyncio.run(_measure(home, port, database, redis, stalled=False))
        stalled = asyncio.run(_measure(home, port, database, redis, stalled=True))
    bare = _bare()
    against = f"websockets.broadcast of the same text to {CLIENTS} clients"
    words = "at least 100,000 messages/s"
    return [
        result("websocket: to 200 clients", reading, "messages/s", limit=bare, against=against,
               figure=words, is_met=reading >= 100_000),
        result("websocket: one of them stalled", stalled, "messages/s", limit=bare,
               against=against, figure=words, is_met=stalled >= 100_000),
        result("websocket: what the stalled one costs the others", stalled, "messages/s",
               limit=reading, against="nobody stalled", figure="nothing",
               is_met=stalled >= 0.9 * reading),
    ]  # fmt: skip


@contextmanager
def _api(home: Path) -> Iterator[tuple[int, str, str]]:
    """An API process on servers of its own: its port, database and Redis."""
    home_folder.prepare(home)
    postgres, redis = EmbeddedPostgres(home), EmbeddedRedis(home)
    port = free_port()
    try:
        postgres.start()
        redis.start()
        migrations.upgrade(postgres.url)
        environment = bare_environment(
            home, DATABASE_URL=postgres.url, REDIS_URL=redis.url, API_PORT=str(port),
            LOG_LEVEL="WARNING",
        )  # fmt: skip
        with (home / "api.out").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "api"], env=environment, stdout=log, stderr=log
            )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health/ready", process)
            yield port, postgres.url, redis.url
        finally:
            process.terminate()
            process.wait()
    finally:
        redis.stop()
        postgres.stop()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the API did not start")


async def _measure(home: Path, port: int, database: str, redis: str, *, stalled: bool) -> float:
    pool = await create_pool(database)
    try:
        tickets = await _tickets(pool, redis, home)
        journal = SharedJournal(pool, subkey(master_key(home), "journal"))
        paths = [f"/ws?ticket={ticket}" for ticket in tickets]
        still = Stalled(port, paths.pop(), HELLO) if stalled else None
        with listening(port, paths, HELLO, MARKER) as counts:
            await _settle(journal, counts)
            rate = len(paths) * await _rate(journal, counts)
        if still is not None:
            rest = await asyncio.to_thread(still.rest)
            assert b'"op":"resync"' in rest, "the stalled client was not told where to resume"
        return rate
    finally:
        await pool.close()


async def _settle(journal: SharedJournal, counts: Shared) -> None:
    """Until every client hears events: the next ones are for all of them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while min(counts.get_obj()) == 0:
        if time.monotonic() > deadline:
            raise RuntimeError("not every client hears events")
        await journal.append([_event()])
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)


async def _rate(journal: SharedJournal, counts: Shared) -> float:
    """Events a second until the slowest client has them all."""
    slowest: Sequence[int] = counts.get_obj()  # type: ignore[assignment]  # ctypes: as good as one
    before = list(slowest)
    began = time.perf_counter()
    for appended in range(0, EVENTS, BATCH):
        while appended - _behind(slowest, before) > AHEAD:
            await asyncio.sleep(0.001)
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise RuntimeError("the clients do not get their events")
        await journal.append([_event() for _ in range(BATCH)])
    while _behind(slowest, before) < EVENTS:  # noqa: ASYNC110 - another process counts
        await asyncio.sleep(0.001)
    return EVENTS / (time.perf_counter() - began)


def _behind(counts: Sequence[int], before: list[int]) -> int:
    return min(count - start for count, start in zip(counts, before, strict=True))


def _event() -> Entry:
    return Entry(FeedConnected(feed="live (a feed with a name of usual length)", at=now()))


async def _tickets(pool: asyncpg.Pool, redis_url: str, home: Path) -> list[str]:
    """One a client; no person may have more than five."""
    email = f"bench-{os.urandom(4).hex()}@example.com"
    user_id = await users.add(pool, email, "", Role.ADMIN, hash_password("of no use to anybody"))
    assert user_id is not None
    keys = Keys(pool, subkey(master_key(home), "audit"), system)
    wish = KeyWish(name="bench", scopes=frozenset({Scope.READ}))
    _, key = await keys.create("bench", user_id, Role.ADMIN, wish)
    async with Redis.from_url(redis_url) as redis:
        issuer = Tickets(redis, system)
        found = []
        for number in range(CLIENTS):
            caller = Caller(
                user_id=1_000 + number // A_PERSON, email=email, name=None, role=Role.ADMIN,
                scopes=frozenset({Scope.READ}), via="api_key", credential=key.split("_")[1],
            )  # fmt: skip
            found.append((await issuer.issue(caller))[0])
    return found


# ------------------------------------------------------------------------------ a bare server


def _bare() -> float:
    spawned = multiprocessing.get_context("spawn")
    port, go = free_port(), spawned.Event()
    server = spawned.Process(target=_serve, args=(port, go), daemon=True)
    server.start()
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        with listening(port, ["/"] * CLIENTS, b"", MARKER) as counts:
            wait_until(counts, 1)
            began = time.perf_counter()
            go.set()
            wait_until(counts, BARE_EVENTS + 1)
            return CLIENTS * BARE_EVENTS / (time.perf_counter() - began)
    finally:
        server.kill()
        server.join()


def _serve(port: int, go: Event) -> None:
    asyncio.run(_serving(port, go))


async def _serving(port: int, go: Event) -> None:
    text = '{"topic":"events","stream":"system","seq":1,"type":"feed_connected",' + "x" * 330 + "}"
    connections: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.send(text)
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", port, compression=None):
        while not go.is_set():  # noqa: ASYNC110 - another process says so
            await asyncio.sleep(0.01)
        for number in range(BARE_EVENTS):
            broadcast(connections, text)
            if number % 10 == 9:
                await asyncio.sleep(0)
        await asyncio.Event().wait()
