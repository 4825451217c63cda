"""WebSockets: cross-site, too late, too many, too large, after the sign-in has ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
import websockets
from fastapi import FastAPI

from app.api import websocket
from app.api.limits import CLASSES, RateLimits
from app.api.parts import Parts
from app.console.api import MOST_MESSAGE
from tests.api.live import Live, ask, closed, hear, serving
from tests.api.world import OURS, PASSWORD, World, key_of


@pytest.fixture
async def live(app: FastAPI) -> AsyncIterator[Live]:
    async with serving(app) as live:
        yield live


@pytest.fixture
async def key(parts: Parts, world: World) -> str:
    return await key_of(parts, await world.person("ada@example.com"), "admin", "read")


async def ticket_of(live: Live, key: str) -> str:
    async with httpx.AsyncClient(base_url=live.http) as http:
        made = await http.post("/api/auth/ws-ticket", headers={"authorization": f"Bearer {key}"})
        return str(made.json()["ticket"])


async def cookie_of(live: Live) -> dict[str, str]:
    async with httpx.AsyncClient(base_url=live.http, headers=OURS | {"origin": live.http}) as http:
        body = {"email": "ada@example.com", "password": PASSWORD}
        await http.post("/api/auth/sign-in", json=body)
        return {"cookie": f"tw={http.cookies['tw']}"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_another_site_opens_no_socket_with_our_cookie(
    live: Live, key: str, origin: str
) -> None:
    cookie = await cookie_of(live)
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with live.connect(additional_headers=cookie, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_a_cookie_without_an_origin_signs_nobody_in(live: Live, key: str) -> None:
    async with live.connect(additional_headers=await cookie_of(live)) as client:
        answer = await ask(client, op="subscribe", topics=["events"])
        assert answer["code"] == "unauthenticated"


async def test_who_does_not_sign_in_is_cut_off(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    assert websocket.SIGN_IN_SECONDS == 10
    monkeypatch.setattr(websocket, "SIGN_IN_SECONDS", 0.05)
    async with live.connect() as client:
        assert await closed(client) == websocket.TOO_LATE


async def test_chatting_does_not_put_off_the_sign_in(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "SIGN_IN_SECONDS", 0.3)
    async with live.connect() as client:
        with suppress(websockets.ConnectionClosed):
            while True:
                await client.send('{"op": "ping"}')
                await asyncio.sleep(0.02)
        assert client.close_code == websocket.TOO_LATE


async def test_a_ticket_ends_with_the_sign_in_that_it_came_from(
    live: Live, key: str, parts: Parts
) -> None:
    ticket = await ticket_of(live, key)
    await parts.keys.revoke("ada@example.com", None, key.split("_")[1])
    async with live.connect(f"?ticket={ticket}") as client:
        answer = await ask(client, op="subscribe", topics=["events"])
        assert answer["code"] == "unauthenticated"


async def test_a_long_lived_secret_in_the_address_counts_for_nothing(live: Live, key: str) -> None:
    for query in (f"?token={key}", f"?ticket={key}", f"?access_token={key}"):
        async with live.connect(query) as client:
            answer = await ask(client, op="subscribe", topics=["events"])
            assert answer["code"] == "unauthenticated"


async def test_losing_an_account_ends_what_hears_of_it(
    live: Live, parts: Parts, world: World
) -> None:
    account = await world.account()
    await world.person("ada@example.com")
    bob = await world.person("bob@example.com", "trader", (account,))
    key = await key_of(parts, bob, "trader", "read")
    await parts.listener.connected.wait()
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        assert (await ask(client, op="subscribe", topics=[f"account:{account}"]))[
            "op"
        ] == "subscribed"
        await parts.users.change("ada", bob, None, None, None, [])
        assert await closed(client) == 1012
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        answer = await ask(client, op="subscribe", topics=[f"account:{account}"])
        assert answer["code"] == "forbidden"


async def test_an_access_token_of_an_ended_family_closes_its_socket(
    live: Live, parts: Parts, key: str
) -> None:
    async with httpx.AsyncClient(base_url=live.http) as http:
        body = {"email": "ada@example.com", "password": PASSWORD, "grant": "token"}
        tokens = (await http.post("/api/auth/sign-in", json=body)).json()["tokens"]
        await parts.listener.connected.wait()
        async with live.connect() as client:
            await ask(client, op="auth", token=tokens["access_token"])
            await http.post("/api/auth/sign-out", json={"refresh_token": tokens["refresh_token"]})
            assert await closed(client) == 4401


async def test_an_oversize_message_is_not_read(live: Live, key: str) -> None:
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        await client.send("x" * (MOST_MESSAGE + 1))
        assert await closed(client) == 1009


async def test_knocking_too_often_is_refused(live: Live, parts: Parts) -> None:
    parts.gate.limits = RateLimits(None, CLASSES | {"sockets": "2/minute"})
    for _ in range(2):
        async with live.connect():
            pass
    with pytest.raises(websockets.InvalidStatus) as refused:
        await live.connect()
    assert refused.value.response.status_code == 403


async def test_the_five_connections_are_the_persons_not_the_credentials(
    live: Live, parts: Parts, key: str
) -> None:
    user_id = await parts.pool.fetchval("SELECT id FROM users")
    keys = [key, await key_of(parts, user_id, "admin", "read")]
    opened = []
    for number in range(5):
        client = await live.connect()
        assert (await ask(client, op="auth", token=keys[number % 2]))["op"] == "authenticated"
        opened.append(client)
    async with live.connect(f"?ticket={await ticket_of(live, key)}") as sixth:
        assert await closed(sixth) == websocket.TOO_MANY
    for client in opened:
        await client.close()


async def test_a_socket_of_somebody_else_still_hears(live: Live, key: str, parts: Parts) -> None:
    """Ending one person's sign-in closes no other person's connection."""
    world = World(parts.pool)
    eve = await world.person("eve@example.com", "viewer")
    other = await key_of(parts, eve, "viewer", "read")
    await parts.listener.connected.wait()
    async with live.connect() as mine, live.connect() as hers:
        await ask(mine, op="auth", token=key)
        await ask(hers, op="auth", token=other)
        await parts.keys.revoke("ada@example.com", None, key.split("_")[1])
        assert await closed(mine) == 4401
        assert (await ask(hers, op="ping"))["op"] == "pong"


async def test_the_first_message_decides(live: Live) -> None:
    async with live.connect() as client:
        assert (await ask(client, op="auth", token="tw_a_b"))["op"] == "error"
        assert await closed(client) == 4401
    async with live.connect() as client:
        await client.send("[1, 2]")
        assert (await hear(client))["code"] == "invalid_message"
