"""Health for people, load balancers and Prometheus; the built UI; people and roles."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.api import frontend
from app.api.parts import Parts
from app.core.config import get_settings
from app.ingest.link import LinkReport, LinkState
from app.main import create_app
from app.monitoring.health import WEIGHTS, overall
from app.monitoring.metrics import Metrics, described
from app.repositories import feed_states, metrics
from tests.api.world import PASSWORD, World, client_of, engine, eventually, key_of


async def test_health_names_the_components_and_scores_them(
    visitor: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account = await world.account()
    await eventually(lambda: parts.hub.is_current)
    async with engine(database_url, account):
        body = (await visitor.get("/health")).json()
    assert set(body["components"]) == {
        "database", "redis", "cache", "event_bus", "market_data", "brokers", "guardian", "disk",
        "worker", "backups", "clock", "vendors",
    }  # fmt: skip
    assert (body["status"], body["score"]) == ("healthy", 100)
    assert all(one["detail"] is None for one in body["components"].values())


async def test_details_are_for_people_we_know(admin: httpx.AsyncClient) -> None:
    body = (await admin.get("/health")).json()
    assert "PostgreSQL 18" in body["components"]["database"]["detail"]
    assert body["components"]["database"]["latency_ms"] > 0


async def test_an_account_without_an_engine_degrades(
    admin: httpx.AsyncClient, world: World
) -> None:
    await world.account()
    body = (await admin.get("/health")).json()
    assert body["status"] == "degraded"
    assert body["components"]["brokers"]["detail"] == "No engine holds Simulation."
    assert body["score"] == 80


async def test_prices_that_pile_up_degrade(
    admin: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    await world.bars([1.0, 2.0])
    for _ in range(2):
        await admin.get("/api/stocks/AAPL/bars?dataset=simulated")
    await metrics.note(parts.pool, "core:1", {"publisher_waiting": 9_000}, parts.clock.now())
    cache = (await admin.get("/health")).json()["components"]["cache"]
    assert cache["status"] == "degraded"
    assert "50.0% of reads were found" in cache["detail"]
    assert "9000 prices wait" in cache["detail"]
    told = (await admin.get("/metrics")).text
    assert "tradewright_cache_bars_hits_total 1.0" in told
    assert "tradewright_cache_hit_ratio 0.5" in told
    assert "tradewright_publisher_waiting 9000.0" in told


async def test_without_redis_the_api_serves_on(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    app = create_app()
    async with app.router.lifespan_context(app), client_of(app) as client:
        await World(app.state.parts.pool).person("ada@example.com")
        body = {"email": "ada@example.com", "password": PASSWORD}
        assert (await client.post("/api/auth/sign-in", json=body)).status_code == 200
        assert (await client.get("/api/orders")).status_code == 200
        health = (await client.get("/health")).json()
        assert health["status"] == "degraded"
        assert health["components"]["redis"]["status"] == "unhealthy"
        assert health["components"]["cache"]["detail"].startswith("Redis is away: PostgreSQL")
        ticket = await client.post(
            "/api/auth/ws-ticket", headers={"origin": "http://127.0.0.1:8000"}
        )
        caller = await app.state.parts.tickets.redeem(ticket.json()["ticket"])
        assert caller.email == "ada@example.com"


def test_the_weights_add_up_to_a_hundred() -> None:
    assert sum(WEIGHTS.values()) == 100


def test_the_database_alone_decides_about_unhealthy() -> None:
    well = {name: {"status": "healthy"} for name in WEIGHTS}
    assert overall(well) == "healthy"
    assert overall(well | {"redis": {"status": "unhealthy"}}) == "degraded"
    assert overall(well | {"database": {"status": "unhealthy"}}) == "unhealthy"


async def test_the_machine_is_described(admin: httpx.AsyncClient) -> None:
    body = (await admin.get("/system")).json()
    assert body["cpu"]["cores"] >= 1
    assert 0 < body["memory"]["percent"] < 100
    assert body["process"]["memory_mb"] > 10


def test_operations_are_timed_and_their_failures_counted() -> None:
    metrics = Metrics()
    with metrics.timing("reconcile"):
        pass
    with pytest.raises(ZeroDivisionError), metrics.timing("reconcile"):
        raise ZeroDivisionError
    text = metrics.exposition({"orders_open": 2}).decode()
    assert 'tradewright_operation_seconds_count{name="reconcile"} 2.0' in text
    assert 'tradewright_failures_total{kind="reconcile"} 1.0' in text
    assert "tradewright_orders_open 2.0" in text
    assert described({"orders_open": 2.0})[0]["title"] == "Open orders"
    assert metrics.requests()["request_ms_mean"] == 0


# -------------------------------------------------------------------------------- the page


@pytest.fixture
async def built(tmp_path: Path) -> httpx.AsyncClient:
    """A UI that is built."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "app-1a2b.js").write_text("1")
    (tmp_path / "index.html").write_text("<title>Tradewright</title>")
    app = FastAPI()
    frontend.install(app, tmp_path)
    return client_of(app)


