"""Orders as commands: asked for, denied, repeated, canceled."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.domain.orders import OrderType, Side
from app.engine.commands import OrderPlace, OrderReplace, Terms, parse
from tests.api.world import World, client_of, engine, key_of
from tests.factories import utc

LIMIT = {"type": "limit", "limit_price": "10"}
PAIR = {"oco": {"type": "stop", "stop_price": "9"}}
BUY = {"symbol": "aapl", "side": "buy", "quantity": "10"}
DENIED = {"code": "position_limit", "detail": "Too much.", "limit": "0.05", "value": "0.072"}


def approve(command: dict[str, Any]) -> dict[str, Any]:
    return {"client_order_id": f"order-{command['id']}", "signal_id": "s"}


async def test_an_approved_order_is_201_with_its_id(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    async with engine(database_url, account, approve) as running:
        answer = await admin.post("/api/orders", json=BUY)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["state"], body["client_order_id"]) == ("succeeded", f"order-{body['id']}")
    payload = running.seen[0]["payload"]
    assert payload == {
        "symbol": "AAPL",
        "side": "buy",
        "quantity": "10",
        "type": "market",
        "time_in_force": "day",
    }
    assert parse("order_place", payload) == OrderPlace(
        symbol="AAPL", side=Side.BUY, quantity=Decimal(10)
    )
    assert running.seen[0]["actor"].startswith("ada@example.com (")


async def test_a_denied_order_says_which_limit_and_by_how_much(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    async with engine(database_url, account, lambda _: DENIED):
        answer = await admin.post("/api/orders", json=BUY)
    assert answer.status_code == 200
    assert answer.json()["denial"] == DENIED
    assert answer.json()["client_order_id"] is None


async def test_what_only_the_engine_finds_wrong_is_422_with_the_field(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    wrong = {"code": "invalid_input", "detail": "stop_loss must be below.", "field": "stop_loss"}
    async with engine(database_url, account, lambda _: wrong):
        answer = await admin.post("/api/orders", json=BUY)
    assert (answer.status_code, answer.json()["field"]) == (422, "stop_loss")
    assert answer.json()["detail"] == "stop_loss must be below."


async def test_a_persons_opinion_is_a_signal(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    wish = {"kind": "signal", "symbol": "SPY", "exposure": 0.5, "reason": "hunch"}
    async with engine(database_url, account, lambda _: {"outcome": "satisfied"}) as running:
        answer = await admin.post("/api/orders", json=wish)
    assert answer.status_code == 200
    assert running.seen[0]["kind"] == "signal_raise"
    assert running.seen[0]["payload"]["exposure"] == 0.5


async def test_no_outcome_after_two_seconds_is_202_with_an_address(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    parts.desk.wait_seconds = 0.05
    account = await world.account()
    async with engine(database_url, account, lambda _: None):
        answer = await admin.post("/api/orders", json=BUY)
    assert answer.status_code == 202
    assert answer.json()["state"] == "pending"
    later = await admin.get(answer.headers["location"])
    assert later.json()["id"] == answer.json()["id"]


async def test_without_an_engine_nothing_is_asked(
    calm_admin: httpx.AsyncClient, calm_app: FastAPI
) -> None:
    answer = await calm_admin.post("/api/orders", json=BUY)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert await calm_app.state.parts.pool.fetchval("SELECT count(*) FROM commands") == 0


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ({"symbol": "APPL"}, "symbol", "AAPL"),
        ({"type": "limit"}, "limit_price", "limit_price"),
        ({"type": "stop"}, "stop_price", "stop_price"),
        ({"limit_price": "10"}, "limit_price", "Leave it out"),
        ({"type": "limit", "limit_price": "10.001"}, "limit_price", "10.00"),
        ({"quantity": "1.5"}, "quantity", "2"),
        ({"quantity": "0"}, "quantity", ""),
        ({"quantity": "1e30"}, "quantity", ""),
        ({"quantity": "NaN"}, "quantity", ""),
        ({"stop_loss": "-1"}, "stop_loss", ""),
        ({"side": "long"}, "side", ""),
        ({"time_in_force": "ever"}, "time_in_force", ""),
        ({"type": "trailing_stop"}, "trail", "Send trail"),
        ({"trail": "2"}, "trail", "Leave it out"),
        ({"type": "trailing_stop", "trail": "2.001"}, "trail", "2.00"),
        ({"stop_trail": "0"}, "stop_trail", ""),
        ({"type": "stop", "stop_price": "10", "time_in_force": "fok"}, "time_in_force", "gtc"),
        ({"oco": {"type": "stop", "stop_price": "9"}}, "oco.type", "limit order"),
        (LIMIT | {"oco": {"type": "limit", "limit_price": "9"}}, "oco.type", "stop"),
        (LIMIT | {"oco": {"type": "stop"}}, "oco.stop_price", "Send stop_price"),
        (LIMIT | {"oco": {"type": "stop", "stop_price": "9.001"}}, "oco.stop_price", "9.00"),
        (LIMIT | PAIR | {"time_in_force": "ioc"}, "time_in_force", "day"),
        (LIMIT | {"oco": {"type": "stop", "stop_price": "9", "quantity": "1"}}, "oco.quantity", ""),
        ({"account_id": 99}, "account_id", ""),
        ({"symbol": "aapl261218c00250000"}, "symbol", "at your broker"),
        ({"symbol": "A; DROP TABLE orders"}, "symbol", ""),
        ({"reason": "x" * 501}, "reason", ""),
    ],
)
async def test_what_is_wrong_with_an_order_is_named(
    calm_admin: httpx.AsyncClient, change: dict[str, Any], field: str, remedy: str
) -> None:
    answer = await calm_admin.post("/api/orders", json=BUY | change)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert remedy in answer.json()["remedy"]


async def test_an_unknown_kind_of_wish_is_refused(calm_admin: httpx.AsyncClient) -> None:
    answer = await calm_admin.post("/api/orders", json=BUY | {"kind": "bet"})
    assert answer.status_code == 422


async def test_an_exposure_beyond_one_is_refused(calm_admin: httpx.AsyncClient) -> None:
    wish = {"kind": "signal", "symbol": "SPY", "exposure": 1.5}
    assert (await calm_admin.post("/api/orders", json=wish)).json()["field"] == "exposure"


async def test_with_several_accounts_one_must_be_named(
    admin: httpx.AsyncClient, world: World
) -> None:
    await world.account()
    await world.account("Replay", "replay:x")
    answer = await admin.post("/api/orders", json=BUY)
    assert answer.json()["field"] == "account_id"


async def test_a_repeat_gets_the_same_answer_and_no_second_order(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    headers = {"idempotency-key": "one"}
    async with engine(database_url, account, approve) as running:
        first = await admin.post("/api/orders", json=BUY, headers=headers)
        again = await admin.post("/api/orders", json=BUY, headers=headers)
    assert len(running.seen) == 1
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"


async def test_the_same_key_with_another_body_is_422(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    headers = {"idempotency-key": "one"}
    async with engine(database_url, account, approve):
        await admin.post("/api/orders", json=BUY, headers=headers)
        other = await admin.post("/api/orders", json=BUY | {"quantity": "11"}, headers=headers)
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")


async def test_ten_requests_with_one_key_make_one_order(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    headers = {"idempotency-key": "one"}
    async with engine(database_url, account, approve) as running:
        answers = await asyncio.gather(
            *(admin.post("/api/orders", json=BUY, headers=headers) for _ in range(10))
        )
    assert len(running.seen) == 1
    assert {one.status_code for one in answers} <= {201, 409}
    assert 201 in {one.status_code for one in answers}


async def test_a_request_that_died_is_answered_from_its_command(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account = await world.account()
    headers = {"idempotency-key": "one"}
    async with engine(database_url, account, approve) as running:
        first = await admin.post("/api/orders", json=BUY, headers=headers)
        left = f'{{"command_id": {first.json()["id"]}}}'
        await parts.pool.execute(
            "UPDATE idempotency_keys SET status_code = NULL, response = $1::jsonb", left
        )
        early = await admin.post("/api/orders", json=BUY, headers=headers)
        assert early.status_code == 409
        await parts.pool.execute(
            "UPDATE idempotency_keys SET created_at = now() - interval '1 minute'"
        )
        again = await admin.post("/api/orders", json=BUY, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(running.seen) == 1


async def test_keys_of_two_people_do_not_meet(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account = await world.account()
    headers = {"idempotency-key": "one"}
    async with engine(database_url, account, approve) as running:
        await admin.post("/api/orders", json=BUY, headers=headers)
        await parts.pool.execute(
            "UPDATE idempotency_keys SET user_id = $1", await world.person("b@example.com")
        )
        await admin.post("/api/orders", json=BUY, headers=headers)
    assert len(running.seen) == 2


async def test_an_open_order_can_be_canceled(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account = await world.account()
    name = await world.fill(account, utc("2024-03-01 15:00"), 10, "100")
    closed = await admin.delete(f"/api/orders/{name}")
    assert closed.status_code == 409
    assert "filled" in closed.json()["detail"]
    await parts.pool.execute("UPDATE orders SET status = 'accepted', closed_at = NULL")
    async with engine(database_url, account, lambda _: {"client_order_id": name}) as running:
        answer = await admin.delete(f"/api/orders/{name}")
    assert answer.status_code == 200
    assert running.seen[0]["payload"] == {"client_order_id": name}


async def test_all_of_a_bracket_and_a_pair_reaches_the_engine(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    wish = BUY | LIMIT | PAIR | {"stop_trail": "2.5", "take_profit": "12", "time_in_force": "gtc"}
    async with engine(database_url, account, approve) as running:
        assert (await admin.post("/api/orders", json=wish)).status_code == 201
    asked = parse("order_place", running.seen[0]["payload"])
    assert isinstance(asked, OrderPlace)
    assert asked.oco == Terms(type=OrderType.STOP, stop_price=Decimal(9))
    assert (asked.stop_trail, asked.take_profit) == (Decimal("2.5"), Decimal(12))


async def resting(world: World, parts: Parts) -> tuple[int, str]:
    """An account with an open limit order on SPY."""
    account = await world.account()
    name = await world.fill(account, utc("2024-03-01 15:00"), 10, "100")
    await parts.pool.execute(
        "UPDATE orders SET status = 'accepted', closed_at = NULL, type = 'limit', limit_price = 99"
    )
    return account, name


async def test_an_open_order_can_be_changed(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account, name = await resting(world, parts)
    change = {"limit_price": "98.50", "quantity": "12"}
    async with engine(database_url, account, lambda _: {"client_order_id": name}) as running:
        answer = await admin.patch(f"/api/orders/{name}", json=change)
    assert answer.status_code == 200, answer.text
    assert running.seen[0]["kind"] == "order_replace"
    assert running.seen[0]["payload"] == {
        "client_order_id": name,
        "limit_price": "98.5",
        "quantity": "12",
    }
    assert isinstance(parse("order_replace", running.seen[0]["payload"]), OrderReplace)


async def test_a_change_that_a_limit_denies_says_which(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account, name = await resting(world, parts)
    async with engine(database_url, account, lambda _: DENIED):
        answer = await admin.patch(f"/api/orders/{name}", json={"quantity": "1000"})
    assert (answer.status_code, answer.json()["denial"]) == (200, DENIED)


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ({}, "quantity", "limit_price"),
        ({"stop_price": "9"}, "stop_price", "Leave it out"),
        ({"trail": "1"}, "trail", "Leave it out"),
        ({"limit_price": "9.001"}, "limit_price", "9.00"),
        ({"quantity": "-1"}, "quantity", ""),
        ({"side": "sell"}, "side", ""),
    ],
)
async def test_what_is_wrong_with_a_change_is_named(
    admin: httpx.AsyncClient,
    world: World,
    parts: Parts,
    change: dict[str, Any],
    field: str,
    remedy: str,
) -> None:
    _, name = await resting(world, parts)
    answer = await admin.patch(f"/api/orders/{name}", json=change)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert remedy in answer.json()["remedy"]


async def test_a_closed_order_cannot_be_changed(admin: httpx.AsyncClient, world: World) -> None:
    name = await world.fill(await world.account(), utc("2024-03-01 15:00"), 10, "100")
    answer = await admin.patch(f"/api/orders/{name}", json={"quantity": "5"})
    assert answer.status_code == 409


async def test_who_may_only_look_changes_nothing(world: World, parts: Parts, app: FastAPI) -> None:
    _, name = await resting(world, parts)
    key = await key_of(parts, await world.person("v@example.com", "viewer"), "viewer", "read")
    async with client_of(app, key) as viewer:
        answer = await viewer.patch(f"/api/orders/{name}", json={"quantity": "5"})
    assert answer.status_code == 403


async def test_what_is_held_and_what_is_under_way_are_shown(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    _, name = await resting(world, parts)
    wanted = '{"quantity": "12", "limit_price": "98", "stop_price": null, "trail": null}'
    await parts.pool.execute(
        "UPDATE orders SET is_held = true, pending = 'replace', wanted = $1::jsonb", wanted
    )
    shown = (await admin.get(f"/api/orders/{name}")).json()
    assert (shown["is_held"], shown["pending"]) == (True, "replace")
    assert (shown["wanted"]["quantity"], shown["wanted"]["limit_price"]) == ("12", "98")


async def test_key_repeat_burst(admin: httpx.AsyncClient, world: World, database_url: str) -> None:
    """A held key fires the ticket's button again and again; a ticket has one key: one order."""
    account = await world.account()
    headers = {"idempotency-key": "ticket-1"}
    async with engine(database_url, account, approve) as running:
        answers = [await admin.post("/api/orders", json=BUY, headers=headers) for _ in range(8)]
    assert len(running.seen) == 1
    assert len({one.json()["client_order_id"] for one in answers if one.status_code == 201}) == 1


async def test_an_unknown_order_is_404(calm_admin: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("GET", "/timeline")):
        body = {"quantity": "1"} if method == "PATCH" else None
        answer = await calm_admin.request(method, f"/api/orders/none{path}", json=body)
        assert answer.status_code == 404


async def test_orders_are_limited_to_ten_a_second(admin: httpx.AsyncClient, world: World) -> None:
    await world.account()
    answers = await asyncio.gather(*(admin.post("/api/orders", json=BUY) for _ in range(25)))
    assert 429 in {one.status_code for one in answers}
    stop = await admin.post("/api/trading-engine/emergency-stop")
    assert stop.status_code == 200
