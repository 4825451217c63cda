"""A web hook and a mail server on 127.0.0.1, which can be away."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope


class WebHook:
    """Takes JSON posts; while `status` is another one it refuses them."""

    def __init__(self) -> None:
        self.status = 200
        self.location = ""
        self.taken: list[dict[str, Any]] = []
        self.refused = 0
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        body = await reader.readexactly(int(sizes[0].split(b":")[1])) if sizes else b""
        if self.status == 200:
            self.taken.append(json.loads(body))
        else:
            self.refused += 1
        place = f"Location: {self.location}\r\n" if self.location else ""
        answer = (
            f"HTTP/1.1 {self.status} x\r\n{place}Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        writer.write(answer.encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def web_hook() -> AsyncIterator[WebHook]:
    """Listening."""
    hook = WebHook()
    server = await asyncio.start_server(hook.answer, "127.0.0.1", 0)
    hook.port = server.sockets[0].getsockname()[1]
    async with server:
        yield hook


class MailServer:
    """Takes mail while it runs; its port stays its own while it is away."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd asks for this name
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content))
        return "250 OK"

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def end(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def address(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=desk@example.org&to=ada@example.org"


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """Running."""
    server = MailServer()
    await server.begin()
    try:
        yield server
    finally:
        await server.end()
