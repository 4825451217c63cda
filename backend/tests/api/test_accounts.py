"""Accounts: money to the cent, the day, limits in use, and who may see them."""

from decimal import Decimal

import httpx
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from tests.api.world import World, client_of, engine, key_of
from tests.factories import utc


@pytest.fixture
async def account(world: World) -> int:
    """100 AAPL bought at 110 for 100 000 in cash; the newest bar closes at 129."""
    account_id = await world.account()
    await world.bars([100.0 + number for number in range(30)])
    await world.fill(account_id, utc("2024-03-01 14:40"), 100, "110")
    await world.pool.execute("UPDATE accounts SET clock_at = $1", utc("2024-03-01 15:00"))
    return account_id


async def test_money_adds_up(admin: httpx.AsyncClient, account: int) -> None:
    body = (await admin.get(f"/api/accounts/{account}")).json()
    assert body["cash"] == "88999"
    assert body["equity"] == "101899"
    assert body["exposure"] == "12900"
    assert body["unrealized_pnl"] == "1900"
    assert body["day_pnl"] == "1899"
    assert Decimal(body["exposure_fraction"]) == round(Decimal(12900) / 101899, 8)
    assert Decimal(body["buying_power"]) == Decimal("101899") * Decimal("0.8") - 12900
    assert body["open_positions"] == 1
    assert body["is_simulated"] is True
    assert body["engine"]["is_running"] is False


async def test_the_day_begins_with_what_was_held_before(
    admin: httpx.AsyncClient, account: int, world: World
) -> None:
    await world.pool.execute("UPDATE accounts SET clock_at = $1", utc("2024-03-04 15:00"))
    body = (await admin.get(f"/api/accounts/{account}")).json()
    assert body["day_pnl"] == "0"


async def test_positions_are_marked_and_weighed(admin: httpx.AsyncClient, account: int) -> None:
    [row] = (await admin.get(f"/api/positions?account_id={account}")).json()["items"]
    assert (row["symbol"], row["quantity"], row["average_price"]) == ("AAPL", "100", "110")
    assert (row["market_price"], row["market_value"]) == ("129", "12900")
    assert row["unrealized_pnl"] == "1900"
    assert Decimal(row["weight"]) == round(Decimal(12900) / 101899, 8)


async def test_working_protection_is_shown_with_the_position(
    admin: httpx.AsyncClient, account: int, world: World
) -> None:
    name = await world.fill(account, utc("2024-03-01 14:50"), 0 + 1, "120")
    await world.pool.execute(
        "UPDATE orders SET leg = 'stop_loss', type = 'stop', stop_price = 95, status = 'accepted',"
        " closed_at = NULL WHERE client_order_id = $1",
        name,
    )
    [row] = (await admin.get("/api/positions")).json()["items"]
    assert (row["stop_loss"], row["take_profit"]) == ("95", None)


async def test_each_limit_shows_its_use(admin: httpx.AsyncClient, account: int) -> None:
    items = (await admin.get(f"/api/accounts/{account}/limits")).json()["items"]
    uses = {one["name"]: one for one in items}
    assert uses["max_position_size"]["subject"] == "AAPL"
    assert Decimal(uses["max_position_size"]["value"]) == round(Decimal(12900) / 101899, 8)
    assert Decimal(uses["max_position_size"]["use"]) > 2
    assert uses["max_sector_exposure"]["subject"] == "Information Technology"
    assert uses["max_daily_loss"]["value"] == "0"
    assert uses["max_orders_per_minute"]["value"] == "0"


async def test_the_curve_follows_cash_and_prices(admin: httpx.AsyncClient, account: int) -> None:
    query = "start=2024-03-01T14:31:00Z&end=2024-03-01T15:00:00Z&limit=30"
    items = (await admin.get(f"/api/accounts/{account}/equity?{query}")).json()["items"]
    assert items[0] == {
        "at": "2024-03-01T14:31:00Z",
        "equity": "100000.00",
        "cash": "100000.00",
        "exposure": "0.00",
    }
    assert items[9]["equity"] == "99899.00"
    assert items[-1]["equity"] == "101899.00"


