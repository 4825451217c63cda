"""A vendor on this machine: HTTP and WebSocket on one port, with faults switched on by methods."""

import asyncio
import http
import json
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakSet

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request as it came."""

    path: str
    query: dict[str, str]
    headers: Mapping[str, str] = field(repr=False)


Answer = Callable[[Asked], Response]


class Trouble(Enum):
    """Instead of an answer."""

    CUT = "cut"
    STALL = "stall"


class Loopback:
    """Subclasses add routes with `route` and talk to sockets in `talk`.

    `kill` takes the whole server away (a port that nobody serves), `start` brings it back on the
    same port. Everything else that goes wrong has a method of its own.
    """

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[Asked] = []
        self.sockets: list[Socket] = []
        self.accepted = 0
        "Sockets so far."
        self.key_is_valid = True
        self.faulty_sockets = False
        "Whether faults of requests meet those that want a socket too."
        self._routes: list[tuple[str, Answer]] = []
        self._faults: deque[Response | Trouble] = deque()
        self._server: Server | None = None
        self._ended = asyncio.Event()
        self._audible = asyncio.Event()
        self._audible.set()
        self._doubled = False
        self._held: list[tuple[Socket, Any]] | None = None
        self._connected: WeakSet[ServerConnection] = WeakSet()
        "Every connection; the server itself counts only those that became sockets."

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Serve, on the port of the last time if there was one."""
        self._ended.clear()
        connected = self._connected

        class Connection(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                connected.add(self)

        self._server = await serve(
            self._talk, "127.0.0.1", self.port, process_request=self._answer,
            create_connection=Connection, ping_interval=None, close_timeout=0.2, max_size=None,
        )  # fmt: skip
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    # --------------------------------------------------------------------------- faults

    async def kill(self) -> None:
        """No server any more: sockets are cut without a word, new connections are refused."""
        if self._server is None:
            return
        self._ended.set()
        server, self._server = self._server, None
        server.close(close_connections=False)
        for connection in list(self._connected):
            connection.transport.abort()
        await server.wait_closed()

    def drop(self) -> None:
        """Cut every socket without a word; new connections are welcome."""
        for socket in list(self.sockets):
            socket.abort()

    def mute(self, on: bool = True) -> None:
        """Sockets stay open and say nothing; news are lost, answers wait until it is over."""
        if on:
            self._audible.clear()
        else:
            self._audible.set()

    def deafen(self) -> None:
        """Sockets stay open, but nothing that clients send is read any more, not even pings."""
        for socket in list(self.sockets):
            socket.connection.transport.pause_reading()

    def duplicate(self, on: bool = True) -> None:
        """Everything is said twice."""
        self._doubled = on

    def reorder(self, on: bool = True) -> None:
        """Every two messages change places."""
        self._held = [] if on else None

    async def garbage(self, what: str | bytes = '[{"T":"t","S":') -> None:
        """Something that nobody can read, to every socket."""
        for socket in list(self.sockets):
            await socket.raw(what)

    def throttle(self, times: int = 1, **headers: str) -> None:
        """The next requests get 429, with these headers (underscores become hyphens)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for _ in range(times):
            self._faults.append(reply({"message": "too many requests."}, 429, **named))

    def fail(self, times: int = 1, status: int = 500, body: str = "oops") -> None:
        """The next requests get this status."""
        for _ in range(times):
            self._faults.append(text(body, status))

    def break_off(self, times: int = 1) -> None:
        """The next requests get no answer: the connection is cut."""
        self._faults.extend([Trouble.CUT] * times)

    def stall(self, times: int = 1) -> None:
        """The next requests get no answer, and the connection stays."""
        self._faults.extend([Trouble.STALL] * times)

    def expire_key(self) -> None:
        """The key is refused from now on, by HTTP and by sockets; those that are open are cut."""
        self.key_is_valid = False
        self.drop()

    # ------------------------------------------------------------------------ for vendors

    def route(self, prefix: str, answer: Answer) -> None:
        """Paths that begin with `prefix`; the longest wins."""
        self._routes.append((prefix, answer))
        self._routes.sort(key=lambda route: -len(route[0]))

    async def talk(self, socket: "Socket") -> None:
        """One socket's life; ends when this returns or the client goes."""
        raise NotImplementedError

    def admit(self, asked: Asked) -> Response | None:
        """A refusal, before anything else is looked at."""
        return None

    def spares(self, asked: Asked) -> bool:
        """Whether faults of requests leave this one alone."""
        return False

    async def answer(self, socket: "Socket", message: Any) -> None:
        """Send what the protocol owes the client: no fault but silence touches it."""
        await self._audible.wait()
        await socket.send(message)

    async def say(self, socket: "Socket", message: Any) -> None:
        """Send, through the faults that are on."""
        if not self._audible.is_set():
            return
        for one in self._order(socket, message):
            for _ in range(2 if self._doubled else 1):
                await one[0].send(one[1])

    def _order(self, socket: "Socket", message: Any) -> list[tuple["Socket", Any]]:
        if self._held is None:
            return [(socket, message)]
        self._held.append((socket, message))
        if len(self._held) < 2:
            return []
        swapped, self._held = self._held[::-1], []
        return swapped

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        address = urlsplit(request.path)
        asked = Asked(address.path, dict(parse_qsl(address.query)), request.headers)
        self.asked.append(asked)
        upgrading = request.headers.get("Upgrade", "").lower() == "websocket"
        if upgrading and not self.faulty_sockets:
            return None
        if self._faults and not self.spares(asked):
            return await self._trouble(connection, self._faults.popleft())
        if upgrading:
            return None
        if (refusal := self.admit(asked)) is not None:
            return refusal
        for prefix, answer in self._routes:
            if asked.path.startswith(prefix):
                return answer(asked)
        return reply({"message": "endpoint not found."}, 404)

    async def _trouble(self, connection: ServerConnection, fault: "Response | Trouble") -> Response:
        if isinstance(fault, Response):
            return fault
        if fault is Trouble.CUT:
            connection.transport.abort()
        else:
            await self._ended.wait()
        return text("", 500)

    async def _talk(self, connection: ServerConnection) -> None:
        socket = Socket(connection)
        self.sockets.append(socket)
        self.accepted += 1
        try:
            with suppress(ConnectionClosed):
                await self.talk(socket)
        finally:
            self.sockets.remove(socket)


class Socket:
    """A client's WebSocket; `encode` and `decode` are the codec it asked for."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.path = connection.request.path if connection.request else ""
        self.headers = connection.request.headers if connection.request else Headers()
        self.encode: Callable[[Any], str | bytes] = json.dumps
        self.decode: Callable[[str | bytes], Any] = json.loads
        self.topics: dict[str, list[str]] = {}

    async def send(self, message: Any) -> None:
        await self.raw(self.encode(message))

    async def raw(self, content: str | bytes) -> None:
        with suppress(ConnectionClosed):
            await self.connection.send(content)

    async def hear(self) -> Any:
        return self.decode(await self.connection.recv())

    def abort(self) -> None:
        self.connection.transport.abort()


def reply(body: object, status: int = 200, **headers: str) -> Response:
    """JSON."""
    return _response(json.dumps(body), status, "application/json", headers)


def text(body: str, status: int = 200, **headers: str) -> Response:
    """Plain text."""
    return _response(body, status, "text/plain", headers)


def _response(body: str, status: int, kind: str, headers: Mapping[str, str]) -> Response:
    content = body.encode()
    return Response(
        status,
        http.HTTPStatus(status).phrase,
        Headers(
            {
                "Content-Type": kind,
                "Content-Length": str(len(content)),
                "Connection": "close",
                **headers,
            }
        ),
        content,
    )


async def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - sockets and batches set no event
            await asyncio.sleep(0.005)
