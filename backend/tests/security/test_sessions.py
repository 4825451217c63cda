"""Sessions: remembered in Redis, true in PostgreSQL; fixed by nobody, ended at once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from app.api.parts import Parts
from app.core.clock import ManualClock, now, system
from app.core.security import hash_token
from app.db import home as home_folder
from app.db.embedded import EmbeddedRedis
from app.domain.users import SCOPES, Caller, Role
from app.main import create_app
from app.repositories.session_cache import LIFETIME_SECONDS, SessionCache
from tests.api.world import OURS, PASSWORD, World, client_of
from tests.factories import utc
from tests.waiting import until

SIGN_IN = {"email": "ada@example.com", "password": PASSWORD}
HASH = hash_token("a cookie")


def caller(**more: object) -> Caller:
    known = {
        "user_id": 1, "email": "ada@example.com", "name": None, "role": Role.TRADER,
        "scopes": SCOPES[Role.TRADER], "via": "session", "credential": "1", "accounts": (1,),
        "session_expires_at": utc("2100-01-01 00:00"),
    }  # fmt: skip
    return Caller(**(known | more))  # type: ignore[arg-type]  # whatever a test wants


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


# -------------------------------------------------------------------------------- the memory


async def test_a_caller_is_remembered_whole_for_half_a_minute(redis: Redis) -> None:
    cache = SessionCache(redis, system)
    await cache.put(HASH, caller())
    assert await cache.get(HASH) == caller()
    assert 0 < await redis.ttl(f"session:{HASH.hex()}") <= LIFETIME_SECONDS


async def test_what_ended_is_not_written_back_by_who_began_before(redis: Redis) -> None:
    slow, quick = SessionCache(redis, system), SessionCache(redis, system)
    await quick.close([HASH])
    await slow.put(HASH, caller())
    assert await slow.get(HASH) is None


async def test_what_one_process_ends_no_other_believes(redis: Redis) -> None:
    one, other = SessionCache(redis, system), SessionCache(redis, system)
    await one.put(HASH, caller())
    await other.close([HASH])
    assert await one.get(HASH) is None


async def test_the_twelve_hours_end_in_memory_too(redis: Redis) -> None:
    cache = SessionCache(redis, system)
    await cache.put(HASH, caller(session_expires_at=now()))
    assert await cache.get(HASH) is None


async def test_while_in_doubt_nothing_old_is_believed(redis: Redis) -> None:
    clock = ManualClock(now())
    cache = SessionCache(redis, clock)
    await cache.put(HASH, caller())
    cache.doubt()
    assert await cache.get(HASH) is None
    clock.move_to(clock.now() + timedelta(seconds=LIFETIME_SECONDS))
    assert await cache.get(HASH) == caller()


async def test_an_end_that_redis_did_not_hear_of_puts_everything_in_doubt(redis: Redis) -> None:
    clock = ManualClock(now())
    gone = Redis.from_url("redis://127.0.0.1:1/0")
    cache = SessionCache(gone, clock)
    await cache.close([HASH])
    cache._redis = redis  # it is back
    await redis.set(f"session:{HASH.hex()}", b"-")
    assert await cache.get(HASH) is None
    clock.move_to(clock.now() + timedelta(seconds=LIFETIME_SECONDS - 1))
    await redis.delete(f"session:{HASH.hex()}")
    await cache.put(HASH, caller())
    assert await cache.get(HASH) is None
    await gone.aclose()


# ---------------------------------------------------------------------------- the whole thing


async def test_a_session_is_read_from_redis_and_ends_at_once(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    cache = parts.access._cache
    cache._doubt_until = 0.0  # the server has run for a while
    await browser.get("/api/auth/me")
    before = cache.hits
    assert (await browser.get("/api/auth/me")).status_code == 200
    assert cache.hits == before + 1
    cookie = browser.cookies["tw"]
    await browser.post("/api/auth/sign-out")
    again = await browser.get("/api/auth/me", headers={"cookie": f"tw={cookie}"})
    assert again.status_code == 401


async def test_another_role_counts_at_once(
    browser: httpx.AsyncClient, app: FastAPI, parts: Parts, world: World
) -> None:
    parts.access._cache._doubt_until = 0.0
    user_id = await world.person("bob@example.com", "trader")
    async with client_of(app) as bob:
        bob.headers.update(OURS)
        await bob.post("/api/auth/sign-in", json=SIGN_IN | {"email": "bob@example.com"})
        assert (await bob.get("/api/auth/me")).json()["role"] == "trader"
        await browser.patch(f"/api/users/{user_id}", json={"role": "viewer"})
        assert (await bob.get("/api/auth/me")).json()["role"] == "viewer"


async def test_what_the_command_line_ends_a_running_server_hears_of(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    cache = parts.access._cache
    await parts.listener.connected.wait()
    cache._doubt_until = 0.0
    await browser.get("/api/auth/me")
    user_id = await parts.pool.fetchval("SELECT id FROM users")
    await parts.users.change("console", user_id, None, None, "Ada", None)

    async def is_marked() -> bool:
        hashed = hash_token(browser.cookies["tw"])
        return await parts.redis.get(f"session:{hashed.hex()}") == b"-"

    await until(is_marked)
    assert (await browser.get("/api/auth/me")).json()["name"] == "Ada"


async def test_losing_redis_signs_nobody_out(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home_folder.prepare(tmp_path / "redis")
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    environment.setenv("REDIS_URL", server.url)
    app = create_app()
    try:
        async with app.router.lifespan_context(app), client_of(app) as browser:
            browser.headers.update(OURS)
            await World(app.state.parts.pool).person("ada@example.com")
            assert (await browser.post("/api/auth/sign-in", json=SIGN_IN)).status_code == 200
            assert server.process
            server.process.kill()
            server.process.wait()
            assert (await browser.get("/api/auth/me")).status_code == 200
            assert (await browser.post("/api/auth/sign-out")).status_code == 204
            assert (await browser.get("/api/auth/me")).status_code == 401
            assert (await browser.post("/api/auth/sign-in", json=SIGN_IN)).status_code == 200
            server.start()
            assert (await browser.get("/api/auth/me")).status_code == 200
    finally:
        server.stop()


async def test_a_session_id_that_somebody_planted_is_not_taken_over(
    visitor: httpx.AsyncClient, world: World
) -> None:
    await world.person("ada@example.com")
    planted = "a" * 43
    visitor.cookies.set("tw", planted, domain="127.0.0.1")
    answer = await visitor.post("/api/auth/sign-in", json=SIGN_IN)
    assert answer.status_code == 200
    assert planted not in answer.headers["set-cookie"]
    visitor.cookies.clear()
    me = await visitor.get("/api/auth/me", headers={"cookie": f"tw={planted}"})
    assert me.status_code == 401


async def test_signing_out_everywhere_ends_tokens_too(
    browser: httpx.AsyncClient, app: FastAPI
) -> None:
    async with client_of(app) as program:
        grant = SIGN_IN | {"grant": "token"}
        tokens = (await program.post("/api/auth/sign-in", json=grant)).json()["tokens"]
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        assert (await program.get("/api/auth/me", headers=bearer)).status_code == 200
        await browser.delete("/api/sessions")
        assert (await program.get("/api/auth/me", headers=bearer)).status_code == 401


async def test_a_password_counts_to_the_last_blank(
    browser: httpx.AsyncClient, app: FastAPI
) -> None:
    blank = "  nine red kites over water  "
    body = {"current_password": PASSWORD, "new_password": blank}
    assert (await browser.post("/api/auth/password", json=body)).status_code == 204
    async with client_of(app) as other:
        stripped = SIGN_IN | {"password": blank.strip()}
        assert (await other.post("/api/auth/sign-in", json=stripped)).status_code == 401
        whole = SIGN_IN | {"password": blank}
        assert (await other.post("/api/auth/sign-in", json=whole)).status_code == 200


async def test_signing_out_lets_the_browser_drop_what_it_kept(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/api/auth/sign-out")
    assert answer.headers["clear-site-data"] == '"cache"'


async def test_a_stored_request_does_not_tell_the_password_in_it(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    password = "nine red kites over water"
    content = b'{"email": "bob@example.com", "password": "' + password.encode() + b'"}'
    headers = {"idempotency-key": "one", "content-type": "application/json"}
    made = await browser.post("/api/users", content=content, headers=headers)
    assert made.status_code == 201, made.text
    kept = bytes(await parts.pool.fetchval("SELECT request_hash FROM idempotency_keys"))
    assert kept != hash_token(content.decode())
