"""Every route at once: other sites, strangers' hosts and addresses, large bodies, files, tokens."""

import ssl
from uuid import uuid4

import httpx
import jwt
import pytest
from fastapi import FastAPI

from app.api.limits import CLASSES
from app.api.middleware import MAX_BODY
from app.api.openapi import guards
from app.core import access_tokens
from app.core.clock import now
from app.core.security import master_key, subkey
from tests.api.document import APP
from tests.api.world import OURS, client_of

ROUTES = [
    (method.upper(), path)
    for path, method, guard in guards(APP.routes)
    if guard is not None and path.startswith("/api/")
]
CHANGING = [(method, path) for method, path in ROUTES if method != "GET"]
FOREIGN = (
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "null"},
    {"sec-fetch-site": "same-site"},
    {},
)
"What a browser says of a request that another site made; and a cookie with nothing said."


def filled(path: str) -> str:
    return path.replace("{", "").replace("}", "")


async def test_no_route_changes_anything_because_another_site_asks(
    calm_browser: httpx.AsyncClient,
) -> None:
    for name in OURS:
        del calm_browser.headers[name]
    let_in = []
    for method, path in CHANGING:
        for headers in FOREIGN:
            answer = await calm_browser.request(method, filled(path), json={}, headers=headers)
            if answer.status_code != 403:
                let_in.append((method, path, headers, answer.status_code))
    assert let_in == []


async def test_no_route_is_open_to_nobody(calm_app: FastAPI, redis_url: str) -> None:
    public = {path for path, _, guard in guards(calm_app.routes) if guard and guard.scope is None}
    open_ = []
    async with client_of(calm_app) as nobody:
        for method, path in ROUTES:
            if path in public:
                continue
            answer = await nobody.request(method, filled(path))
            if answer.status_code not in (401, 429):
                open_.append((method, path, answer.status_code))
    assert open_ == []


async def test_no_route_reads_a_body_that_is_too_large(calm_admin: httpx.AsyncClient) -> None:
    taken = []
    headers = {"content-length": str(MAX_BODY + 1)}
    for method, path in CHANGING:
        if path == "/api/imports":  # files of market data have their own limit
            continue
        request = calm_admin.build_request(method, filled(path), content=b"{", headers=headers)
        answer = await calm_admin.send(request)
        if answer.status_code != 413:
            taken.append((method, path, answer.status_code))
    assert taken == []


async def test_every_class_of_limit_is_somebodys(calm_app: FastAPI) -> None:
    used = {guard.limit for _, _, guard in guards(calm_app.routes) if guard}
    assert set(CLASSES) - used == {"failed_sign_in", "refused", "sockets"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil"])
async def test_another_host_name_reaches_nothing(calm_admin: httpx.AsyncClient, host: str) -> None:
    for path in ("/api/auth/me", "/health", "/", "/docs"):
        answer = await calm_admin.get(path, headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")


async def test_a_forwarded_address_opens_no_key(app: FastAPI, browser: httpx.AsyncClient) -> None:
    body = {"name": "n", "scopes": ["read"], "addresses": ["10.0.0.0/8"]}
    key = (await browser.post("/api/api-keys", json=body)).json()["key"]
    async with client_of(app, key) as thief:
        for name in ("x-forwarded-for", "forwarded", "x-real-ip", "client-ip"):
            answer = await thief.get("/api/auth/me", headers={name: "10.0.0.1"})
            assert answer.status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/.git/config",
        "/.env",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/..%2f..%2f..%2fpyproject.toml",
        "/%2e%2e/secret.key",
    ],
)
async def test_no_file_beside_the_user_interface_is_served(
    calm_visitor: httpx.AsyncClient, path: str
) -> None:
    answer = await calm_visitor.get(path)
    assert not any(word in answer.text for word in ("[core]", "root:", "[project]"))
    assert answer.status_code == 404 or "text/html" in answer.headers["content-type"]


@pytest.mark.parametrize("where", ["?symbol=A%00B", "/A%00B"])
async def test_a_nul_is_an_error_of_the_caller(calm_admin: httpx.AsyncClient, where: str) -> None:
    answer = await calm_admin.get(f"/api/stocks{where}")
    assert answer.status_code == 400
    body = {"name": "a\0b", "scopes": ["read"]}
    assert (await calm_admin.post("/api/risk/what-if", json=body)).status_code == 422


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk"])
async def test_a_token_may_not_say_where_its_key_is(
    calm_visitor: httpx.AsyncClient, calm_app: FastAPI, header: str
) -> None:
    parts = calm_app.state.parts
    true = subkey(master_key(parts.settings.home), "jwt")
    good = access_tokens.issue(true, access_tokens.Claims(1, uuid4()), now())
    head, body = (
        jwt.get_unverified_header(good),
        jwt.decode(good, options={"verify_signature": False}),
    )
    value = {"kty": "oct", "k": "eA"} if header == "jwk" else "https://evil.example/key"
    forged = jwt.encode(body, b"x" * 32, "HS256", {"kid": head["kid"], header: value})
    answer = await calm_visitor.get("/api/auth/me", headers={"authorization": f"Bearer {forged}"})
    assert answer.status_code == 401


async def test_every_answer_says_what_it_is_and_is_not_kept(calm_admin: httpx.AsyncClient) -> None:
    for path in ("/api/auth/me", "/api/orders", "/api/nothing", "/api/orders?format=csv"):
        answer = await calm_admin.get(path)
        kind = answer.headers["content-type"]
        assert kind.startswith(("application/json", "application/problem+json", "text/csv"))
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "script-src 'self';" in answer.headers["content-security-policy"]


def test_tls_before_1_2_is_not_spoken() -> None:
    """uvicorn serves with this kind of context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
