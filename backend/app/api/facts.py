"""Every figure of the engine page and of Prometheus, gathered now."""

from app.api.parts import Parts
from app.monitoring import resources
from app.repositories import metrics


async def gathered(parts: Parts) -> dict[str, float]:
    """Trading, events, API and machine; names as in `monitoring.metrics.TITLES`."""
    found = await metrics.facts(parts.pool)
    return {
        **found,
        **parts.metrics.requests(),
        "event_lag": float(parts.hub.lag),
        "event_delivery_ms_p95": parts.hub.delivery_ms(),
        "websocket_clients": float(parts.sockets.count),
        "websocket_messages_total": float(parts.sockets.sent),
        "cpu_percent": resources.cpu()["percent"],
        "memory_percent": resources.memory()["percent"],
        "process_memory_mb": resources.process(parts.clock)["memory_mb"],
        "disk_percent": resources.disk(parts.settings.home)["percent"],
    }
