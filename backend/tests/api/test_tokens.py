"""Access and refresh tokens, and the attacks on them."""

import base64
from datetime import timedelta
from uuid import uuid4

import httpx
import jwt
import orjson
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.core import access_tokens
from app.core.clock import now
from app.core.security import master_key, subkey
from tests.api.world import PASSWORD, World

GRANT = {"email": "ada@example.com", "password": PASSWORD, "grant": "token"}


@pytest.fixture
async def tokens(visitor: httpx.AsyncClient, world: World) -> dict[str, str]:
    await world.person("ada@example.com")
    found: dict[str, str] = (await visitor.post("/api/auth/sign-in", json=GRANT)).json()["tokens"]
    return found


async def status(client: httpx.AsyncClient, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return (await client.get("/api/auth/me", headers=headers)).status_code


def secret(parts: Parts) -> bytes:
    return subkey(master_key(parts.settings.home), "jwt")


async def test_an_access_token_opens_and_says_how_long(
    visitor: httpx.AsyncClient, tokens: dict[str, str]
) -> None:
    assert tokens["expires_in"] == 600
    assert await status(visitor, tokens["access_token"]) == 200
    assert "tw" not in visitor.cookies


async def test_a_refresh_token_works_once(
    visitor: httpx.AsyncClient, tokens: dict[str, str]
) -> None:
    body = {"refresh_token": tokens["refresh_token"]}
    fresh = (await visitor.post("/api/auth/refresh", json=body)).json()
    assert await status(visitor, fresh["access_token"]) == 200
    assert fresh["refresh_token"] != tokens["refresh_token"]


async def test_using_a_refresh_token_twice_ends_the_whole_family(
    visitor: httpx.AsyncClient, tokens: dict[str, str], parts: Parts
) -> None:
    body = {"refresh_token": tokens["refresh_token"]}
    fresh = (await visitor.post("/api/auth/refresh", json=body)).json()
    stolen = await visitor.post("/api/auth/refresh", json=body)
    assert stolen.status_code == 401
    assert "used before" in stolen.json()["detail"]
    assert await status(visitor, fresh["access_token"]) == 401
    again = await visitor.post("/api/auth/refresh", json={"refresh_token": fresh["refresh_token"]})
    assert again.status_code == 401
    acts = await parts.pool.fetch("SELECT action FROM audit_trail")
    assert "refresh_token_reused" in {row["action"] for row in acts}


async def test_signing_out_ends_the_family(
    visitor: httpx.AsyncClient, tokens: dict[str, str]
) -> None:
    await visitor.post("/api/auth/sign-out", json={"refresh_token": tokens["refresh_token"]})
    assert await status(visitor, tokens["access_token"]) == 401


async def test_a_token_signs_itself_out(visitor: httpx.AsyncClient, tokens: dict[str, str]) -> None:
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    assert (await visitor.post("/api/auth/sign-out", headers=headers)).status_code == 204
    assert await status(visitor, tokens["access_token"]) == 401


async def test_an_expired_refresh_token_is_refused(
    visitor: httpx.AsyncClient, tokens: dict[str, str], parts: Parts
) -> None:
    await parts.pool.execute("UPDATE refresh_tokens SET expires_at = now()")
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await visitor.post("/api/auth/refresh", json=body)).status_code == 401


async def test_an_unknown_refresh_token_is_refused(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/api/auth/refresh", json={"refresh_token": "twr_guess"})
    assert answer.status_code == 401


def parts_of(token: str) -> tuple[dict[str, str], dict[str, str]]:
    head, body, _ = token.split(".")
    return tuple(orjson.loads(base64.urlsafe_b64decode(part + "===")) for part in (head, body))  # type: ignore[return-value]  # two of them


ATTACKS = {
    "no algorithm": lambda head, body, key: jwt.encode(body, None, "none", head),
    "another key": lambda head, body, key: jwt.encode(body, b"x" * 32, "HS256", head),
    "another algorithm": lambda head, body, key: jwt.encode(body, key, "HS512", head),
    "expired": lambda head, body, key: jwt.encode(body | {"exp": 1}, key, "HS256", head),
    "from the future": lambda head, body, key: jwt.encode(
        body | {"iat": body["exp"] + 9_000, "exp": body["exp"] + 9_999}, key, "HS256", head
    ),
    "another audience": lambda head, body, key: jwt.encode(body | {"aud": "x"}, key, "HS256", head),
    "another issuer": lambda head, body, key: jwt.encode(body | {"iss": "x"}, key, "HS256", head),
    "no key id": lambda head, body, key: jwt.encode(body, key, "HS256", {"kid": "0"}),
    "no expiry": lambda head, body, key: jwt.encode(
        {name: value for name, value in body.items() if name != "exp"}, key, "HS256", head
    ),
    "no family": lambda head, body, key: jwt.encode(body | {"family": "x"}, key, "HS256", head),
    "another family": lambda head, body, key: jwt.encode(
        body | {"family": str(uuid4())}, key, "HS256", head
    ),
    "another person": lambda head, body, key: jwt.encode(body | {"sub": "99"}, key, "HS256", head),
    "no person": lambda head, body, key: jwt.encode(body | {"sub": "x"}, key, "HS256", head),
}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_forged_tokens_are_refused(
    calm_visitor: httpx.AsyncClient, calm_app: FastAPI, attack: str
) -> None:
    tokens = (await calm_visitor.post("/api/auth/sign-in", json=GRANT)).json()["tokens"]
    head, body = parts_of(tokens["access_token"])
    forged = ATTACKS[attack]({"kid": head["kid"]}, body, secret(calm_app.state.parts))
    assert await status(calm_visitor, forged) == 401


@pytest.mark.parametrize("token", ["x", "a.b.c", "tw_", "tw_x", "tw_a_b", "..", "twr_x", "ÿ"])
async def test_nonsense_is_refused(calm_visitor: httpx.AsyncClient, token: str) -> None:
    headers = {"authorization": f"Bearer {token}".encode("latin-1")}
    answer = await calm_visitor.get("/api/auth/me", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_ends_to_the_second() -> None:
    at = now()
    token = access_tokens.issue(b"k" * 32, access_tokens.Claims(1, uuid4()), at)
    last = at + access_tokens.LIFETIME - timedelta(seconds=1)
    assert access_tokens.verify(b"k" * 32, token, last).user_id == 1
    with pytest.raises(Exception, match="not valid"):
        access_tokens.verify(b"k" * 32, token, at + access_tokens.LIFETIME)
