"""Every error has one form, says what to do, and says nothing of the inside."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.datastructures import Headers

from app.api.middleware import CSP, MAX_BODY, Network
from app.main import create_app
from tests.api.world import ADDRESS, client_of


async def test_an_unknown_path_is_a_problem_document(calm_visitor: httpx.AsyncClient) -> None:
    answer = await calm_visitor.get("/api/nothing")
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (404, "not_found")
    assert body["instance"] == "/api/nothing"
    assert body["correlation_id"] == answer.headers["x-correlation-id"]


async def test_a_wrong_method_is_a_problem_document(calm_visitor: httpx.AsyncClient) -> None:
    answer = await calm_visitor.delete("/api/accounts")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_the_callers_correlation_id_is_kept(calm_visitor: httpx.AsyncClient) -> None:
    headers = {"x-correlation-id": "my-request.1"}
    assert (await calm_visitor.get("/ping", headers=headers)).headers[
        "x-correlation-id"
    ] == "my-request.1"
    bad = await calm_visitor.get("/ping", headers={"x-correlation-id": "a b\tc"})
    assert bad.headers["x-correlation-id"] != "a b\tc"


async def test_every_wrong_field_is_named(calm_admin: httpx.AsyncClient) -> None:
    body = {"symbol": "AAPL", "side": "up", "quantity": "-1", "colour": "red"}
    answer = await calm_admin.post("/api/orders", json=body | {"kind": "order"})
    assert answer.status_code == 422
    assert {one["field"] for one in answer.json()["errors"]} == {"side", "quantity", "colour"}
    assert "red" not in answer.text


async def test_the_field_of_a_filter_is_named_as_it_was_sent(
    calm_admin: httpx.AsyncClient,
) -> None:
    answer = await calm_admin.get("/api/orders?status=nope")
    assert answer.json()["detail"].startswith("status.0: Input should be")


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b'"x"', b"\xff\xfe", b"null"])
async def test_a_body_that_is_no_object_is_refused(
    calm_admin: httpx.AsyncClient, body: bytes
) -> None:
    headers = {"content-type": "application/json"}
    answer = await calm_admin.post("/api/orders", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.json()["remedy"]


async def test_a_declared_oversize_body_is_refused_unread(calm_admin: httpx.AsyncClient) -> None:
    answer = await calm_admin.post("/api/orders", content=b"x" * (MAX_BODY + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_an_undeclared_oversize_body_is_refused_on_the_way(
    calm_admin: httpx.AsyncClient,
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    headers = {"content-type": "application/json"}
    answer = await calm_admin.post("/api/orders", content=endless(), headers=headers)
    assert answer.status_code == 413


async def test_a_deeply_nested_body_does_no_harm(calm_admin: httpx.AsyncClient) -> None:
    body = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
    headers = {"content-type": "application/json"}
    answer = await calm_admin.post("/api/orders", content=body, headers=headers)
    assert 400 <= answer.status_code < 500


async def test_an_unknown_host_is_refused(calm_app: FastAPI) -> None:
    transport = httpx.ASGITransport(calm_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://evil.example") as client:
        answer = await client.get("/ping")
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")


async def test_headers_protect_the_page(calm_visitor: httpx.AsyncClient) -> None:
    headers = (await calm_visitor.get("/ping")).headers
    assert headers["content-security-policy"] == CSP
    assert "'unsafe-eval'" not in CSP
    assert "script-src 'self'" in CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"


async def test_without_its_database_the_api_starts_and_says_so(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    app = create_app()
    async with app.router.lifespan_context(app), client_of(app, "tw_a_b") as client:
        answer = await client.get("/api/orders")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "asyncpg" not in answer.text
        assert "nobody" not in answer.text
        assert (await client.get("/health/ready")).status_code == 503
        health = await client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        assert (await client.get("/api/trading-engine/health")).json()["trading_state"] == "halted"
        assert (await client.get("/health/live")).status_code == 200


def test_only_trusted_proxies_say_who_called() -> None:
    scope = {"client": ("10.0.0.9", 1), "scheme": "http"}
    headers = Headers({"x-forwarded-for": "6.6.6.6, 1.2.3.4", "x-forwarded-proto": "https"})
    trusting, wary = Network(["10.0.0.0/8"]), Network()
    assert trusting.client(scope, headers) == "1.2.3.4"
    assert trusting.scheme(scope, headers) == "https"
    assert wary.client(scope, headers) == "10.0.0.9"
    assert wary.scheme(scope, headers) == "http"
    assert trusting.client({"client": ("testclient", 1)}, headers) == "testclient"


@pytest.mark.parametrize(
    ("host", "known"),
    [("127.0.0.1:8000", True), ("localhost", True), ("[::1]:8000", True), ("evil.example", False)],
)
def test_hosts_are_known_with_and_without_a_port(host: str, known: bool) -> None:
    assert Network().knows_host(host) is known
    assert Network(hosts=["evil.example"]).knows_host("EVIL.example:1")
    assert ADDRESS
