"""Limits by scope, their rollback, explanations and what-ifs over HTTP."""

import httpx
import pytest

from tests.api.world import World

PERIOD = {"start": "2024-03-01T00:00:00Z", "end": "2024-03-02T00:00:00Z"}


async def test_limits_have_scopes(admin: httpx.AsyncClient, world: World) -> None:
    account = await world.account()
    url = "/api/config/max_position_size"
    wanted = {"value": "0.02", "scope": f"account:{account}", "reason": "small"}
    changed = await admin.put(url, json=wanted)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["scope"], changed.json()["value"]) == (f"account:{account}", "0.02")
    assert (await admin.get(url)).json()["value"] == "0.05"
    await admin.put(url, json={"value": "0.01", "scope": "symbol:AAPL"})
    scopes = (await admin.get("/api/config/scopes")).json()["items"]
    assert {(one["scope"], one["value"]) for one in scopes} == {
        (f"account:{account}", "0.02"),
        ("symbol:AAPL", "0.01"),
    }
    uses = (await admin.get(f"/api/accounts/{account}/limits")).json()["items"]
    mine = [one for one in uses if one["name"] == "max_position_size"]
    assert [(one["scope"], one["limit"]) for one in mine] == [
        (None, "0.02"),
        ("symbol:AAPL", "0.01"),
    ]
    payloads = await world.pool.fetch("SELECT payload FROM commands ORDER BY id")
    assert len(payloads) == 2


async def test_a_change_is_rolled_back(admin: httpx.AsyncClient, world: World) -> None:
    await world.account()
    url = "/api/config/max_daily_notional"
    await admin.put(url, json={"value": "5000"})
    await admin.put(url, json={"value": "7000"})
    history = (await admin.get("/api/config/history?key=max_daily_notional")).json()["items"]
    second, first = history
    back = await admin.post(f"/api/config/history/{second['id']}/rollback", json={})
    assert back.json()["value"] == "5000"
    back = await admin.post(f"/api/config/history/{first['id']}/rollback", json={"reason": "x"})
    assert back.json()["value"] is None
    assert (await admin.post("/api/config/history/999/rollback", json={})).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"value": "0.1", "scope": "symbols"}, 422),
        ({"value": "0.1", "scope": "account:99"}, 404),
        ({"value": "0.1", "scope": "deployment:99"}, 404),
        ({"value": "99", "scope": "symbol:AAPL"}, 422),
    ],
)
async def test_a_scope_that_is_not_there_is_refused(
    admin: httpx.AsyncClient, body: dict[str, str], status: int
) -> None:
    assert (await admin.put("/api/config/max_position_size", json=body)).status_code == status


async def test_an_account_that_saw_no_market_has_nothing_to_explain(
    admin: httpx.AsyncClient, world: World
) -> None:
    account = await world.account()
    query: dict[str, str | int] = {"symbol": "AAPL", "account_id": account}
    answer = await admin.get("/api/risk/explain", params=query)
    assert answer.status_code == 404
    assert "had seen no market" in answer.json()["detail"]
    assert (await admin.get("/api/risk/explain", params={"symbol": "A"})).status_code == 404
    query["account_id"] = 99
    assert (await admin.get("/api/risk/explain", params=query)).status_code == 422


async def test_a_what_if_is_read_by_a_process_of_its_own(
    admin: httpx.AsyncClient, world: World
) -> None:
    account = await world.account()
    body = {"account_id": account, "limits": {"max_position_size": "0.02"}, **PERIOD}
    answer = await admin.post("/api/risk/what-if", json=body)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["asked"], answer.json()["orders"]) == (0, [])
    body["limits"] = {"max_position": 1}
    assert (await admin.post("/api/risk/what-if", json=body)).status_code == 422
    body = {"account_id": 99, "limits": {"max_position_size": "0.02"}, **PERIOD}
    refused = await admin.post("/api/risk/what-if", json=body)
    assert refused.status_code == 422
    assert "no account 99" in refused.json()["detail"]
