"""Health on a port of its own, for load balancers that should reach nothing else."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import ProblemResponse
from app.core.errors import ConfigurationError
from app.core.monitoring import MonitoringOptions
from app.core.tasks import end
from app.db.loopback import is_free

PATHS: Final = frozenset(
    {"/ping", "/health", "/health/live", "/health/ready", "/system", "/metrics"}
)
_START_SECONDS: Final = 5.0


class HealthOnly:
    """Lets requests for `PATHS` through to the application, which guards them as everywhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"] in PATHS
        if is_ours and scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            remedy = f"Here are only {', '.join(sorted(PATHS))}; the API is on API_PORT."
            problem = ProblemResponse(
                404, f"There is nothing at {scope['path']}.", instance=scope["path"], remedy=remedy
            )
            await problem(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 4404, "reason": "Not on this port."})


class HealthPort:
    """A second listener of the same process; nothing where HEALTH_PORT is not set."""

    def __init__(self, app: ASGIApp, options: MonitoringOptions) -> None:
        self._app = app
        self._options = options
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises ConfigurationError when the port cannot be had."""
        port, host = self._options.health_port, self._options.health_host
        if port is None:
            return
        if not is_free(port, host):
            raise ConfigurationError(
                f"HEALTH_PORT={port} on {host} is in use.",
                remedy="Choose another port, or end the program that listens there.",
            )
        config = uvicorn.Config(
            HealthOnly(self._app),
            host=host,
            port=port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(), name="health port")
        async with asyncio.timeout(_START_SECONDS):
            while not self._server.started and not self._task.done():  # noqa: ASYNC110 - sets no event
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await asyncio.wait([self._task], timeout=2)
            await end([self._task])


class _Server(uvicorn.Server):
    """Leaves the process's signals to the server of the API."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