async def test_an_account_without_a_trade_has_a_flat_curve(
    admin: httpx.AsyncClient, world: World
) -> None:
    account_id = await world.account()
    items = (await admin.get(f"/api/accounts/{account_id}/equity?limit=2")).json()["items"]
    assert [one["equity"] for one in items] == ["100000.00", "100000.00"]
    body = (await admin.get(f"/api/accounts/{account_id}")).json()
    assert (body["equity"], body["drawdown"], body["day_pnl"]) == ("100000", "0", "0")


async def test_the_engine_that_holds_the_account_is_shown(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account_id = await world.account()
    async with engine(database_url, account_id):
        body = (await admin.get(f"/api/accounts/{account_id}")).json()
        assert body["engine"]["is_running"] is True
        assert body["engine"]["holder"] == "test"


# ------------------------------------------------------------------------------- ownership


@pytest.fixture
async def bob(app: FastAPI, parts: Parts, world: World, account: int) -> httpx.AsyncClient:
    """A trader on another account, while `account` is somebody else's."""
    mine = await world.account("Bob's")
    user_id = await world.person("bob@example.com", "trader", (mine,))
    return client_of(app, await key_of(parts, user_id, "trader", "read", "trade"))


@pytest.mark.parametrize(
    "path",
    [
        "orders",
        "executions",
        "positions",
        "trades",
        "signals",
        "risk-violations",
        "events",
        "deployments",
    ],
)
async def test_lists_leave_out_what_belongs_to_others(
    bob: httpx.AsyncClient, admin: httpx.AsyncClient, account: int, path: str, world: World
) -> None:
    await world.deployment(account)
    assert (await bob.get(f"/api/{path}")).json()["items"] == []
    assert (await bob.get(f"/api/{path}?account_id={account}")).json()["items"] == []


async def test_accounts_of_others_do_not_exist(bob: httpx.AsyncClient, account: int) -> None:
    names = [one["name"] for one in (await bob.get("/api/accounts")).json()["items"]]
    assert names == ["Bob's"]
    for path in ("", "/equity", "/limits"):
        assert (await bob.get(f"/api/accounts/{account}{path}")).status_code == 404
    for action in ("halt", "reduce", "resume"):
        answer = await bob.post(f"/api/accounts/{account}/{action}", json={"reason": "x"})
        assert answer.status_code == 404


async def test_things_of_others_do_not_exist(
    bob: httpx.AsyncClient, world: World, account: int, parts: Parts
) -> None:
    deployment = await world.deployment(account)
    command = await parts.desk.submit(account, "order_place", {}, "ada")  # type: ignore[arg-type]  # any kind
    order = await parts.pool.fetchval("SELECT client_order_id FROM orders")
    for path in (
        f"orders/{order}",
        f"orders/{order}/timeline",
        f"deployments/{deployment}",
        f"deployments/{deployment}/events",
        f"deployments/{deployment}/performance",
        f"deployments/{deployment}/explain?symbol=AAPL",
        f"commands/{command}",
    ):
        assert (await bob.get(f"/api/{path}")).status_code == 404, path
    assert (await bob.delete(f"/api/orders/{order}")).status_code == 404
    assert (await bob.post(f"/api/deployments/{deployment}/stop")).status_code == 404


async def test_nobody_trades_on_an_account_of_others(bob: httpx.AsyncClient, account: int) -> None:
    body = {"symbol": "AAPL", "side": "buy", "quantity": "1", "account_id": account}
    answer = await bob.post("/api/orders", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "account_id")
    deploy = {"strategy": "sma_cross", "symbols": ["AAPL"], "account_id": account}
    answer = await bob.post("/api/deployments", json=deploy)
    assert (answer.status_code, answer.json()["field"]) == (422, "account_id")


async def test_prices_of_an_account_of_others_are_not_told(
    bob: httpx.AsyncClient, account: int
) -> None:
    answer = await bob.get(f"/api/stocks/AAPL/bars?account_id={account}")
    assert answer.status_code == 422
