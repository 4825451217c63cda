"""Health as people, load balancers and Prometheus ask for it."""

import httpx
import pytest
from fastapi import FastAPI

from app.main import create_app
from tests.api.world import World, client_of

COMPONENTS = {"database", "redis", "event_bus", "market_data", "brokers", "disk"}


async def test_anybody_may_ask_whether_it_lives(visitor: httpx.AsyncClient) -> None:
    for path in ("/ping", "/health/live", "/health/ready"):
        answer = await visitor.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_health_names_every_component_and_a_score(admin: httpx.AsyncClient) -> None:
    found = (await admin.get("/health")).json()
    assert set(found["components"]) == COMPONENTS
    assert 0 <= found["score"] <= 100
    assert found["components"]["database"]["status"] == "healthy"
    assert "PostgreSQL" in found["components"]["database"]["detail"]


async def test_a_stranger_learns_no_details(visitor: httpx.AsyncClient) -> None:
    components = (await visitor.get("/health")).json()["components"]
    assert {one["detail"] for one in components.values()} == {None}


async def test_an_account_without_an_engine_is_noticed(
    admin: httpx.AsyncClient, world: World
) -> None:
    await world.account()
    brokers = (await admin.get("/health")).json()["components"]["brokers"]
    assert brokers["status"] != "healthy"


async def test_without_redis_it_is_degraded_and_still_ready(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    app: FastAPI = create_app()
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.get("/health")).json()["components"]["redis"]["status"] != "healthy"
        assert (await client.get("/health/ready")).status_code == 200


async def test_resources_are_for_people_who_are_signed_in(
    visitor: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    assert (await visitor.get("/system")).status_code == 401
    system = (await admin.get("/system")).json()
    assert 0 < system["memory"]["percent"] < 100
    assert (await visitor.get("/metrics")).status_code == 401
    assert "process_" in (await admin.get("/metrics")).text
