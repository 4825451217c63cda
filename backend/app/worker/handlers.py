"""Every handler of the event bus. A new one is a line here."""

from collections.abc import Callable
from typing import Final

from app.events.handlers import EventHandler
from app.worker import alerts
from app.worker.context import WorkerContext

MAKERS: Final[tuple[Callable[[WorkerContext], EventHandler], ...]] = (alerts.handler,)
"""Each makes a handler for this process."""


def every_handler(context: WorkerContext) -> list[EventHandler]:
    """In no particular order: each works for itself."""
    return [make(context) for make in MAKERS]
