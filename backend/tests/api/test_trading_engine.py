"""Emergency stop, reduce, resume, configuration, alerts: the names that were asked for."""

from typing import Any

import httpx
import pytest

from app.api.parts import Parts
from app.core.clock import now
from app.core.security import master_key, subkey
from app.domain.events import Severity
from app.repositories import alerts, audit
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal, verify
from tests.api.world import World, client_of, engine, eventually, key_of

STOP = "/api/trading-engine/emergency-stop"


async def test_the_stop_is_latched_and_confirmed_by_the_gate(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account = await world.account()
    async with engine(database_url, account, lambda _: {}) as running:
        answer = await admin.post(STOP, json={"reason": "fire"})
        # The gate confirms the latch; the command for the books may follow the answer.
        await eventually(lambda: running.seen)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["state"], body["confirmed"], body["unconfirmed"]) == ("halted", [account], [])
    assert running.seen[0]["kind"] == "trading_halt"
    assert running.seen[0]["payload"] == {"reason": "fire", "flatten": False}
    state = (await admin.get("/api/trading-engine/state")).json()
    assert (state["state"], state["reason"]) == ("halted", "fire")
    assert {one["scope"] for one in state["scopes"]} == {"all", f"account:{account}"}
    health = (await admin.get("/api/trading-engine/health")).json()
    assert health["trading_state"] == "halted"


