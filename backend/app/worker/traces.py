"""The worker's traces: switched on by OTEL_EXPORTER_OTLP_ENDPOINT, never in anybody's way."""

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from app.core.errors import ConfigurationError
from app.core.logging import get_logger
from app.core.monitoring import TracingOptions
from app.events.handlers import EventHandler
from app.worker.context import WorkerContext

if TYPE_CHECKING:
    from app.monitoring.traces import Tracer

log = get_logger("jobs")
_tracers: "WeakKeyDictionary[asyncio.Event, Tracer]" = WeakKeyDictionary()
"One a worker, which its `stopping` stands for: handler and sender share it."


def handler(context: WorkerContext) -> EventHandler | None:
    """Makes spans of what is journaled; None where traces are switched off or cannot be made."""
    tracer = _tracer(context)
    if tracer is None:
        return None
    from app.monitoring.traces import TraceHandler  # noqa: PLC0415 - needs the extra otel

    return TraceHandler(tracer)


async def run(context: WorkerContext) -> None:
    """Send them until the stop."""
    tracer = _tracer(context)
    if tracer is None:
        await context.stopping.wait()
        return
    await tracer.run(context.stopping)
    tracer.close()


def _tracer(context: WorkerContext) -> "Tracer | None":
    """A wrong setting of traces must stop neither alerts nor jobs: it is logged, once."""
    options = TracingOptions()
    if options.endpoint is None:
        return None
    if context.stopping not in _tracers:
        try:
            from app.monitoring.traces import Tracer  # noqa: PLC0415 - needs the extra otel

            _tracers[context.stopping] = Tracer(options)
        except ImportError:
            log.error(
                "traces_need_extra", remedy="Install the extra: pip install tradewright[otel]"
            )
            return None
        except ConfigurationError as error:
            log.error("traces_not_configured", error=str(error))
            return None
    return _tracers[context.stopping]
