"""The worker's parts that tell people: conditions, events, and the way to channels."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import httpx

from app.alerting.dispatch import Dispatcher
from app.alerting.handler import AlertHandler
from app.alerting.watch import AskHealth, Watch
from app.core import registry
from app.core.config import Settings
from app.core.monitoring import MonitoringOptions
from app.core.tls import trusting
from app.core.vault import open_vault
from app.jobs.hours import hours
from app.worker.alone import alone
from app.worker.context import WorkerContext

_HEALTH_SECONDS: Final = 10.0


async def watch(context: WorkerContext) -> None:
    """Until the stop; of several workers one watches, and another when that one is gone."""
    url, verify = where_health_is(context.settings)
    async with httpx.AsyncClient(verify=verify, timeout=_HEALTH_SECONDS, trust_env=False) as client:
        ask = health_of(client, url)

        async def work() -> None:
            watch = Watch(context.pool, context.system, ask, opened, context.clock)
            await watch.run(context.stopping)

        await alone(context, "conditions", work)


async def opened(exchange: str, now: datetime) -> datetime | None:
    """When the session that is open now began; None between sessions."""
    return await asyncio.to_thread(open_since, exchange, now)


def open_since(exchange: str, now: datetime) -> datetime | None:
    """The same, in this thread: it may take a second, once a year."""
    years = {now.year - 1, now.year} if (now.month, now.day) == (1, 1) else {now.year}
    sessions = (one for year in years for one in hours(exchange, year))
    return next((opens for opens, closes in sessions if opens <= now < closes), None)


def where_health_is(settings: Settings) -> tuple[str, ssl.SSLContext | bool]:
    """The address that is asked, and whose certificate is trusted there."""
    if url := MonitoringOptions().api_url:  # it runs elsewhere, under a name of its own
        return url.rstrip("/"), True
    return settings.api.url, trusting(settings.api.tls_certificate)


def health_of(client: httpx.AsyncClient, url: str) -> AskHealth:
    """Asks the API from outside, as whoever needs it does."""

    async def ask() -> Mapping[str, str] | None:
        try:
            answer = await client.get(f"{url}/health")
            components = dict(answer.json()["components"])
            return {name: str(one["status"]) for name, one in components.items()}
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None

    return ask


def handler(context: WorkerContext) -> AlertHandler:
    """Of committed events."""
    return AlertHandler(context.system, context.clock)


async def dispatch(context: WorkerContext) -> None:
    """Until the stop; what is being sent then is ended, and taken up again."""
    dispatcher = Dispatcher(
        context.pool,
        context.system,
        open_vault(context.settings.home, context.settings.app),
        registry.load("notifiers", "apprise")(),
        context.clock,
        context.settings.api.url,
    )
    await dispatcher.run(context.stopping)
