"""Errors, availability and figures over time by API; health on a port of its own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from app.api.health_port import PATHS, HealthPort
from app.api.parts import Parts
from app.core.errors import ConfigurationError
from app.core.monitoring import MonitoringOptions
from app.db.loopback import free_port
from app.main import create_app
from app.repositories import availability, metrics
from app.repositories.errors import Group, add
from tests.api.world import World, key_of

NOW = datetime.now(UTC).replace(microsecond=0)


def group(kind: str, minutes: float, component: str = "trading") -> Group:
    at = NOW - timedelta(minutes=minutes)
    return Group(
        fingerprint=kind.lower(),
        kind=kind,
        message="no answer",
        component=component,
        traceback="Traceback …",
        correlation_id="c-1",
        occurrences=2,
        first_at=at,
        last_at=at,
    )


async def test_errors_are_listed_by_kind_for_admins_alone(
    admin: httpx.AsyncClient, visitor: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    await add(parts.pool, "core", [group("TimeoutError", 5), group("KeyError", 1, "api")])
    await add(parts.pool, "worker", [group("TimeoutError", 3)])
    items = (await admin.get("/api/errors")).json()["items"]
    assert [(one["kind"], one["occurrences"]) for one in items] == [
        ("KeyError", 2),
        ("TimeoutError", 4),
    ]
    assert (items[1]["process"], items[1]["first_at"] < items[1]["last_at"]) == ("worker", True)
    trading = (await admin.get("/api/errors?component=trading")).json()["items"]
    assert [one["kind"] for one in trading] == ["TimeoutError"]
    since = (NOW - timedelta(minutes=2)).isoformat().replace("+00:00", "Z")
    assert len((await admin.get(f"/api/errors?start={since}")).json()["items"]) == 1
    one = await admin.get("/api/errors/keyerror")
    assert one.json()["traceback"] == "Traceback …"
    assert (await admin.get("/api/errors/gone")).status_code == 404
    assert (await visitor.get("/api/errors")).status_code == 401
    reader = await key_of(parts, await world.person("eve@example.com", "trader"), "trader", "read")
    headers = {"authorization": f"Bearer {reader}"}
    assert (await visitor.get("/api/errors", headers=headers)).status_code == 403


async def test_availability_is_a_share_with_days_and_outages(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    empty = (await admin.get("/api/availability")).json()
    assert (empty["share"], empty["is_met"], empty["state"]) == (None, None, None)
    began = datetime.now(UTC) - timedelta(seconds=50)
    for seconds, state in ((0, "up"), (10, "up"), (20, "down"), (30, "down"), (50, "up")):
        async with parts.pool.acquire() as db, db.transaction():
            await availability.note(db, state, "why", began + timedelta(seconds=seconds))
    found = (await admin.get("/api/availability?days=2")).json()
    assert found["share"] == pytest.approx(0.2)
    assert (found["target"], found["is_met"], found["state"]) == (0.99, False, "up")
    assert [(one["state"], one["reason"]) for one in found["outages"]] == [("down", "why")]
    assert sum(found["days"][-1]["seconds"].values()) > 0
    assert (await admin.get("/api/availability?days=0")).status_code == 422
    told = (await admin.get("/metrics")).text
    assert "tradewright_available 1.0" in told


async def test_figures_are_shown_over_time(admin: httpx.AsyncClient, parts: Parts) -> None:
    start = NOW - timedelta(hours=1)
    for number in range(10):
        at = start + timedelta(minutes=number)
        await metrics.record(parts.pool, [("orders_open", {}, float(number))], at)
    await metrics.roll_up(parts.pool, NOW, None, None)
    found = (await admin.get("/api/metrics/history?name=orders_open")).json()
    assert (found["title"], found["resolution"], len(found["items"])) == ("Open orders", "raw", 10)
    assert found["items"][3]["mean"] == 3
    fives = await admin.get("/api/metrics/history?name=orders_open&resolution=5m&limit=1")
    assert fives.json()["is_cut"] is True
    long = {"name": "orders_open", "start": (NOW - timedelta(days=3)).isoformat()}
    assert (await admin.get("/api/metrics/history", params=long)).json()["resolution"] == "5m"
    long["start"] = (NOW - timedelta(days=90)).isoformat()
    assert (await admin.get("/api/metrics/history", params=long)).json()["resolution"] == "1h"
    assert "orders_open" in (await admin.get("/api/metrics")).json()["items"]
    unknown = (await admin.get("/api/metrics/history?name=nothing")).json()
    assert (unknown["title"], unknown["items"]) == ("nothing", [])
    backwards = {**long, "end": (NOW - timedelta(days=91)).isoformat()}
    refused = await admin.get("/api/metrics/history", params=backwards)
    assert (refused.status_code, refused.json()["field"]) == (422, "start")


# ------------------------------------------------------------------------- a port of its own


@pytest.fixture
async def port(environment: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """An application whose health is on a port of its own."""
    port = free_port()
    environment.setenv("HEALTH_PORT", str(port))
    app = create_app()
    async with app.router.lifespan_context(app):
        yield port


async def test_health_and_nothing_else_is_on_its_own_port(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        assert (await client.get("/ping")).json()["status"] == "ok"
        assert (await client.get("/health/ready")).status_code == 200
        assert set((await client.get("/health")).json()) >= {"status", "score", "components"}
        assert (await client.get("/system")).status_code == 401
        other = await client.get("/api/orders")
        assert (other.status_code, "API_PORT" in other.json()["remedy"]) == (404, True)
        assert (await client.post("/health")).status_code == 404
    assert "/metrics" in PATHS


async def test_a_port_that_is_taken_is_named(app: FastAPI) -> None:
    port = free_port()
    options = MonitoringOptions(health_port=port)
    first, second = HealthPort(app, options), HealthPort(app, options)
    await first.start()
    with pytest.raises(ConfigurationError, match=f"HEALTH_PORT={port}"):
        await second.start()
    await first.stop()
    await second.stop()


async def test_without_a_port_nothing_listens(app: FastAPI) -> None:
    port = HealthPort(app, MonitoringOptions())
    await port.start()
    await port.stop()


async def test_what_is_wrong_beside_the_trading_degrades(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    for name, state in (
        ("worker:a:1", '{"is_stopped": false}'),
        ("external:quiver", '{"is_up": false, "ms": 5000, "detail": "ConnectTimeout."}'),
    ):
        await parts.pool.execute(
            "INSERT INTO heartbeats (name, at, state)"
            " VALUES ($1, now() - interval '40 seconds', $2::jsonb)",
            name,
            state,
        )
    await parts.pool.execute("INSERT INTO backups (path, status) VALUES ('b', 'failed')")
    await metrics.note(parts.pool, "worker", {"clock_drift_ms": -9_000.0}, parts.clock.now())
    found = (await admin.get("/health")).json()["components"]
    told = {name: found[name]["detail"] for name in ("worker", "vendors", "backups", "clock")}
    assert told["worker"].startswith("The worker has been silent for")
    assert told["vendors"] == "quiver cannot be reached: ConnectTimeout."
    assert told["backups"].startswith("The newest backup failed.")
    assert told["clock"] == "Off by -9000 ms."
    assert found["clock"]["status"] == "unhealthy"
