"""What the worker writes down for monitoring, with a real API and a vendor of our own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app import bootstrap
from app.core.config import get_settings
from app.monitoring import external
from app.repositories import heartbeats, metrics
from app.worker import monitor
from app.worker.context import WorkerContext, opened
from tests.monitoring.test_probes import vendor
from tests.waiting import until


@pytest.fixture
async def context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str
) -> AsyncIterator[WorkerContext]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()
    async with opened() as context:
        yield context


async def worked(
    context: WorkerContext,
    part: Callable[[WorkerContext], Awaitable[None]],
    done: Callable[[], Awaitable[object]],
) -> None:
    """Run a part until something is there, then let it stop by itself."""
    task = asyncio.ensure_future(part(context))
    await until(done)
    context.stopping.set()
    await task


async def test_all_figures_are_stored(context: WorkerContext) -> None:
    await metrics.note(context.pool, "core", {"publisher_waiting": 7}, context.clock.now())

    async def stored() -> object:
        return await context.pool.fetchval("SELECT count(*) > 20 FROM metrics")

    await worked(context, monitor.measurements, stored)
    since = context.clock.now() - timedelta(minutes=1)
    assert await metrics.noted(context.pool, "publisher_", since) == {"publisher_waiting": 7}
    own = "SELECT count(*) FROM metrics WHERE name LIKE 'publisher%'"
    assert await context.pool.fetchval(own) == 1
    names = {row["name"] for row in await context.pool.fetch("SELECT name FROM metrics")}
    assert names >= {"orders_open", "database_mb", "feeds_up", "alerts_open"}


async def test_availability_is_noted_and_a_stop_is_no_outage(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = '{"status": "healthy", "score": 97, "components": {}}'
    async with vendor("200 OK", body=body) as url:
        monkeypatch.setenv("MONITORING_API_URL", url)

        async def noted() -> object:
            return await context.pool.fetchval("SELECT state = 'up' FROM availability")

        await worked(context, monitor.presence, noted)
    states = [r["state"] for r in await context.pool.fetch("SELECT state FROM availability")]
    assert states == ["up", "stopped"]
    score = await context.pool.fetchval("SELECT value FROM metrics WHERE name = 'health_score'")
    assert score == 97


async def test_an_api_that_is_not_up_yet_is_no_outage(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "LOOK_SECONDS", 0.01)
    monkeypatch.setenv("MONITORING_API_URL", "http://127.0.0.1:1")
    looks = 0
    look = monitor.Watch.look

    async def counted(self: monitor.Watch) -> monitor.Look:
        nonlocal looks
        looks += 1
        return await look(self)

    monkeypatch.setattr(monitor.Watch, "look", counted)

    async def often() -> object:
        return looks > 2

    await worked(context, monitor.presence, often)
    states = [r["state"] for r in await context.pool.fetch("SELECT state FROM availability")]
    assert states == ["stopped"]
    monkeypatch.setattr(monitor, "START_SECONDS", 0)
    context.stopping.clear()

    async def down() -> object:
        return await context.pool.fetchval("SELECT bool_or(state = 'down') FROM availability")

    await worked(context, monitor.presence, down)


async def test_vendors_with_a_key_are_asked_and_the_clock_is_noted(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendor("401 Unauthorized") as url:
        monkeypatch.setenv("QUIVER_API_KEY", "quiver-key-of-a-test")
        monkeypatch.setenv("QUIVER_BASE_URL", url)

        async def noted() -> object:
            return await context.pool.fetchval(
                "SELECT count(*) FROM metrics WHERE name = 'clock_drift_ms'"
            )

        await worked(context, monitor.vendors, noted)
    rows = await heartbeats.listed(context.pool, "external:%")
    assert [row["name"] for row in rows] == ["external:quiver"]
    assert external.sentence(rows) == "Reached: quiver."


async def test_a_time_server_that_is_away_stops_nothing(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.monitoring.clocks.ANSWER_SECONDS", 0.05)
    await monitor._note_clock(context, "127.0.0.1:9", [])
    assert await context.pool.fetchval("SELECT count(*) FROM metrics") == 0


async def test_a_database_that_is_away_is_waited_for(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITORING_MEASURE_SECONDS", "1")
    await context.pool.execute("ALTER TABLE metrics RENAME TO gone")
    task = asyncio.ensure_future(monitor.measurements(context))
    await asyncio.sleep(0)
    await context.pool.execute("ALTER TABLE gone RENAME TO metrics")

    async def stored() -> object:
        return await context.pool.fetchval("SELECT count(*) FROM metrics")

    await until(stored)
    context.stopping.set()
    await task


async def test_the_process_notes_itself(context: WorkerContext) -> None:
    async def noted() -> object:
        return await context.pool.fetchval(
            "SELECT count(*) FROM metrics WHERE labels->>'process' = 'worker'"
        )

    await worked(context, monitor.process, noted)


def test_every_vendor_with_a_key_has_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bootstrap.vendor_addresses() == {}
    names = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "TWELVE_DATA_API_KEY", "QUIVER_API_KEY")
    for name in (*names, "DATABENTO_API_KEY"):
        monkeypatch.setenv(name, f"{name.lower()}-of-a-test")
    found = bootstrap.vendor_addresses()
    assert set(found) == {"alpaca", "alpaca_data", "twelve_data", "quiver", "databento"}
    assert all(address.startswith("https://") for address in found.values())
