"""The worker's alerts, whole: an event on the bus, a condition, a channel, and who asks health."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.alerting.dispatch import about
from app.core.config import get_settings
from app.core.tls import trusting
from app.core.vault import open_vault
from app.domain.deployments import TradingState
from app.domain.events import Severity, TradingHalted
from app.domain.ports import Entry
from app.repositories import notification_channels
from app.repositories.alerts import NewAlert
from app.worker import alerts, bus
from app.worker.context import WorkerContext, opened
from tests.alerting.loopback import web_hook
from tests.certificates import certificate
from tests.waiting import until

HEALTHY = '{"components": {"database": {"status": "healthy"}, "redis": {"status": "degraded"}}}'


@pytest.fixture
async def context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str
) -> AsyncIterator[WorkerContext]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("NOTIFICATIONS_ALLOW_PRIVATE", "true")
    monkeypatch.setenv("NOTIFICATIONS_TIMEOUT_SECONDS", "60")
    get_settings.cache_clear()
    async with opened() as context:
        yield context


async def channel(context: WorkerContext, url: str) -> None:
    vault = open_vault(context.settings.home, context.settings.app)
    key_id, ciphertext = vault.seal(url.encode(), about("hook"))
    values = {
        "name": "hook", "service": "JSON", "hint": "json", "key_id": key_id,
        "ciphertext": ciphertext, "min_severity": "warning", "categories": [],
        "quiet_from": None, "quiet_to": None, "time_zone": "UTC", "level": 0,
        "tells_resolved": True, "wants_digest": True, "is_enabled": True, "created_by": "test",
    }  # fmt: skip
    await notification_channels.add(context.pool, values)


async def test_a_halt_that_was_journaled_arrives_at_a_web_hook(context: WorkerContext) -> None:
    async with web_hook() as hook:
        await channel(context, f"json://127.0.0.1:{hook.port}/x")
        parts: list[Callable[[WorkerContext], Awaitable[None]]] = [bus.run, alerts.dispatch]
        running = [asyncio.ensure_future(part(context)) for part in parts]

        async def followed() -> object:
            return await context.pool.fetchval("SELECT count(*) > 0 FROM handler_cursors")

        await until(followed, seconds=60)
        halted = TradingHalted(
            state=TradingState.HALTED, reason="drill", actor="ada", at=context.clock.now()
        )
        await context.system.append([Entry(halted)])

        async def arrived() -> bool:
            return bool(hook.taken)

        await until(arrived, seconds=60)
        context.stopping.set()
        await asyncio.gather(*running)
    assert [one["title"] for one in hook.taken] == ["[critical] Trading is halted on system"]


async def test_what_is_over_is_cleared_by_the_watch(context: WorkerContext) -> None:
    alert = NewAlert(
        key="backup", rule="no_backup", category="system", severity=Severity.CRITICAL, title="x"
    )
    await context.alarm(alert)

    async def cleared() -> object:
        return await context.pool.fetchval("SELECT resolved_at FROM alerts WHERE key = 'backup'")

    running = asyncio.ensure_future(alerts.watch(context))
    await until(cleared, seconds=60)
    context.stopping.set()
    await running


@asynccontextmanager
async def served(body: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Whatever is asked, `body` is the answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"


async def health(url: str, verify: ssl.SSLContext) -> object:
    async with httpx.AsyncClient(verify=verify, trust_env=False, timeout=30) as client:
        return await alerts.health_of(client, url)()


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"components": {"a": 1}}'])
async def test_an_api_that_talks_nonsense_does_not_answer(body: str) -> None:
    async with served(body) as url:
        assert await health(url, trusting(None)) is None


async def test_health_is_asked_of_the_api_itself() -> None:
    async with served(HEALTHY) as url:
        found = await health(url, trusting(None))
    assert found == {"database": "healthy", "redis": "degraded"}
    assert await health(url, trusting(None)) is None


def test_health_is_asked_where_the_settings_say_that_the_api_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = get_settings()
    assert alerts.where_health_is(settings)[0] == settings.api.url
    monkeypatch.setenv("MONITORING_API_URL", "https://desk.example.org/")
    assert alerts.where_health_is(settings) == ("https://desk.example.org", True)


async def test_our_own_certificate_is_trusted_by_address_and_no_other_is(tmp_path: Path) -> None:
    ours, other = certificate(tmp_path, "ours"), certificate(tmp_path, "other")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*ours)
    async with served(HEALTHY, tls) as url:
        assert await health(url, trusting(ours[0])) is not None
        assert await health(url, trusting(other[0])) is None
        assert await health(url, trusting(None)) is None
