"""`tradewright api`: the web server alone, on the configured address."""

import uvicorn

from app.core.config import settings
from app.core.logging import configure_logging


def api() -> None:
    """Serve the API, the WebSocket and the UI until SIGINT or SIGTERM."""
    configure_logging("api")
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host=settings.api.host,
        port=settings.api.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=64 * 1024,
        timeout_graceful_shutdown=3,
    )
