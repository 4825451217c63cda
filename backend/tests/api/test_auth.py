"""Sign up once, sign in, stay signed in, sign out."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.core.clock import now
from tests.api.world import OURS, PASSWORD, World, client_of, eventually

NEW = {"email": "Ada@Example.com", "password": PASSWORD, "name": "Ada"}
SIGN_IN = {"email": "ada@example.com", "password": PASSWORD}


async def token_in(folder: Path) -> str:
    """What the first start leaves for the supervisor."""
    file = folder / "run" / "sign-up-token"
    await eventually(file.exists)
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text()


async def test_the_first_run_token_makes_one_admin_and_is_gone(
    visitor: httpx.AsyncClient, tmp_path: Path
) -> None:
    token = await token_in(tmp_path)
    assert (await visitor.get("/api/auth/state")).json() == {
        "needs_sign_up": True,
        "signed_in": False,
    }
    answer = await visitor.post("/api/auth/sign-up", json=NEW | {"token": token})
    assert answer.status_code == 201
    assert answer.json()["user"]["role"] == "admin"
    assert (await visitor.get("/api/auth/me")).json()["email"] == "ada@example.com"
    assert not (tmp_path / "run" / "sign-up-token").exists()
    again = await visitor.post("/api/auth/sign-up", json=NEW | {"token": token, "email": "b@c"})
    assert again.status_code == 409


async def test_two_sign_ups_at_once_make_one_person(
    app: FastAPI, parts: Parts, tmp_path: Path
) -> None:
    token = await token_in(tmp_path)

    async def sign_up(email: str) -> int:
        async with client_of(app) as client:
            body = NEW | {"token": token, "email": email}
            return (await client.post("/api/auth/sign-up", json=body)).status_code

    codes = await asyncio.gather(*(sign_up(f"p{number}@example.com") for number in range(4)))
    assert sorted(codes) == [201, 409, 409, 409]
    assert await parts.pool.fetchval("SELECT count(*) FROM users") == 1


async def test_a_wrong_token_signs_nobody_up(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/api/auth/sign-up", json=NEW | {"token": "guess"})
    assert answer.status_code == 403
    assert "tradewright up" in answer.json()["remedy"]


async def test_a_restart_replaces_the_token_while_nobody_has_signed_up(
    parts: Parts, tmp_path: Path
) -> None:
    old = await token_in(tmp_path)
    new = await parts.auth.first_run_token()
    assert new is not None
    assert new != old
    assert await parts.pool.fetchval("SELECT count(*) FROM sign_up_tokens") == 1


@pytest.mark.parametrize(
    "password", ["short", "password1234", "aaaaaaaaaaaaaaa", "abcabcabcabcabc", "ada@example12"]
)
async def test_weak_passwords_are_refused(
    visitor: httpx.AsyncClient, tmp_path: Path, password: str
) -> None:
    token = await token_in(tmp_path)
    body = NEW | {"token": token, "password": password, "email": "ada@example@x"}
    answer = await visitor.post("/api/auth/sign-up", json=body)
    assert answer.status_code == 422
    body = NEW | {"token": token, "password": password}
    if password != "ada@example12":
        answer = await visitor.post("/api/auth/sign-up", json=body)
        assert answer.json()["field"] == "password"


async def test_the_cookie_is_for_this_site_and_no_script(
    visitor: httpx.AsyncClient, world: World
) -> None:
    await world.person("ada@example.com")
    answer = await visitor.post("/api/auth/sign-in", json=SIGN_IN)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("tw=")
    assert all(flag in cookie for flag in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert "Secure" not in cookie
    assert answer.headers["cache-control"] == "no-store"


async def test_under_tls_the_cookie_is_bound_to_the_host(
    environment: pytest.MonkeyPatch, app: FastAPI, world: World
) -> None:
    await world.person("ada@example.com")
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
        answer = await client.post("/api/auth/sign-in", json=SIGN_IN)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-tw=")
        assert "Secure" in cookie
        assert "strict-transport-security" in answer.headers
        assert (await client.get("/api/auth/me")).status_code == 200


async def test_a_wrong_password_and_an_unknown_person_look_the_same(
    visitor: httpx.AsyncClient, world: World
) -> None:
    await world.person("ada@example.com")
    wrong = await visitor.post("/api/auth/sign-in", json=SIGN_IN | {"password": "x" * 12})
    nobody = await visitor.post("/api/auth/sign-in", json=SIGN_IN | {"email": "eve@example.com"})
    assert (wrong.status_code, nobody.status_code) == (401, 401)
    assert wrong.json()["detail"] == nobody.json()["detail"]


async def test_signing_in_again_ends_the_old_session(browser: httpx.AsyncClient) -> None:
    old = browser.cookies["tw"]
    await browser.post("/api/auth/sign-in", json=SIGN_IN)
    assert browser.cookies["tw"] != old
    browser.cookies.clear()
    assert (await browser.get("/api/auth/me", headers={"cookie": f"tw={old}"})).status_code == 401


async def test_signing_out_ends_the_session(browser: httpx.AsyncClient) -> None:
    cookie = browser.cookies["tw"]
    assert (await browser.post("/api/auth/sign-out")).status_code == 204
    assert "tw" not in browser.cookies
    browser.cookies.clear()
    assert (
        await browser.get("/api/auth/me", headers={"cookie": f"tw={cookie}"})
    ).status_code == 401


async def test_an_idle_session_is_over(browser: httpx.AsyncClient, parts: Parts) -> None:
    await parts.pool.execute("UPDATE sessions SET last_seen_at = now() - interval '31 minutes'")
    await parts.redis.flushdb()
    assert (await browser.get("/api/auth/me")).status_code == 401


async def test_a_session_ends_after_twelve_hours_however_busy(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    ends = await parts.pool.fetchval("SELECT expires_at - created_at FROM sessions")
    assert 11.9 < ends.total_seconds() / 3600 <= 12.01
    await parts.pool.execute("UPDATE sessions SET expires_at = now()")
    await parts.redis.flushdb()
    assert (await browser.get("/api/auth/me")).status_code == 401


async def test_use_keeps_a_session_alive_and_is_written_once_a_minute(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    await parts.pool.execute("UPDATE sessions SET last_seen_at = now() - interval '20 minutes'")
    await parts.redis.flushdb()
    assert (await browser.get("/api/auth/me")).status_code == 200
    seen = await parts.pool.fetchval("SELECT last_seen_at FROM sessions")
    assert (now() - seen).total_seconds() < 60
    assert (await browser.get("/api/auth/me")).status_code == 200
    assert await parts.pool.fetchval("SELECT last_seen_at FROM sessions") == seen


async def test_sessions_are_listed_and_revoked(app: FastAPI, browser: httpx.AsyncClient) -> None:
    async with client_of(app) as other:
        await other.post("/api/auth/sign-in", json=SIGN_IN)
        rows = (await browser.get("/api/sessions")).json()["items"]
        assert [row["is_current"] for row in rows] == [False, True]
        assert rows[0]["address"] == "127.0.0.1"
        gone = await browser.delete(f"/api/sessions/{rows[0]['id']}")
        assert gone.status_code == 204
        assert (await other.get("/api/auth/me")).status_code == 401
        assert (await browser.delete(f"/api/sessions/{rows[0]['id']}")).status_code == 404


async def test_all_other_sessions_end_at_once(app: FastAPI, browser: httpx.AsyncClient) -> None:
    async with client_of(app) as other:
        await other.post("/api/auth/sign-in", json=SIGN_IN)
        assert (await browser.delete("/api/sessions")).status_code == 204
        assert (await other.get("/api/auth/me")).status_code == 401
        assert (await browser.get("/api/auth/me")).status_code == 200


async def test_a_new_password_ends_what_the_old_one_opened(
    app: FastAPI, browser: httpx.AsyncClient
) -> None:
    async with client_of(app) as other:
        grant = SIGN_IN | {"grant": "token"}
        tokens = (await other.post("/api/auth/sign-in", json=grant)).json()["tokens"]
        body = {"current_password": PASSWORD, "new_password": "nine red kites over water"}
        assert (await browser.post("/api/auth/password", json=body)).status_code == 204
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        assert (await other.get("/api/auth/me", headers=bearer)).status_code == 401
        assert (await browser.get("/api/auth/me")).status_code == 200
        assert (await other.post("/api/auth/sign-in", json=SIGN_IN)).status_code == 401


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [("wrong", "nine red kites over water", "current_password"), (PASSWORD, "x", "new_password")],
)
async def test_a_new_password_needs_the_old_one_and_strength(
    browser: httpx.AsyncClient, current: str, new: str, field: str
) -> None:
    body = {"current_password": current, "new_password": new}
    answer = await browser.post("/api/auth/password", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_wrong_current_passwords_are_failed_sign_ins_and_weak_new_ones_are_not(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    body = {"current_password": PASSWORD, "new_password": "x"}
    me = (await browser.get("/api/auth/me")).json()["user_id"]
    limits, bucket = parts.gate.limits, f"user:{me}"
    for _ in range(9):
        await limits.admit("failed_sign_in", bucket)
    assert (await browser.post("/api/auth/password", json=body)).status_code == 422
    wrong = body | {"current_password": "wrong"}
    assert (await browser.post("/api/auth/password", json=wrong)).status_code == 422
    good = body | {"new_password": "nine red kites over water"}
    assert (await browser.post("/api/auth/password", json=good)).status_code == 429


async def test_signing_in_and_failing_to_is_audited(
    visitor: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    await world.person("ada@example.com")
    await visitor.post("/api/auth/sign-in", json=SIGN_IN)
    await visitor.post("/api/auth/sign-in", json=SIGN_IN | {"password": "x" * 12})
    rows = await parts.pool.fetch("SELECT action, actor FROM audit_trail ORDER BY seq")
    assert [tuple(row) for row in rows] == [
        ("signed_in", "ada@example.com"),
        ("sign_in_failed", "ada@example.com"),
    ]


async def test_secrets_are_stored_as_hashes_only(browser: httpx.AsyncClient, parts: Parts) -> None:
    cookie = browser.cookies["tw"]
    stored = await parts.pool.fetchval("SELECT token_hash FROM sessions")
    assert cookie.encode() not in bytes(stored)
    assert (await parts.pool.fetchval("SELECT password_hash FROM users")).startswith("$argon2id$")


async def test_a_person_who_was_shut_out_cannot_go_on(
    browser: httpx.AsyncClient, app: FastAPI, world: World
) -> None:
    user_id = await world.person("bob@example.com", "trader")
    async with client_of(app) as bob:
        bob.headers.update(OURS)
        await bob.post("/api/auth/sign-in", json=SIGN_IN | {"email": "bob@example.com"})
        assert (await bob.get("/api/auth/me")).status_code == 200
        await browser.patch(f"/api/users/{user_id}", json={"is_active": False})
        assert (await bob.get("/api/auth/me")).status_code == 401
        again = await bob.post("/api/auth/sign-in", json=SIGN_IN | {"email": "bob@example.com"})
        assert again.status_code == 401
