"""Vendors, clock, worker, backups and availability judged: what is said, and when."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.core import clock
from app.core.config import get_settings
from app.core.errors import ConfigurationError
from app.db.loopback import free_port
from app.monitoring import backups, clocks, external, worker
from app.monitoring.availability import Watch, judged
from app.monitoring.external import reach, reach_all

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@asynccontextmanager
async def vendor(status: str, *headers: str, body: str = "{}") -> AsyncIterator[str]:
    """A server that answers everything so; its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        length = f"content-length: {len(body)}"
        lines = [f"HTTP/1.1 {status}", *headers, length, "connection: close", "", body]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


# ------------------------------------------------------------------------------ vendors


@pytest.mark.parametrize(
    ("status", "is_up"),
    [("200 OK", True), ("401 Unauthorized", True), ("404 Gone", True), ("503 Away", False)],
)
async def test_a_vendor_that_answers_is_there_whatever_it_says(status: str, is_up: bool) -> None:
    async with vendor(status) as url, httpx.AsyncClient(trust_env=False) as client:
        found = await reach(client, "alpaca", url)
    assert (found.is_up, found.detail) == (is_up, f"HTTP {status[:3]}.")
    assert (found.ms > 0, found.drift_ms) == (True, None)


async def test_the_time_a_vendor_tells_shows_a_clock_that_is_off() -> None:
    dates = ("date: Mon, 02 Mar 2020 12:00:00 GMT", "date: nonsense")
    async with httpx.AsyncClient(trust_env=False) as client:
        async with vendor("200 OK", dates[0]) as url:
            drift = (await reach(client, "alpaca", url)).drift_ms
            assert drift is not None
            assert drift > 1e9
        async with vendor("200 OK", dates[1]) as url:
            assert (await reach(client, "alpaca", url)).drift_ms is None


async def test_vendors_that_cannot_be_reached_do_not_hold_up_the_others() -> None:
    async with vendor("200 OK") as url, httpx.AsyncClient(trust_env=False) as client:
        addresses = {"here": url, "gone": f"http://127.0.0.1:{free_port()}", "odd": "http://[x"}
        found = {one.vendor: one for one in await reach_all(client, addresses)}
    assert [found[name].is_up for name in ("here", "gone", "odd")] == [True, False, False]
    assert found["gone"].detail == "ConnectError."


def said(age: float = 1.0, *, is_up: bool = True, ms: float = 40.0) -> dict[str, Any]:
    state = {"is_up": is_up, "ms": ms, "detail": "HTTP 503."}
    return {"name": "external:quiver", "age_seconds": age, "state": state}


def test_vendors_are_judged_by_what_was_written_lately() -> None:
    assert external.problems([said()]) == []
    assert external.sentence([said()]) == "Reached: quiver."
    assert external.sentence([said(age=4000)]) == "No vendor is switched on."
    assert external.problems([said(is_up=False)]) == ["quiver cannot be reached: HTTP 503."]
    assert external.problems([said(ms=4200.0)]) == ["quiver took 4.2 s to answer."]
    assert external.problems([said(age=4000, is_up=False)]) == []


# -------------------------------------------------------------------------------- clock


class TimeServer(asyncio.DatagramProtocol):
    """Answers SNTP with a time that is `ahead` of ours, or with something else."""

    def __init__(self, ahead: float, packet: bytes | None = None) -> None:
        self._ahead, self._packet = ahead, packet

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert data[0] == 0x23
        stamp = int((clock.now().timestamp() + self._ahead + 2_208_988_800) * 2**32)
        answer = struct.pack("!BBbbII4sQQQQ", 0x24, 2, 6, -20, 0, 0, b"LOCL", 0, 0, stamp, stamp)
        self._transport.sendto(answer if self._packet is None else self._packet, addr)


@asynccontextmanager
async def time_server(ahead: float, packet: bytes | None = None) -> AsyncIterator[str]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: TimeServer(ahead, packet), local_addr=("127.0.0.1", 0)
    )
    yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    transport.close()


async def test_the_clock_is_held_against_a_time_server(pool: asyncpg.Pool) -> None:
    async with time_server(ahead=90.0) as server:
        found = await clocks.drift(pool, server, [])
    assert found.against == server
    assert found.ms == pytest.approx(-90_000, abs=5_000)


