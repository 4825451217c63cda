"""Every figure of the engine page and of Prometheus, gathered now."""

from datetime import timedelta
from typing import Final

from app.api.parts import Parts
from app.core.quality import QualityOptions
from app.monitoring import brokers, feeds, guardian, resources, targets
from app.monitoring.metrics import TITLES
from app.repositories import broker_states, feed_states, heartbeats, metrics

_FRESH: Final = timedelta(seconds=30)
"What a process noted of itself before that is no longer so."


async def gathered(parts: Parts) -> dict[str, float]:
    """Trading, events, API and machine; names as in `monitoring.metrics.TITLES`."""
    found = await metrics.facts(parts.pool)
    noted = await metrics.noted(parts.pool, "publisher_", parts.clock.now() - _FRESH)
    checked = await metrics.noted(parts.pool, "invariant_", parts.clock.now() - _FRESH)
    remembered = await parts.cache.figures()
    measured = await targets.measured(parts.pool, parts.clock.now())
    return {
        **found,
        **noted,
        **checked,
        **feeds.figures(await feed_states.listed(parts.pool)),
        **brokers.figures(await broker_states.listed(parts.pool)),
        **guardian.figures(await heartbeats.find(parts.pool, heartbeats.GUARDIAN)),
        **targets.figures(targets.held(measured, QualityOptions())),
        **{name: value for name, value in remembered.items() if name in TITLES},
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
    }
