"""How far this machine's clock is off: against an NTP server, the database, or the vendors."""

import asyncio
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from statistics import median
from typing import Final

import msgspec

from app.core import clock
from app.core.errors import ConfigurationError
from app.repositories import health
from app.repositories.paging import Db

DEGRADED_MS: Final = 500.0
UNHEALTHY_MS: Final = 5_000.0
"Bars are seconds long: with such a clock their order cannot be trusted."
HTTP_MS: Final = 1_500.0
"A vendor's Date header cannot show less: it tells whole seconds, and may wait on its way."
ANSWER_SECONDS: Final = 3.0
NOTED: Final = timedelta(minutes=5)
"What a worker found before that is no longer so."
_PORT: Final = 123
_SINCE_1900: Final = 2_208_988_800
_PACKET: Final = struct.Struct("!BBbbII4sQQQQ")
_ASK: Final = b"\x23" + bytes(47)
"Version 4, client."


class Drift(msgspec.Struct, frozen=True):
    """Our clock less another, and whose."""

    ms: float
    against: str


async def drift(db: Db, server: str | None, vendors: Iterable[float]) -> Drift:
    """By the best that is known: the NTP server, else the vendors where they differ, else the
    database. Raises OSError or TimeoutError when nobody answers."""
    if server is not None:
        return Drift(await against_server(server), server)
    heard = list(vendors)
    if heard and abs(median(heard)) > HTTP_MS:
        return Drift(median(heard), "the vendors")
    return Drift(await against_database(db), "the database")


def worst(noted: Mapping[str, Sequence[float]]) -> float | None:
    """The largest of what workers noted; None where none did."""
    return max(noted.get("clock_drift_ms", ()), key=abs, default=None)


async def against_database(db: Db) -> float:
    """In ms, as exact as the round trip is short."""
    before = clock.now()
    theirs = await health.clock(db)
    after = clock.now()
    middle = before + (after - before) / 2
    return (middle - theirs).total_seconds() * 1000


async def against_server(server: str) -> float:
    """In ms, by SNTP (RFC 4330). Raises ConfigurationError for a wrong port, TimeoutError."""
    host, port = _address(server)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    async with asyncio.timeout(ANSWER_SECONDS):
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Answer(answer), remote_addr=(host, port)
        )
        try:
            sent = clock.now().timestamp()
            transport.sendto(_ASK)
            packet = await answer
            received = clock.now().timestamp()
        finally:
            transport.close()
    return offset_ms(packet, sent, received)


def offset_ms(packet: bytes, sent: float, received: float) -> float:
    """Our clock less the server's, from its answer. Raises OSError for what is no answer."""
    if len(packet) < _PACKET.size:
        raise OSError("the time server's answer is too short")
    _, stratum, *_, arrived, left = _PACKET.unpack(packet[: _PACKET.size])
    if not 0 < stratum < 16:
        raise OSError("the time server has no time itself")
    theirs = (_seconds(arrived) + _seconds(left)) / 2
    return ((sent + received) / 2 - theirs) * 1000


def _seconds(stamp: int) -> float:
    """Of an NTP timestamp, since 1970."""
    return stamp / 2**32 - _SINCE_1900


def _address(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "")
    if port and not port.isdigit():
        raise ConfigurationError(
            f"MONITORING_TIME_SERVER={server} has no port that is a number.",
            remedy="Write host or host:port, e.g. pool.ntp.org:123.",
        )
    return host, int(port or _PORT)


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, answer: "asyncio.Future[bytes]") -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)
