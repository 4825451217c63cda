"""Every handler of the event bus. A new one is a line here."""

from collections.abc import Callable
from typing import Final

from app.events.handlers import EventHandler
from app.worker import alerts, traces
from app.worker.context import WorkerContext

MAKERS: Final[tuple[Callable[[WorkerContext], EventHandler | None], ...]] = (
    alerts.handler,
    traces.handler,
)
"""Each makes a handler for this process, or None where it is switched off."""


def every_handler(context: WorkerContext) -> list[EventHandler]:
    """In no particular order: each works for itself."""
    return [made for make in MAKERS if (made := make(context)) is not None]
