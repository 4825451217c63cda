"""The worker's part that follows the settings which people change while it runs."""

from app.events.listener import Listener
from app.services.system_config import CHANNEL, SystemConfig
from app.worker.context import WorkerContext


async def run(context: WorkerContext) -> None:
    """Until the stop."""
    followed, listener = SystemConfig(context.pool), Listener(context.connect)
    listener.on(CHANNEL, followed.heard)
    listener.on_connected(followed.catch_up)
    followed.start()
    listener.start()
    try:
        await context.stopping.wait()
    finally:
        await listener.stop()
        await followed.stop()