async def test_a_silent_gate_is_202_and_a_critical_alert(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    async with engine(database_url, account, confirms=False):
        answer = await admin.post(STOP)
    assert answer.status_code == 202
    assert answer.json()["unconfirmed"] == [account]
    alert = (await admin.get("/api/trading-engine/alerts")).json()["items"][0]
    assert (alert["severity"], alert["state"]) == ("critical", "open")


async def test_without_an_engine_the_latch_alone_stops_everything(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    account = await world.account()
    answer = await admin.post(STOP)
    assert (answer.status_code, answer.json()["confirmed"]) == (200, [account])
    states = await parts.pool.fetch("SELECT state FROM trading_state")
    assert {row["state"] for row in states} == {"halted"}
    waiting = await parts.pool.fetchval("SELECT count(*) FROM commands WHERE status = 'pending'")
    assert waiting == 1


async def test_one_account_can_be_stopped_alone(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    one, other = await world.account(), await world.account("Other")
    await admin.post(STOP, json={"account_id": one})
    rows = await parts.pool.fetch("SELECT scope, state FROM trading_state ORDER BY scope")
    states = {row["scope"]: row["state"] for row in rows}
    assert states == {f"account:{one}": "halted", f"account:{other}": "active", "all": "active"}
    missing = await admin.post(STOP, json={"account_id": 99})
    assert missing.status_code == 404


async def test_resuming_is_a_separate_act_with_a_reason(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account = await world.account()
    await admin.post(STOP)
    assert (await admin.post("/api/trading-engine/resume", json={})).status_code == 422
    async with engine(database_url, account, lambda _: {"trading_state": "active"}) as running:
        answer = await admin.post("/api/trading-engine/resume", json={"reason": "all clear"})
        await eventually(lambda: len(running.seen) == 2)
    assert (answer.status_code, answer.json()["confirmed"]) == (200, [account])
    assert [one["kind"] for one in running.seen] == ["trading_halt", "trading_resume"]
    scope = await parts.pool.fetchval("SELECT state FROM trading_state WHERE scope = 'all'")
    assert scope == "active"
    acts = await parts.pool.fetch("SELECT action, payload->>'reason' FROM audit_trail ORDER BY seq")
    assert [row["action"] for row in acts][-2:] == ["emergency_stop", "resume"]


async def test_reduce_asks_every_engine(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    held, alone = await world.account(), await world.account("Other")
    async with engine(database_url, held, lambda _: {"trading_state": "reducing"}):
        answer = await admin.post("/api/trading-engine/reduce", json={"reason": "storm"})
    assert answer.status_code == 202
    assert answer.json()["confirmed"] == [held]
    assert answer.json()["unconfirmed"] == [alone]
    assert len(answer.json()["commands"]) == 2


@pytest.mark.parametrize("action", ["halt", "reduce", "resume"])
async def test_an_account_has_its_own_controls(
    admin: httpx.AsyncClient, world: World, database_url: str, action: str
) -> None:
    account = await world.account()
    async with engine(database_url, account, lambda _: {"trading_state": "x"}) as running:
        answer = await admin.post(f"/api/accounts/{account}/{action}", json={"reason": "why"})
        await eventually(lambda: running.seen)
    assert answer.status_code == 200
    assert running.seen[0]["kind"] == f"trading_{action}"


async def test_a_disarmed_stop_says_so(admin: httpx.AsyncClient, world: World) -> None:
    await world.account()
    change = {"key": "emergency_stop", "value": False}
    assert (await admin.post("/api/trading-engine/config", json=change)).status_code == 200
    answer = await admin.post(STOP)
    assert answer.status_code == 409
    assert "emergency_stop" in answer.json()["remedy"]


async def test_a_limit_is_checked_stored_and_told_to_the_engines(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    await world.account()
    change = {"value": "0.04", "reason": "smaller"}
    answer = await admin.put("/api/config/max_position_size", json=change)
    assert answer.json()["value"] == "0.04"
    told = await parts.pool.fetchval("SELECT payload::text FROM commands")
    assert '"max_position_size": "0.04"' in told
    history = (await admin.get("/api/config/history")).json()["items"]
    assert [(one["key"], one["before"], one["after"]) for one in history] == [
        ("max_position_size", "0.05", "0.04")
    ]
    events = (await admin.get("/api/events?type=config_changed")).json()["items"]
    assert events[0]["stream"] == "system"
    again = await admin.put("/api/config/max_position_size", json=change)
    assert again.status_code == 200
    assert await parts.pool.fetchval("SELECT count(*) FROM commands") == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_position_size", "much"),
        ("max_position_size", "-1"),
        ("max_position_size", 11),
        ("max_position_size", None),
        ("max_position_size", "NaN"),
        ("max_position_size", {"a": 1}),
        ("max_concurrent_orders", 0),
        ("max_concurrent_orders", "ten"),
        ("max_concurrent_orders", 1.5),
        ("max_concurrent_orders", True),
        ("risk_checking", 1),
        ("allowed_symbols", "AAPL"),
    ],
)
async def test_a_wrong_value_is_refused_with_the_bounds(
    calm_admin: httpx.AsyncClient, key: str, value: object
) -> None:
    answer = await calm_admin.put(f"/api/config/{key}", json={"value": value})
    assert (answer.status_code, answer.json()["field"]) == (422, "value"), answer.text
    assert answer.json()["remedy"]


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("max_position_size", 0.1, "0.1"),
        ("max_concurrent_orders", 20, 20),
        ("default_stop_loss", None, None),
        ("risk_checking", False, False),
        ("allowed_symbols", ["AAPL"], ["AAPL"]),
    ],
)
async def test_right_values_are_stored_as_json(
    admin: httpx.AsyncClient, key: str, value: object, stored: object
) -> None:
    answer = await admin.put(f"/api/config/{key}", json={"value": value})
    assert (answer.status_code, answer.json()["value"]) == (200, stored), answer.text
    assert (await admin.get(f"/api/config/{key}")).json()["value"] == stored


async def test_an_unknown_setting_suggests_the_nearest(calm_admin: httpx.AsyncClient) -> None:
    answer = await calm_admin.put("/api/config/max_position", json={"value": 1})
    assert answer.status_code == 404
    assert "max_position_size" in answer.json()["remedy"]


async def test_every_setting_has_a_description_and_a_schema(calm_admin: httpx.AsyncClient) -> None:
    items = (await calm_admin.get("/api/trading-engine/config")).json()["items"]
    assert len(items) >= 9
    assert all(one["description"] and one["value_schema"] for one in items)


async def raised(parts: Parts, key: str = "disk_full") -> int:
    journal = SharedJournal(parts.pool, subkey(master_key(parts.settings.home), "journal"))
    alert = NewAlert(key=key, category="system", severity=Severity.ERROR, title="The disk is full")
    async with parts.pool.acquire() as db, db.transaction():
        return await alerts.raise_alert(db, journal, alert, now())


async def test_alerts_are_acknowledged_and_resolved(admin: httpx.AsyncClient, parts: Parts) -> None:
    alert = await raised(parts)
    assert await raised(parts) == alert
    path = f"/api/trading-engine/alerts/{alert}"
    one = (await admin.post(f"{path}/acknowledge", json={"note": "on it"})).json()
    assert (one["state"], one["occurrences"]) == ("acknowledged", 2)
    assert one["acknowledged_by"].startswith("ada@example.com")
    done = (await admin.post(f"/api/alerts/{alert}/resolve")).json()
    assert done["state"] == "resolved"
    assert (await admin.post(f"{path}/resolve")).json() == done
    assert await raised(parts) != alert
    types = [one["type"] for one in (await admin.get("/api/events?stream=system")).json()["items"]]
    assert types == ["alert_raised", "alert_resolved", "alert_raised"]


async def test_alerts_are_filtered(admin: httpx.AsyncClient, parts: Parts) -> None:
    first, second = await raised(parts), await raised(parts, "other")
    await admin.post(f"/api/alerts/{first}/resolve")
    found = (await admin.get("/api/alerts?state=open&severity=error")).json()["items"]
    assert [one["id"] for one in found] == [second]
    assert (await admin.get("/api/alerts?category=trading")).json()["items"] == []
    assert (await admin.post("/api/alerts/999/resolve")).status_code == 404


async def test_figures_have_titles_groups_and_units(admin: httpx.AsyncClient, parts: Parts) -> None:
    items = (await admin.get("/api/trading-engine/metrics")).json()["items"]
    groups = {one["group"] for one in items}
    assert groups == {"trading", "failures", "events", "data", "api", "system"}
    text = (await admin.get("/metrics")).text
    assert "tradewright_orders_open 0.0" in text
    assert (
        'tradewright_http_requests_total{method="GET",route="/api/trading-engine/metrics"' in text
    )


async def test_what_people_did_is_chained(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    await world.account()
    await admin.post(STOP)
    await admin.put("/api/config/max_position_size", json={"value": "0.04"})
    master = master_key(parts.settings.home)
    assert await audit.verify(parts.pool, subkey(master, "audit")) >= 3
    assert await verify(parts.pool, "system", subkey(master, "journal")) == 1


async def test_the_audit_trail_cannot_be_edited(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    await world.account()
    await admin.post(STOP)
    key = subkey(master_key(parts.settings.home), "audit")
    async with parts.pool.acquire() as db:
        with pytest.raises(Exception, match="append-only"):
            await db.execute("UPDATE audit_trail SET actor = 'eve'")
        await db.execute("SET session_replication_role = replica")
        await db.execute("UPDATE audit_trail SET payload = '{}' WHERE seq = 1")
        await db.execute("SET session_replication_role = origin")
    with pytest.raises(Exception, match="row 1"):
        await audit.verify(parts.pool, key)


async def test_a_restricted_trader_stops_only_their_own_accounts(
    app: Any, parts: Parts, world: World
) -> None:
    mine, other = await world.account(), await world.account("Other")
    user_id = await world.person("bob@example.com", "trader", (mine,))
    key = await key_of(parts, user_id, "trader", "read", "trade")
    async with client_of(app, key) as bob:
        await bob.post(STOP)
        theirs = await bob.post(STOP, json={"account_id": other})
        assert theirs.status_code == 404
    rows = await parts.pool.fetch("SELECT scope FROM trading_state WHERE state = 'halted'")
    assert [row["scope"] for row in rows] == [f"account:{mine}"]