async def test_a_time_server_that_talks_nonsense_is_not_believed(pool: asyncpg.Pool) -> None:
    async with time_server(0, b"short") as server:
        with pytest.raises(OSError, match="too short"):
            await clocks.drift(pool, server, [])
    unset = struct.pack("!BBbbII4sQQQQ", 0x24, 16, 6, -20, 0, 0, b"INIT", 0, 0, 0, 0)
    async with time_server(0, unset) as server:
        with pytest.raises(OSError, match="no time itself"):
            await clocks.drift(pool, server, [])


async def test_without_a_time_server_database_and_vendors_are_asked(pool: asyncpg.Pool) -> None:
    found = await clocks.drift(pool, None, [300.0, -400.0])
    assert found.against == "the database"
    assert abs(found.ms) < 60_000
    assert await clocks.drift(pool, None, [9_000.0, 8_000.0]) == clocks.Drift(
        8_500.0, "the vendors"
    )


def test_the_worst_that_workers_noted_counts() -> None:
    assert clocks.worst({"clock_drift_ms": [3.0, -9.0]}) == -9.0
    assert clocks.worst({}) is None


async def test_a_port_of_the_time_server_must_be_a_number() -> None:
    with pytest.raises(ConfigurationError, match="MONITORING_TIME_SERVER"):
        await clocks.against_server("time.example:ntp")


# --------------------------------------------------------------------- worker and backups


def beat(age: float, *, is_stopped: bool = False) -> dict[str, Any]:
    return {"name": "worker:a:1", "age_seconds": age, "state": {"is_stopped": is_stopped}}


def test_a_worker_that_fell_silent_is_missed() -> None:
    assert worker.problems([beat(1), beat(90)], 0) == []
    assert worker.sentence([beat(1), beat(2)]) == "Workers at work: 2."
    assert "silent for 40 s" in worker.problems([beat(40), beat(90)], 0)[0]


def test_a_worker_that_was_never_heard_of_has_a_minute() -> None:
    assert worker.problems([], 59) == []
    assert worker.sentence([]) == "No worker has been heard of yet."
    assert worker.problems([], 61)[0].startswith("No worker runs")
    assert worker.problems([beat(400, is_stopped=True)], 61)[0].startswith("No worker runs")


def backup(**hours: float | None) -> dict[str, Any]:
    """Ages in hours."""
    row: dict[str, Any] = {"has_failed": False, "signed_up_at": NOW - timedelta(days=9)}
    for name in ("finished_at", "verified_at"):
        age = hours.get(name, 2.0)
        row[name] = None if age is None else NOW - timedelta(hours=age)
    return row


def test_a_backup_a_day_that_was_proved_is_well() -> None:
    assert backups.problems(backup(), NOW) == []
    assert backups.sentence(backup(), NOW) == "The newest is 2 hours old, the last proof 2."
    assert backups.problems(None, NOW) == []
    assert backups.sentence(None, NOW) == "No backup is due yet."


def test_what_is_wrong_with_backups_is_said() -> None:
    assert backups.problems(backup(finished_at=30.0), NOW) == ["The newest backup is 30 hours old."]
    unproved = ["No backup has been proved by a restore."]
    assert backups.problems(backup(verified_at=None), NOW) == unproved
    never = backup(finished_at=None, verified_at=None)
    assert backups.problems(never, NOW) == ["No backup has ever been made."]
    young = never | {"signed_up_at": NOW - timedelta(hours=1)}
    assert backups.problems(young, NOW) == []
    assert backups.problems(backup() | {"has_failed": True}, NOW) == ["The newest backup failed."]


# -------------------------------------------------------------------------- availability


def health(status: str = "healthy", **components: str) -> dict[str, Any]:
    return {
        "status": status,
        "score": 90,
        "components": {name: {"status": one} for name, one in components.items()},
    }


def test_available_is_what_a_trader_needs() -> None:
    assert judged(health(database="healthy")).state == "up"
    found = judged(health("degraded", redis="unhealthy", disk="healthy"))
    assert (found.state, found.reason, found.score) == ("degraded", "Not healthy: redis.", 90)
    assert judged(health("unhealthy")).state == "down"
    away = judged(health("degraded", brokers="unhealthy"))
    assert (away.state, away.reason) == ("down", "No engine holds any account.")
    assert judged({}).state == "down"


async def test_the_api_is_asked_from_outside() -> None:
    async with vendor("200 OK") as url:
        watch = Watch(get_settings(), url)
        assert (await watch.look()).reason == "The API says that it is unhealthy."
        await watch.close()
    watch = Watch(get_settings(), f"http://127.0.0.1:{free_port()}")
    assert (await watch.look()).reason == "The API does not answer: ConnectError."
    await watch.close()
