"""`tradewright api`: the web server alone, on the configured address."""

import asyncio

import uvicorn

from app.core.config import Settings, settings

MOST_MESSAGE = 64 * 1024
"Bytes of one WebSocket message."


def api() -> None:
    """Serve the API, the WebSocket and the UI until SIGINT or SIGTERM."""
    from app.api.wire import FrameProtocol

    asyncio.run(check_binding(settings))
    uvicorn.run(
        "app.main:serve",
        factory=True,
        host=settings.api.host,
        port=settings.api.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws=FrameProtocol,
        ws_max_size=MOST_MESSAGE,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=3,
        ssl_certfile=settings.api.tls_certificate,
        ssl_keyfile=settings.api.tls_key,
    )


async def check_binding(given: Settings) -> None:
    """Beyond this machine only with a user, and behind TLS. Raises ConfigurationError."""
    if given.api.is_loopback:
        return
    from app.core.errors import ConfigurationError
    from app.db.address import database_url
    from app.db.session import opened_pool
    from app.repositories import users

    if not (given.api.tls_certificate or given.api.trusted_proxies):
        raise ConfigurationError(
            f"API_HOST={given.api.host} can be reached by others, without TLS.",
            remedy="Set API_TLS_CERTIFICATE and API_TLS_KEY, or API_TRUSTED_PROXIES for a proxy"
            " that has them; or use 127.0.0.1.",
        )
    async with opened_pool(database_url(), min_size=0) as pool:
        if not await users.exist(pool):
            raise ConfigurationError(
                f"API_HOST={given.api.host} can be reached by others, and nobody has signed up.",
                remedy="Sign up on 127.0.0.1 first, or make a user with `tradewright users add`.",
            )
