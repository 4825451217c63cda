"""A real server on a free port, and clients of its WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import uvicorn
import websockets
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection

from app.api.wire import FrameProtocol
from app.console.api import MOST_MESSAGE
from app.main import create_app

PATIENCE_SECONDS = 60.0
"What must come does so at once, but not on a machine that stands still."


class Live:
    """A running server."""

    def __init__(self, app: FastAPI, port: int, *, has_tls: bool = False) -> None:
        self.app = app
        self.port = port
        self._s = "s" if has_tls else ""

    @property
    def http(self) -> str:
        return f"http{self._s}://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws{self._s}://127.0.0.1:{self.port}/ws"

    def connect(self, path: str = "", **options: Any) -> websockets.connect:
        """A client's connection; closed at the end of the block."""
        options = {"open_timeout": PATIENCE_SECONDS, **options}
        return websockets.connect(f"{self.ws}{path}", compression=None, **options)


@asynccontextmanager
async def serving(
    started: FastAPI | None = None,
    ws: type[asyncio.Protocol] = FrameProtocol,
    tls: tuple[Path, Path] | None = None,
) -> AsyncIterator[Live]:
    """uvicorn as `tradewright api` runs it, in this event loop; on an app that runs already."""
    certificate, key = tls or (None, None)
    app = started or create_app()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, access_log=False, ws=ws,
        ws_max_size=MOST_MESSAGE,
        ws_per_message_deflate=False, timeout_graceful_shutdown=1,
        lifespan="off" if started else "on", ssl_certfile=certificate, ssl_keyfile=key,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # the test's own stay
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        if task.done():
            await task
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Live(app, port, has_tls=tls is not None)
    finally:
        server.should_exit = True
        await task


async def say(client: ClientConnection, **message: Any) -> None:
    await client.send(orjson.dumps(message).decode())


async def hear(client: ClientConnection, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """The next message."""
    async with asyncio.timeout(seconds):
        found: dict[str, Any] = orjson.loads(await client.recv())
        return found


async def ask(client: ClientConnection, **message: Any) -> dict[str, Any]:
    """Send, and the next message."""
    await say(client, **message)
    return await hear(client)


async def closed(client: ClientConnection, seconds: float = PATIENCE_SECONDS) -> int | None:
    """Wait for the close; its code."""
    async with asyncio.timeout(seconds):
        await client.wait_closed()
    return client.close_code
