"""asyncpg's pool for the order path and for processes that do without SQLAlchemy (17 MB)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypedDict, Unpack

import asyncpg

from app.core.config import bare_url, settings
from app.core.logging import get_logger

APPLICATION_NAME: Final = "tradewright"
CLOSE_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 15.0
"A machine that is gone does not refuse: it says nothing."
SILENCE_SECONDS: Final = 20
"A connection whose other end says nothing at all for so long is lost."
_FIRST_PROBE_SECONDS: Final = 10
_PROBE_SECONDS: Final = 5
_PROBES: Final = (SILENCE_SECONDS - _FIRST_PROBE_SECONDS) // _PROBE_SECONDS
log = get_logger()


class KeptAlive(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """Fails soon when the server's machine vanishes (power, network) without closing anything.

    The kernel would try for a quarter of an hour to send what was asked, and wait for ever for an
    answer. A server that is there and slow is another matter: see `command_seconds`.
    """

    __slots__ = ()

    def __init__(self, protocol: Any, transport: asyncio.Transport, *more: Any) -> None:  # noqa: ANN401 - asyncpg's own
        super().__init__(protocol, transport, *more)
        keep_alive(transport.get_extra_info("socket"))


def keep_alive(connected: socket.socket) -> None:
    """Let the kernel probe a TCP connection and give it up after `SILENCE_SECONDS`."""
    if connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted = {
        "TCP_KEEPIDLE": _FIRST_PROBE_SECONDS,
        "TCP_KEEPINTVL": _PROBE_SECONDS,
        "TCP_KEEPCNT": _PROBES,
        "TCP_USER_TIMEOUT": SILENCE_SECONDS * 1_000,
    }
    for name, value in wanted.items():
        option = getattr(socket, name, None)  # not every system has each
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


async def connect(
    url: str, name: str, *, seconds: float = CONNECT_SECONDS, command_seconds: float | None = None
) -> asyncpg.Connection:
    """One connection, for LISTEN or for locks; a server sees it under `name`.

    The server probes it as we do: locks of a machine that vanished are free after
    `SILENCE_SECONDS`, not after two hours.
    """
    probes = {
        "tcp_keepalives_idle": _FIRST_PROBE_SECONDS,
        "tcp_keepalives_interval": _PROBE_SECONDS,
        "tcp_keepalives_count": _PROBES,
        "tcp_user_timeout": SILENCE_SECONDS * 1_000,
    }
    return await asyncpg.connect(
        bare_url(url),
        timeout=seconds,
        command_timeout=command_seconds,
        connection_class=KeptAlive,
        server_settings={"application_name": name, **{k: str(v) for k, v in probes.items()}},
    )


async def create_pool(
    url: str,
    *,
    min_size: int = 1,
    max_size: int | None = None,
    idle_seconds: int = 300,
    command_seconds: float | None = None,
    leaves_nothing: bool = False,
) -> asyncpg.Pool:
    """An asyncpg pool for prepared statements and COPY; json columns come as the stored text.

    A connection that nobody used for `idle_seconds` is closed: each is 2 to 8 MB of the server's.
    A statement that takes longer than `command_seconds`, and names no limit of its own, raises
    TimeoutError: the server is there and does not answer. Whoever `leaves_nothing` behind in a
    session (locks, listeners, settings: transactions are ended anyway) saves the statement that
    cleans it up after each use.
    """
    return await asyncpg.create_pool(
        bare_url(url),
        min_size=min_size,
        max_size=max_size or settings.database.pool_size,
        max_inactive_connection_lifetime=idle_seconds,
        timeout=CONNECT_SECONDS,
        command_timeout=command_seconds,
        connection_class=KeptAlive,
        reset=_nothing if leaves_nothing else None,
        server_settings={"application_name": APPLICATION_NAME},
    )


async def _nothing(_connection: asyncpg.Connection) -> None:
    """There is nothing to clean up."""


class Sizes(TypedDict, total=False):
    """What `create_pool` is told beside the address."""

    min_size: int
    max_size: int | None
    idle_seconds: int
    command_seconds: float | None
    leaves_nothing: bool


@asynccontextmanager
async def opened_pool(url: str, **sizes: Unpack[Sizes]) -> AsyncIterator[asyncpg.Pool]:
    """`create_pool`, closed at the end; connections that nobody gives back are cut off."""
    pool = await create_pool(url, **sizes)
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            log.warning("connections_cut_off", seconds=CLOSE_SECONDS)
            pool.terminate()
