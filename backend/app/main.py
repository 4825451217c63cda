"""The web application: its parts from start to stop, middleware, routes and the built UI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app.api import docs, errors, frontend, websocket
from app.api.assembly import assemble
from app.api.health_port import HealthPort
from app.api.idempotency import Repeated, on_repeated
from app.api.middleware import BodyLimit, Network, RequestContext
from app.api.openapi import VERSION, document, operation_id
from app.api.router import every_route
from app.core.config import Settings, get_settings
from app.core.logging import configure_logging
from app.core.monitoring import MonitoringOptions
from app.monitoring.metrics import Metrics

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "X-Correlation-ID")
_EXPOSED = ("X-Correlation-ID", "Retry-After", "Location", "Idempotency-Replayed")


def serve() -> FastAPI:
    """The application as a process runs it: with log files. A factory for uvicorn."""
    configure_logging("api")
    return create_app()


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Nothing is connected before it starts, so the OpenAPI needs no server."""
    settings = settings or get_settings()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with assemble(settings, metrics) as parts:
            app.state.parts = parts
            port = HealthPort(app, MonitoringOptions())
            await port.start()
            try:
                yield
            finally:
                await port.stop()

    app = FastAPI(
        title="Tradewright",
        version=VERSION,
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    errors.install(app)
    app.add_exception_handler(Repeated, on_repeated)
    app.include_router(every_route())
    app.include_router(websocket.router)
    app.openapi = cache(lambda: document(app.routes))  # type: ignore[method-assign]  # as FastAPI documents it
    docs.install(app, is_public=settings.has_public_docs)
    frontend.install(app)
    _surround(app, settings, metrics)
    return app


def _surround(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Middleware; the last one added is the outermost."""
    upload = settings.api.max_upload_mb * 1024**2
    app.add_middleware(BodyLimit, larger={"/api/imports": upload})
    if settings.api.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.api.cors_origins),
            allow_methods=list(_METHODS),
            allow_headers=list(_HEADERS),
            expose_headers=list(_EXPOSED),
            allow_credentials=True,
        )
    hosts = (*settings.api.hosts, *_own_host(settings))
    network = Network(settings.api.trusted_proxies, hosts)
    app.add_middleware(RequestContext, network=network, metrics=metrics)


def _own_host(settings: Settings) -> tuple[str, ...]:
    host = settings.api.host
    if host in ("0.0.0.0", "::"):
        return ()
    return (f"[{host}]" if ":" in host else host,)
