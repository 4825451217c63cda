"""Cross-site requests, scopes, keys and rate limits at the one door."""

import httpx
import pytest
from fastapi import FastAPI

from app.api.limits import RateLimits
from app.api.parts import Parts
from app.core.errors import TooManyRequests
from app.main import create_app
from tests.api.world import ADDRESS, OURS, PASSWORD, World, client_of, key_of


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OURS, 204),
        ({"sec-fetch-site": "same-origin"}, 204),
        ({"origin": ADDRESS}, 204),
        ({"sec-fetch-site": "none"}, 204),
        ({}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "https://127.0.0.1:8000"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": ADDRESS, "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, 403),
    ],
)
async def test_only_our_own_pages_change_things_with_the_cookie(
    calm_browser: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    for name in OURS:
        del calm_browser.headers[name]
    assert (await calm_browser.delete("/api/sessions", headers=headers)).status_code == status


async def test_reading_is_open_to_any_navigation(calm_browser: httpx.AsyncClient) -> None:
    answer = await calm_browser.get("/api/auth/me", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200


async def test_another_site_cannot_sign_a_browser_in(
    visitor: httpx.AsyncClient, world: World
) -> None:
    await world.person("ada@example.com")
    body = {"email": "ada@example.com", "password": PASSWORD}
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = await visitor.post("/api/auth/sign-in", json=body, headers=headers)
    assert answer.status_code == 403


async def test_a_key_needs_no_origin(admin: httpx.AsyncClient) -> None:
    assert (await admin.delete("/api/sessions")).status_code == 204


async def test_cors_answers_listed_origins_only(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CORS_ORIGINS", "https://ui.example")
    async with client_of(create_app()) as client:
        asked = {"origin": "https://ui.example", "access-control-request-method": "POST"}
        answer = await client.options("/api/orders", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://ui.example"
        refused = await client.options("/api/orders", headers=asked | {"origin": "https://e.x"})
        assert "access-control-allow-origin" not in refused.headers


async def test_without_listed_origins_no_other_may_read(calm_visitor: httpx.AsyncClient) -> None:
    answer = await calm_visitor.get("/ping", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (("read",), "GET", "/api/orders", 200),
        (("read",), "POST", "/api/orders", 403),
        (("read",), "DELETE", "/api/orders/x", 403),
        (("read",), "POST", "/api/trading-engine/emergency-stop", 403),
        (("trade",), "GET", "/api/orders", 403),
        (("read", "trade"), "POST", "/api/trading-engine/config", 403),
        (("read", "trade"), "GET", "/api/users", 403),
        (("read", "trade"), "PUT", "/api/config/max_position_size", 403),
    ],
)
async def test_a_key_reaches_as_far_as_its_scopes(
    calm_app: FastAPI,
    redis_url: str,
    scopes: tuple[str, ...],
    method: str,
    path: str,
    status: int,
) -> None:
    key = await key_of(calm_app.state.parts, 1, "admin", *scopes)
    async with client_of(calm_app, key) as client:
        answer = await client.request(method, path, json={} if method != "GET" else None)
        assert answer.status_code == status, answer.text


async def test_a_key_loses_what_its_owner_loses(
    app: FastAPI, parts: Parts, world: World, browser: httpx.AsyncClient
) -> None:
    user_id = await world.person("bob@example.com", "trader")
    async with client_of(app, await key_of(parts, user_id, "trader", "read", "trade")) as bob:
        await browser.patch(f"/api/users/{user_id}", json={"role": "viewer"})
        answer = await bob.post("/api/trading-engine/emergency-stop")
        assert answer.status_code == 403
        assert answer.json()["context"] == {"scope": "trade"}


async def test_keys_are_made_by_people_and_shown_once(
    browser: httpx.AsyncClient, app: FastAPI
) -> None:
    body = {"name": "notebook", "scopes": ["read"]}
    made = await browser.post("/api/api-keys", json=body)
    assert made.status_code == 201
    key = made.json()["key"]
    rows = (await browser.get("/api/api-keys")).json()["items"]
    assert [row["name"] for row in rows] == ["notebook"]
    assert "key" not in rows[0]
    async with client_of(app, key) as client:
        assert (await client.get("/api/auth/me")).json()["via"] == "api_key"
        assert (await client.post("/api/api-keys", json=body)).status_code == 403
        assert (await browser.delete(f"/api/api-keys/{rows[0]['id']}")).status_code == 204
        assert (await client.get("/api/auth/me")).status_code == 401
    assert (await browser.delete(f"/api/api-keys/{rows[0]['id']}")).status_code == 404


async def test_a_repeated_making_of_a_key_does_not_show_it_again(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    body, headers = {"name": "n", "scopes": ["read"]}, {"idempotency-key": "one"}
    first = await browser.post("/api/api-keys", json=body, headers=headers)
    again = await browser.post("/api/api-keys", json=body, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json() | {"key": ""}
    stored = await parts.pool.fetchval("SELECT response::text FROM idempotency_keys")
    assert first.json()["key"] not in stored


async def test_a_key_cannot_be_given_more_than_its_owner_has(app: FastAPI, world: World) -> None:
    await world.person("eve@example.com", "viewer")
    async with client_of(app) as eve:
        body = {"email": "eve@example.com", "password": PASSWORD}
        await eve.post("/api/auth/sign-in", json=body)
        asked = {"name": "n", "scopes": ["read", "admin"]}
        answer = await eve.post("/api/api-keys", json=asked, headers=OURS)
        assert answer.status_code == 403
        assert "admin" in answer.json()["detail"]


async def test_a_key_may_end_by_itself(
    browser: httpx.AsyncClient, app: FastAPI, parts: Parts
) -> None:
    body = {"name": "n", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}
    assert (await browser.post("/api/api-keys", json=body)).json()["field"] == "expires_at"
    body["expires_at"] = "2030-01-01T00:00:00Z"
    key = (await browser.post("/api/api-keys", json=body)).json()["key"]
    await parts.pool.execute("UPDATE api_keys SET expires_at = now()")
    async with client_of(app, key) as client:
        assert (await client.get("/api/auth/me")).status_code == 401


async def test_a_key_may_be_bound_to_addresses(app: FastAPI, parts: Parts, world: World) -> None:
    user_id = await world.person("ada@example.com")
    async with client_of(app, await key_of(parts, user_id, "admin", "read")) as client:
        await parts.pool.execute("UPDATE api_keys SET addresses = '{10.0.0.0/8}'")
        assert (await client.get("/api/auth/me")).status_code == 401
        await parts.pool.execute("UPDATE api_keys SET addresses = '{10.0.0.0/8,127.0.0.0/8}'")
        assert (await client.get("/api/auth/me")).status_code == 200


async def test_sign_in_is_limited_by_address(calm_visitor: httpx.AsyncClient) -> None:
    body = {"email": "ada@example.com", "password": "x" * 12}
    codes = [
        (await calm_visitor.post("/api/auth/sign-in", json=body)).status_code for _ in range(6)
    ]
    assert codes == [401] * 5 + [429]
    answer = await calm_visitor.post("/api/auth/sign-in", json=body)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == "too_many_requests"


async def fail(limits: RateLimits, bucket: str) -> None:
    for _ in range(10):
        await limits.check("failed_sign_in", bucket)
        await limits.admit("failed_sign_in", bucket)


async def test_failures_lock_a_persons_sign_in_and_successes_do_not(
    visitor: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    await world.person("ada@example.com")
    await fail(parts.gate.limits, "ada@example.com")
    body = {"email": "Ada@example.com", "password": PASSWORD}
    assert (await visitor.post("/api/auth/sign-in", json=body)).status_code == 429
    other = {"email": "eve@example.com", "password": PASSWORD}
    assert (await visitor.post("/api/auth/sign-in", json=other)).status_code == 401


async def test_failures_elsewhere_lock_nobody_out_of_where_they_sign_in(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    await fail(parts.gate.limits, "ada@example.com")
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert (await browser.post("/api/auth/sign-in", json=body)).status_code == 200
    await fail(parts.gate.limits, "ada@example.com at 127.0.0.1")
    assert (await browser.post("/api/auth/sign-in", json=body)).status_code == 429


async def test_forwarded_addresses_do_not_dodge_the_limit(calm_visitor: httpx.AsyncClient) -> None:
    body = {"email": "ada@example.com", "password": "x" * 12}
    codes = []
    for number in range(6):
        headers = {"x-forwarded-for": f"10.0.0.{number}"}
        codes.append(
            (await calm_visitor.post("/api/auth/sign-in", json=body, headers=headers)).status_code
        )
    assert codes[-1] == 429


async def test_guessing_tokens_is_limited(calm_visitor: httpx.AsyncClient) -> None:
    headers = {"authorization": "Bearer tw_guess_guess"}
    codes: set[int] = set()
    for _ in range(200):  # the window slides: a slow machine needs more than its 60
        codes.add((await calm_visitor.get("/api/auth/me", headers=headers)).status_code)
        if 429 in codes:
            break
    assert codes == {401, 429}


async def test_each_class_has_its_own_bucket() -> None:
    limits = RateLimits(None, {"orders": "1/minute", "controls": "2/minute"})
    await limits.admit("orders", "user:1")
    with pytest.raises(TooManyRequests):
        await limits.admit("orders", "user:1")
    await limits.admit("controls", "user:1")
    await limits.admit("orders", "user:2")


async def test_without_redis_the_limits_hold_in_memory() -> None:
    limits = RateLimits("redis://127.0.0.1:1/0", {"orders": "1/minute"})
    await limits.admit("orders", "user:1")
    with pytest.raises(TooManyRequests):
        await limits.admit("orders", "user:1")


async def test_two_processes_share_the_buckets(redis_url: str) -> None:
    one, other = (RateLimits(redis_url, {"orders": "2/minute"}) for _ in range(2))
    await one.admit("orders", "user:1")
    await other.admit("orders", "user:1")
    with pytest.raises(TooManyRequests):
        await one.admit("orders", "user:1")
    await one.close()
    await other.close()
