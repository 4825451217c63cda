"""Every figure of the engine page and of Prometheus, gathered now."""

from app.api.parts import Parts
from app.monitoring import resources
from app.monitoring.readings import Reading
from app.monitoring.titles import TITLES


async def gathered(parts: Parts) -> dict[str, float]:
    """Trading, events, API and machine; names as in `monitoring.titles.TITLES`."""
    found, _ = await everything(parts)
    return found


async def everything(parts: Parts) -> tuple[dict[str, float], list[Reading]]:
    """The same, and the figures with labels that only Prometheus is given."""
    shared, readings = await parts.figures.get()
    health = await parts.health.get_system_health()
    remembered = await parts.cache.figures()
    scores = [
        Reading("component_score", float(one["score"]), {"component": name})
        for name, one in health["components"].items()
    ]
    return {
        **shared,
        **{name: value for name, value in remembered.items() if name in TITLES},
        "health_score": float(health["score"]),
        "quotes_conflated_total": float(parts.prices.conflated),
        **parts.metrics.requests(),
        "event_lag": float(parts.hub.lag),
        "event_delivery_ms_p95": parts.hub.delivery_ms(),
        "websocket_clients": float(parts.sockets.count),
        "websocket_messages_total": float(parts.sockets.sent),
        "cpu_percent": resources.cpu()["percent"],
        "memory_percent": resources.memory()["percent"],
        "process_memory_mb": resources.process(parts.clock)["memory_mb"],
        "disk_percent": resources.disk(parts.settings.home)["percent"],
    }, [*readings, *scores]