@pytest.mark.parametrize("path", ["/", "/market", "/deployments/3", "/trading-engine"])
async def test_deep_links_lead_to_the_page(built: httpx.AsyncClient, path: str) -> None:
    answer = await built.get(path, headers={"accept": "text/html"})
    assert "<title>Tradewright" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


async def test_hashed_files_are_kept_for_ever(built: httpx.AsyncClient) -> None:
    answer = await built.get("/assets/app-1a2b.js")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/assets/gone.js", "/api/nothing", "/..%2f..%2fetc%2fpasswd", "/assets/../../secret"]
)
async def test_nothing_else_is_served(built: httpx.AsyncClient, path: str) -> None:
    answer = await built.get(path, headers={"accept": "application/json"})
    assert answer.status_code == 404


async def test_an_unbuilt_page_says_how_to_build_it(tmp_path: Path) -> None:
    app = FastAPI()
    frontend.install(app, tmp_path / "missing")
    answer = await client_of(app).get("/", headers={"accept": "text/html"})
    assert "npm run build" in answer.text


async def test_the_documentation_needs_no_script(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/docs")
    assert "/api/orders" in answer.text
    assert "<script" not in answer.text
    assert (await visitor.get("/openapi.json")).json()["openapi"] == "3.1.0"


async def test_in_production_the_documentation_is_for_who_is_signed_in(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("ENVIRONMENT", "production")
    get_settings.cache_clear()
    app = create_app()
    async with app.router.lifespan_context(app):
        parts: Parts = app.state.parts
        user_id = await World(parts.pool).person("ada@example.com", "viewer")
        key = await key_of(parts, user_id, "viewer", "read")
        for path in ("/docs", "/openapi.json"):
            async with client_of(app) as stranger:
                assert (await stranger.get(path)).status_code == 401
            async with client_of(app, key) as known:
                assert (await known.get(path)).status_code == 200


# ------------------------------------------------------------------------------ the people


async def test_admins_let_people_in(browser: httpx.AsyncClient, world: World) -> None:
    account = await world.account()
    body = {"email": "Bob@Example.com", "password": PASSWORD, "role": "trader"}
    made = await browser.post("/api/users", json=body | {"account_ids": [account]})
    assert made.status_code == 201
    assert made.json()["email"] == "bob@example.com"
    assert made.json()["account_ids"] == [account]
    assert (await browser.post("/api/users", json=body)).status_code == 409
    weak = body | {"email": "c@example.com", "password": "password1234"}
    assert (await browser.post("/api/users", json=weak)).json()["field"] == "password"
    path = f"/api/users/{made.json()['id']}"
    changed = await browser.patch(path, json={"role": "viewer", "account_ids": []})
    assert (changed.json()["role"], changed.json()["account_ids"]) == ("viewer", [])
    assert (await browser.patch("/api/users/999", json={})).status_code == 404
    rows = (await browser.get("/api/users")).json()["items"]
    assert [row["email"] for row in rows] == ["ada@example.com", "bob@example.com"]
    assert "password" not in str(rows)


@pytest.mark.parametrize("change", [{"role": "trader"}, {"is_active": False}])
async def test_the_last_admin_stays(browser: httpx.AsyncClient, change: dict[str, object]) -> None:
    me = (await browser.get("/api/auth/me")).json()["user_id"]
    assert (await browser.patch(f"/api/users/{me}", json=change)).status_code == 409


async def test_a_lost_provider_of_live_data_degrades_and_is_counted(
    admin: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    account_id = await world.account()
    lost = LinkReport(
        provider="alpaca", place=0, state=LinkState.DOWN, problem="silent for 46 s", reconnects=3
    )
    backup = LinkReport(provider="twelve_data", place=1, state=LinkState.UP, serving=("AAPL",))
    await feed_states.save(parts.pool, account_id, [lost, backup])
    body = (await admin.get("/health")).json()
    assert body["components"]["market_data"]["status"] == "degraded"
    assert "alpaca is down" in body["components"]["market_data"]["detail"]
    text = (await admin.get("/metrics")).text
    assert "tradewright_feeds_up 1.0" in text
    assert "tradewright_feeds_down 1.0" in text
    assert "tradewright_feed_reconnects_total 3.0" in text
