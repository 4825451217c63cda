"""A loopback whose HTTP side takes every method with a body, beside WebSockets on the same port."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from tests.vendors.loopback import Asked, Loopback, Socket, text


@dataclass(frozen=True, slots=True)
class Posted(Asked):
    """A request of any method."""

    method: str = "GET"
    body: Any = None


@dataclass(slots=True)
class Fault:
    """What happens to one request, instead of or after what it asks for."""

    method: str | None = "POST"
    "None: any."
    prefix: str = ""
    answer: Response | None = None
    "None: the connection is cut, but for a delay."
    is_taken: bool = False
    "Whether the vendor acts on it all the same."
    hangs: bool = False
    "No answer ever, and the connection stays."
    delay: float | None = None
    "Seconds until the right answer."
    headers: Mapping[str, str] = field(default_factory=dict)

    def fits(self, asked: Posted) -> bool:
        return self.method in (None, asked.method) and asked.path.startswith(self.prefix)


class Duplex:
    """A WebSocket on streams: the part of `ServerConnection` that a `Socket` uses."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes
    ) -> None:
        self._reader, self._writer = reader, writer
        self._protocol = ServerProtocol(max_size=None)
        self._protocol.receive_data(head)
        first = self._protocol.events_received()[0]
        self.request: Request | None = first if isinstance(first, Request) else None
        if self.request is not None:
            self._protocol.send_response(self._protocol.accept(self.request))

    @property
    def transport(self) -> asyncio.Transport:
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        return transport

    async def send(self, content: str | bytes) -> None:
        if isinstance(content, str):
            self._protocol.send_text(content.encode())
        else:
            self._protocol.send_binary(content)
        await self.flush()

    async def recv(self) -> str | bytes:
        """Raises ConnectionClosedError."""
        while True:
            for event in self._protocol.events_received():
                assert isinstance(event, Frame)
                if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                    return bytes(event.data)
            try:
                data = await self._reader.read(65_536)
            except OSError:
                data = b""
            if not data:
                raise ConnectionClosedError(None, None)
            self._protocol.receive_data(data)
            await self.flush()

    async def close(self) -> None:
        """End it as the protocol wants."""
        self._protocol.send_close(1000)
        await self.flush()

    async def wait_closed(self) -> None:
        """Until the client goes; what it says is answered by pongs at most."""
        while True:
            await self.recv()

    async def flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
            else:
                self._writer.close()
        try:
            await self._writer.drain()
        except OSError:
            raise ConnectionClosedError(None, None) from None


class HttpLoopback(Loopback):
    """Subclasses answer requests in `respond`, and talk to sockets in `talk`."""

    def __init__(self) -> None:
        super().__init__()
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._plans: list[Fault] = []
        self._lives: set[asyncio.Task[None]] = set()

    async def respond(self, asked: Posted) -> Response:
        """What the vendor answers."""
        raise NotImplementedError

    def plan(self, times: int = 1, **fault: Any) -> None:
        """The next `times` requests that fit meet this fault (see `Fault`)."""
        self._plans += [Fault(**fault) for _ in range(times)]

    async def start(self) -> None:
        self._ended.clear()
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        if self._listener is None:
            return
        self._ended.set()
        listener, self._listener = self._listener, None
        listener.close()
        for writer in list(self._writers):
            writer.transport.abort()
        while self._lives:
            await asyncio.wait(list(self._lives))
        await listener.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        life = asyncio.current_task()
        assert life is not None
        self._lives.add(life)
        self._writers.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, ConnectionClosedError):
                await self._converse(reader, writer)
        finally:
            self._writers.discard(writer)
            self._lives.discard(life)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests one after the other, until one becomes a WebSocket or the client goes."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            asked = await _asked(head, reader)
            self.asked.append(asked)
            if asked.headers.get("Upgrade", "").lower() == "websocket":
                await self._upgrade(asked, reader, writer, head)
                return
            answer = await self._outcome(asked)
            if answer is None:
                writer.transport.abort()
                return
            writer.write(answer.serialize())
            await writer.drain()

    async def _upgrade(
        self,
        asked: Posted,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        head: bytes,
    ) -> None:
        if (plan := self._planned(asked)) is not None and plan.answer is not None:
            writer.write(plan.answer.serialize())
            return
        duplex = Duplex(reader, writer, head)
        await duplex.flush()
        await self._talk(duplex)  # type: ignore[arg-type]  # the part of it that is used here

    async def _outcome(self, asked: Posted) -> Response | None:
        """The answer; None cuts the connection."""
        if (refusal := self.admit(asked)) is not None:
            return refusal
        plan = self._planned(asked)
        if plan is None:
            return await self.respond(asked)
        if plan.delay is not None:
            await asyncio.sleep(plan.delay)
            return await self.respond(asked)
        if plan.is_taken:
            await self.respond(asked)
        if plan.hangs:
            await self._ended.wait()
        return plan.answer

    def _planned(self, asked: Posted) -> Fault | None:
        for plan in self._plans:
            if plan.fits(asked):
                self._plans.remove(plan)
                return plan
        return None


async def _asked(head: bytes, reader: asyncio.StreamReader) -> Posted:
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    headers = Headers(tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line)
    length = int(headers.get("Content-Length", 0))
    content = await reader.readexactly(length) if length else b""
    address = urlsplit(target)
    return Posted(
        address.path, dict(parse_qsl(address.query)), headers,
        method=method, body=json.loads(content) if content else None,
    )  # fmt: skip


def empty(status: int = 204) -> Response:
    """No body."""
    return text("", status)


__all__ = ["Duplex", "Fault", "HttpLoopback", "Posted", "Socket", "empty"]
