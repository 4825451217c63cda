"""API keys: from where, how much at a time, and what is noted when one is stolen."""

from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from tests.api.world import World, client_of, engine, key_of
from tests.factories import utc

ORDER = {"symbol": "AAPL", "side": "buy", "quantity": "10"}
"About 1,000 at the newest price of 100."


@pytest.fixture
async def account(world: World) -> int:
    account_id = await world.account()
    await world.bars([99.0, 100.0])
    return account_id


async def test_a_key_is_bound_to_networks_when_it_is_made(
    browser: httpx.AsyncClient, app: FastAPI, parts: Parts
) -> None:
    body = {"name": "n", "scopes": ["read"], "addresses": ["10.0.0.7", "192.168.1.9/16"]}
    made = (await browser.post("/api/api-keys", json=body)).json()
    assert made["addresses"] == ["10.0.0.7/32", "192.168.0.0/16"]
    async with client_of(app, made["key"]) as elsewhere:
        assert (await elsewhere.get("/api/auth/me")).status_code == 401
    transport = httpx.ASGITransport(app, client=("192.168.3.4", 1))
    headers = {"authorization": f"Bearer {made['key']}"}
    base = "http://127.0.0.1:8000"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as there:
        assert (await there.get("/api/auth/me")).status_code == 200
    acts = await parts.pool.fetch("SELECT action, host(address) AS address FROM audit_trail")
    assert ("key_from_other_address", "127.0.0.1") in [tuple(act) for act in acts]


@pytest.mark.parametrize(
    ("field", "value"),
    [("addresses", ["everywhere"]), ("addresses", ["10.0.0.0/99"]), ("notional_cap", "0")],
)
async def test_what_is_no_bound_is_refused(
    browser: httpx.AsyncClient, field: str, value: object
) -> None:
    body = {"name": "n", "scopes": ["read"], field: value}
    answer = await browser.post("/api/api-keys", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_key_that_may_only_read_or_trade_revokes_nothing(
    browser: httpx.AsyncClient, app: FastAPI, parts: Parts
) -> None:
    me = (await browser.get("/api/auth/me")).json()["user_id"]
    session = (await browser.get("/api/sessions")).json()["items"][0]["id"]
    lesser = await key_of(parts, me, "admin", "read", "trade", "data")
    places = [f"/api/api-keys/{lesser.split('_')[1]}", f"/api/sessions/{session}", "/api/sessions"]
    async with client_of(app, lesser) as thief:
        for place in places:
            refused = await thief.delete(place)
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), place
    assert (await browser.get("/api/auth/me")).status_code == 200
    async with client_of(app, await key_of(parts, me, "admin", "read", "admin")) as program:
        for place in places:
            found = await program.delete(place)
            assert found.status_code == 204, (place, found.text)


