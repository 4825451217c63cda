"""/ws on a real server: sign in, subscribe, resume without loss, be ended."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
import websockets
from fastapi import FastAPI
from redis.asyncio import Redis
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.api.parts import Parts
from app.api.sockets import MOST_PER_PERSON
from app.api.wire import FrameProtocol
from app.core.clock import now
from app.core.security import master_key, subkey
from app.domain.events import FeedConnected, OrderCanceled
from app.domain.ports import Entry
from app.events.outbox import MOST_CHARACTERS, MOST_MESSAGES
from app.repositories.journal import SharedJournal
from tests.api.live import Live, ask, closed, hear, say, serving
from tests.api.world import PASSWORD, World, eventually, key_of

SUBSCRIBED = "subscribed"


@pytest.fixture
async def live(environment: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    async with serving() as live:
        yield live


@pytest.fixture(scope="module")
async def calm(calm_app: FastAPI) -> AsyncIterator[Live]:
    """A server for clients that change nothing."""
    async with serving(calm_app) as live:
        yield live


@pytest.fixture
def parts(live: Live) -> Parts:
    found: Parts = live.app.state.parts
    return found


@pytest.fixture
async def key(parts: Parts, world: World) -> str:
    return await key_of(parts, await world.person("ada@example.com"), "admin", "read")


async def append(parts: Parts, count: int, stream: str = "system") -> None:
    journal = SharedJournal(parts.pool, subkey(master_key(parts.settings.home), "journal"), stream)
    for number in range(count):
        await journal.append([Entry(FeedConnected(feed=f"feed-{number}", at=now()))])


async def test_a_key_signs_in_as_wscat_does(live: Live, key: str) -> None:
    async with live.connect() as client:
        answer = await ask(client, op="auth", token=key)
        assert answer["op"] == "authenticated"
        assert (await ask(client, op="ping", id=7)) | {"at": 0} == {"op": "pong", "at": 0, "id": 7}


async def test_a_wrong_key_is_told_and_closed(calm: Live) -> None:
    async with calm.connect() as client:
        answer = await ask(client, op="auth", token="tw_x_y")
        assert (answer["op"], answer["code"]) == ("error", "unauthenticated")
        assert await closed(client) == 4401


async def test_nothing_is_told_before_signing_in(calm: Live) -> None:
    async with calm.connect() as client:
        answer = await ask(client, op="subscribe", topics=["events"])
        assert answer["code"] == "unauthenticated"


async def test_a_ticket_works_once(live: Live, key: str) -> None:
    async with httpx.AsyncClient(base_url=live.http) as http:
        made = await http.post("/api/auth/ws-ticket", headers={"authorization": f"Bearer {key}"})
        ticket = made.json()["ticket"]
    async with live.connect(f"?ticket={ticket}") as client:
        assert (await hear(client))["op"] == "authenticated"
    async with live.connect() as client:
        assert (await ask(client, op="auth", token=ticket))["code"] == "unauthenticated"


async def cookie_of_a_browser(live: Live) -> str:
    async with httpx.AsyncClient(base_url=live.http) as http:
        body = {"email": "ada@example.com", "password": PASSWORD}
        await http.post("/api/auth/sign-in", json=body)
        return str(http.cookies["tw"])


async def test_the_browsers_cookie_counts_with_our_own_origin_only(live: Live, key: str) -> None:
    cookie = {"cookie": f"tw={await cookie_of_a_browser(live)}"}
    async with live.connect(additional_headers=cookie, origin=live.http) as client:
        assert (await hear(client))["op"] == "authenticated"
        assert (await ask(client, op="subscribe", topics=["events"]))["op"] == SUBSCRIBED
    async with live.connect(additional_headers=cookie) as client:
        assert (await ask(client, op="subscribe", topics=["events"]))["code"] == "unauthenticated"
    with pytest.raises(websockets.InvalidStatus):
        async with live.connect(additional_headers=cookie, origin="https://evil.example"):
            pass


async def test_a_name_that_somebody_else_points_at_us_is_refused(calm: Live) -> None:
    with pytest.raises(websockets.InvalidStatus):
        async with websockets.connect("ws://evil.example/ws", host="127.0.0.1", port=calm.port):
            pass


async def test_events_come_in_order_with_stream_and_seq(live: Live, key: str, parts: Parts) -> None:
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        topics = ["events", "events:feed_connected"]
        answer = await ask(client, op="subscribe", topics=topics)
        assert answer["seq"]["system"] == 0
        await append(parts, 3)
        heard = [await hear(client) for _ in range(6)]
    by_topic = {topic: [m["seq"] for m in heard if m["topic"] == topic] for topic in topics}
    assert by_topic == {topic: [1, 2, 3] for topic in topics}
    assert heard[0]["stream"] == "system"
    assert heard[0]["type"] == "feed_connected"
    assert heard[0]["data"]["feed"] == "feed-0"
    assert heard[0]["at"].endswith("Z")


async def test_resuming_brings_what_was_missed_and_then_what_is_new(
    live: Live, key: str, parts: Parts
) -> None:
    await append(parts, 5)
    await eventually(lambda: parts.hub.positions.get("system") == 5)
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        await say(client, op="subscribe", topics=["events"], **{"from": {"system": 2}})
        assert (await hear(client))["seq"] == {"system": 2}
        await append(parts, 2)
        seqs = [(await hear(client))["seq"] for _ in range(5)]
    assert seqs == [3, 4, 5, 6, 7]


async def test_resuming_under_load_loses_and_doubles_nothing(
    live: Live, key: str, parts: Parts
) -> None:
    writing = asyncio.create_task(append(parts, 200))
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        await say(client, op="subscribe", topics=["events"], **{"from": {"system": 0}})
        assert (await hear(client))["op"] == SUBSCRIBED
        seqs = [(await hear(client))["seq"] for _ in range(200)]
        await writing
    assert seqs == list(range(1, 201))


async def test_an_account_is_resumed_by_from_seq(
    live: Live, key: str, parts: Parts, world: World
) -> None:
    account = await world.account()
    stream = f"account:{account}"
    journal = SharedJournal(parts.pool, subkey(master_key(parts.settings.home), "journal"), stream)
    for name in ("a", "b"):
        await journal.append([Entry(OrderCanceled(client_order_id=name, reason="x", at=now()))])
    await eventually(lambda: parts.hub.positions.get(stream) == 2)
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        await say(client, op="subscribe", topics=[stream], from_seq=1)
        assert (await hear(client))["op"] == SUBSCRIBED
        assert (await hear(client))["data"]["client_order_id"] == "b"


async def test_unsubscribing_ends_a_topic(live: Live, key: str, parts: Parts) -> None:
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        await ask(client, op="subscribe", topics=["events", "events:feed_connected"])
        answer = await ask(client, op="unsubscribe", topics=["events"])
        assert answer == {"op": "unsubscribed", "topics": ["events"]}
        await append(parts, 1)
        assert (await hear(client))["topic"] == "events:feed_connected"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"op": "subscribe", "topics": ["nonsense"]}, "invalid_input"),
        ({"op": "subscribe", "topics": ["events:nonsense"]}, "invalid_input"),
        ({"op": "subscribe", "topics": ["bars:AAPL:2m"]}, "invalid_input"),
        ({"op": "subscribe", "topics": ["quotes:A B"]}, "invalid_input"),
        ({"op": "subscribe", "topics": ["deployment:99"]}, "not_found"),
        ({"op": "subscribe", "topics": ["bars:AAPPL:1m"]}, "not_found"),
        ({"op": "subscribe", "topics": []}, "invalid_input"),
        ({"op": "subscribe", "topics": "events"}, "invalid_input"),
        ({"op": "subscribe", "topics": ["events"], "from": {"system": 9}}, "invalid_input"),
        ({"op": "subscribe", "topics": ["events"], "from": {"system": -1}}, "invalid_input"),
        ({"op": "subscribe", "topics": ["events"], "from": {"audit": 0}}, "invalid_input"),
        ({"op": "subscribe", "topics": ["events"], "from": 3}, "invalid_input"),
        ({"op": "subscribe", "topics": ["events"], "from_seq": 3}, "invalid_input"),
        ({"op": "dance"}, "invalid_input"),
        ({"op": "auth", "token": "tw_a_b"}, "invalid_input"),
    ],
)
async def test_wrong_messages_are_answered_and_forgiven(
    calm: Live, message: dict[str, object], code: str
) -> None:
    async with calm.connect() as client:
        await ask(client, op="auth", token=calm.app.state.key)
        answer = await ask(client, **message)
        assert (answer["op"], answer["code"]) == ("error", code), answer
        assert answer["detail"]
        assert (await ask(client, op="ping"))["op"] == "pong"


@pytest.mark.parametrize("text", ["{", "[]", "3", '"x"', "", "\x00"])
async def test_what_is_no_object_is_answered(calm: Live, text: str) -> None:
    async with calm.connect() as client:
        await client.send(text)
        assert (await hear(client))["op"] == "error"


async def test_an_oversize_message_ends_the_connection(calm: Live) -> None:
    async with calm.connect() as client:
        await client.send("x" * 70_000)
        assert await closed(client) == 1009


async def test_five_connections_a_person_are_the_most(live: Live, key: str, parts: Parts) -> None:
    clients = [await live.connect() for _ in range(MOST_PER_PERSON + 1)]
    for client in clients[:-1]:
        assert (await ask(client, op="auth", token=key))["op"] == "authenticated"
    await say(clients[-1], op="auth", token=key)
    assert await closed(clients[-1]) == 4429
    await clients[0].close()
    await eventually(lambda: parts.sockets.count == MOST_PER_PERSON - 1)
    async with live.connect() as client:
        assert (await ask(client, op="auth", token=key))["op"] == "authenticated"
    for client in clients:
        await client.close()


async def test_a_revoked_key_closes_its_connection_within_a_second(
    live: Live, key: str, parts: Parts
) -> None:
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        await parts.keys.revoke("test", None, key.split("_")[1])
        assert await closed(client, seconds=1.0) == 4401


async def test_signing_out_closes_the_browsers_socket(live: Live, key: str) -> None:
    cookie = {"cookie": f"tw={await cookie_of_a_browser(live)}"}
    async with live.connect(additional_headers=cookie, origin=live.http) as client:
        assert (await hear(client))["op"] == "authenticated"
        async with httpx.AsyncClient(base_url=live.http, headers=cookie) as http:
            done = await http.post("/api/auth/sign-out", headers={"origin": live.http})
            assert done.status_code == 204
        assert await closed(client, seconds=1.0) == 4401


async def test_nobody_hears_of_accounts_that_are_not_theirs(
    live: Live, parts: Parts, world: World
) -> None:
    mine, other = await world.account(), await world.account("Other")
    user_id = await world.person("bob@example.com", "viewer", (mine,))
    key = await key_of(parts, user_id, "viewer", "read")
    deployment = await world.deployment(other)
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        for topics in ([f"account:{other}"], [f"deployment:{deployment}"]):
            answer = await ask(client, op="subscribe", topics=topics)
            assert answer["code"] in ("forbidden", "not_found")
        start = {"from": {f"account:{other}": 0}}
        answer = await ask(client, op="subscribe", topics=["events"], **start)
        assert answer["code"] == "forbidden"
        answer = await ask(client, op="subscribe", topics=["events"])
        assert f"account:{other}" not in answer["seq"]
        await append(parts, 1, f"account:{other}")
        await append(parts, 1, f"account:{mine}")
        assert (await hear(client))["stream"] == f"account:{mine}"


async def test_prices_come_from_redis_the_newest_at_once(
    live: Live, key: str, parts: Parts, world: World, redis_url: str
) -> None:
    await world.account()
    async with Redis.from_url(redis_url) as redis, live.connect() as client:
        await redis.set("quote:simulated:AAPL", '{"bid": 1}')
        await ask(client, op="auth", token=key)
        topics = ["quotes:aapl", "bars:AAPL:1m", "quotes:SPY@replay:x"]
        assert (await ask(client, op="subscribe", topics=topics))["op"] == SUBSCRIBED
        first = await hear(client)
        assert first == {"topic": "quotes:aapl", "type": "quote", "data": {"bid": 1}}
        channels = ("bars:simulated:AAPL:1m", "quotes:replay:x:SPY")
        for channel in channels:
            await eventually_published(redis, channel, '{"close": 2}')
        heard = sorted([await hear(client), await hear(client)], key=lambda one: one["topic"])
    assert [one["topic"] for one in heard] == ["bars:AAPL:1m", "quotes:SPY@replay:x"]
    assert heard[0]["type"] == "bar"


async def eventually_published(redis: Redis, channel: str, body: str) -> None:
    async with asyncio.timeout(60):
        while not await redis.publish(channel, body):  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("ws", [FrameProtocol, WebSocketsSansIOProtocol])
async def test_who_reads_too_slowly_is_told_where_to_resume(
    calm_app: FastAPI, ws: type[asyncio.Protocol]
) -> None:
    async with serving(calm_app, ws) as live, live.connect() as client:
        await ask(client, op="auth", token=calm_app.state.key)
        [opened] = calm_app.state.parts.sockets.opened()
        for seq in range(1, MOST_MESSAGES + 2):
            opened._outbox.put("{}", "system", seq)
        last = await hear(client)
        assert last == {"op": "resync", "from_seq": {"system": 0}}
        assert await closed(client) == 4409


async def test_a_client_that_never_reads_again_is_cut_off(
    calm_app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.wire.FINISH_SECONDS", 0.05)
    async with serving(calm_app) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port, limit=1024)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c3RhbGxlZCBjbGllbnQhIQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        text = orjson.dumps({"op": "auth", "token": calm_app.state.key})
        writer.write(bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text)
        sockets = calm_app.state.parts.sockets
        await eventually(lambda: sockets.count == 1)
        [opened] = sockets.opened()
        opened._outbox.put("x" * MOST_CHARACTERS)
        await eventually(lambda: not len(opened._outbox))
        for seq in range(1, MOST_MESSAGES + 2):
            opened._outbox.put("{}", "system", seq)
        await eventually(lambda: sockets.count == 0)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(2 * MOST_CHARACTERS)
        writer.close()


async def test_a_server_that_takes_no_frames_gets_texts(calm_app: FastAPI) -> None:
    async with serving(calm_app, WebSocketsSansIOProtocol) as live, live.connect() as client:
        answer = await ask(client, op="auth", token=calm_app.state.key)
        assert answer["op"] == "authenticated"


async def test_a_cut_database_connection_loses_no_event(live: Live, key: str, parts: Parts) -> None:
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        await ask(client, op="subscribe", topics=["events"])
        await append(parts, 1)
        assert (await hear(client))["seq"] == 1
        await parts.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await append(parts, 2)
        assert [(await hear(client))["seq"] for _ in range(2)] == [2, 3]


async def test_the_server_stops_with_clients_connected(
    environment: pytest.MonkeyPatch,
) -> None:
    async with serving() as live:
        client = await live.connect()
    assert await closed(client) in (1001, 1012, 1006)