@pytest.fixture
async def capped(app: FastAPI, parts: Parts, world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A trader's program whose key may order 1,000 at a time."""
    user_id = await world.person("ada@example.com", "admin")
    cap = Decimal(1000)
    key = await key_of(parts, user_id, "admin", "read", "trade", notional_cap=cap)
    async with client_of(app, key) as client:
        yield client


@pytest.mark.parametrize(
    "order",
    [
        ORDER | {"quantity": "11"},
        ORDER | {"type": "limit", "limit_price": "101"},
        ORDER | {"side": "sell", "type": "limit", "limit_price": "50", "quantity": "11"},
        ORDER | {"type": "stop", "stop_price": "120"},
    ],
)
async def test_an_order_above_the_cap_is_refused_whatever_its_price_says(
    capped: httpx.AsyncClient, account: int, order: dict[str, str]
) -> None:
    answer = await capped.post("/api/orders", json=order)
    assert answer.status_code == 403, answer.text
    assert answer.json()["context"]["notional_cap"] == "1000"


async def test_an_order_within_the_cap_reaches_the_engine(
    capped: httpx.AsyncClient, account: int, database_url: str
) -> None:
    async with engine(database_url, account, lambda _: {"client_order_id": "o-1"}) as running:
        answer = await capped.post("/api/orders", json=ORDER)
        assert answer.status_code == 201, answer.text
        assert running.seen[0]["payload"]["quantity"] == "10"


async def test_a_change_may_not_grow_an_order_beyond_the_cap(
    capped: httpx.AsyncClient, account: int, world: World, parts: Parts
) -> None:
    order = await world.fill(account, utc("2024-03-01 14:40"), 5, "100")
    await parts.pool.execute(
        "UPDATE orders SET status = 'accepted', type = 'limit', limit_price = 100, closed_at = NULL"
    )
    answer = await capped.patch(f"/api/orders/{order}", json={"quantity": "11"})
    assert answer.status_code == 403, answer.text


async def test_a_key_with_a_cap_stops_trading_and_does_not_let_it_go_on(
    capped: httpx.AsyncClient, account: int, parts: Parts
) -> None:
    body = {"reason": "why"}
    assert (await capped.post("/api/trading-engine/emergency-stop", json=body)).status_code == 200
    for path in ("/api/trading-engine/resume", f"/api/accounts/{account}/resume"):
        answer = await capped.post(path, json=body)
        assert answer.status_code == 403, path
        assert "use a key without a cap" in answer.json()["remedy"]
    states = await parts.pool.fetch("SELECT DISTINCT state FROM trading_state")
    assert [row["state"] for row in states] == ["halted"]
    assert await parts.pool.fetchval("SELECT count(*) FROM commands") == 1
    assert (await capped.post(f"/api/accounts/{account}/arm", json={})).status_code == 403


async def test_a_key_with_a_cap_compares_books_and_adopts_nothing(
    capped: httpx.AsyncClient, account: int, parts: Parts, database_url: str
) -> None:
    path = f"/api/accounts/{account}/reconcile"
    async with engine(database_url, account) as running:
        refused = await capped.post(path, json={"adopt": True})
        for body in ({}, {"dry_run": True, "adopt": True}):
            answer = await capped.post(path, json=body)
            assert answer.status_code == 200, answer.text
    assert refused.status_code == 403
    assert "use a key without a cap" in refused.json()["remedy"]
    assert [one["payload"]["dry_run"] for one in running.seen] == [False, True]
    acts = await parts.pool.fetch("SELECT action FROM audit_trail WHERE action LIKE 'account.%'")
    assert [row["action"] for row in acts] == ["account.reconcile"]


async def test_a_key_with_a_cap_asks_for_single_orders_only(
    capped: httpx.AsyncClient, account: int, world: World
) -> None:
    exposure = {"kind": "signal", "symbol": "AAPL", "exposure": "0.5"}
    assert (await capped.post("/api/orders", json=exposure)).status_code == 403
    deploy = {"strategy": "sma_cross", "symbols": ["AAPL"], "account_id": account}
    assert (await capped.post("/api/deployments", json=deploy)).status_code == 403
    deployment = await world.deployment(account, "paused")
    assert (await capped.post(f"/api/deployments/{deployment}/start")).status_code == 403


async def test_without_a_known_price_an_order_with_none_is_refused(
    capped: httpx.AsyncClient, world: World
) -> None:
    await world.account()
    await world.bars([100.0], dataset="replay:other")
    answer = await capped.post("/api/orders", json=ORDER)
    assert (answer.status_code, answer.json()["field"]) == (422, "type")


async def test_who_uses_a_revoked_key_is_noted(app: FastAPI, parts: Parts, world: World) -> None:
    user_id = await world.person("ada@example.com")
    key = await key_of(parts, user_id, "admin", "read")
    await parts.keys.revoke("ada@example.com", user_id, key.split("_")[1])
    async with client_of(app, key) as thief:
        assert (await thief.get("/api/auth/me")).status_code == 401
    async with client_of(app, key + "x") as guesser:
        assert (await guesser.get("/api/auth/me")).status_code == 401
    acts = [row["action"] for row in await parts.pool.fetch("SELECT action FROM audit_trail")]
    assert acts.count("ended_key_used") == 1
