"""Lists over a filled database: pages, filters, CSV; and timelines over a filled journal."""

import csv
import io
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.api.tables import cell
from app.core.clock import now
from app.repositories.paging import decode_cursor, encode_cursor
from tests.api import world
from tests.api.world import client_of, key_of
from tests.servers import TestServers


@pytest.fixture(scope="module")
async def sampled_app(
    test_servers: TestServers,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[FastAPI]:
    """The sample data; one database for the whole file, since nothing writes."""
    home = tmp_path_factory.mktemp("sampled")
    async with world.sampled(test_servers, template_database, home) as (app, _):
        parts = app.state.parts
        user_id = await parts.pool.fetchval("SELECT min(id) FROM users")
        app.state.key = await key_of(parts, user_id, "admin", "read")
        yield app


@pytest.fixture
async def sampled(sampled_app: FastAPI, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A reader of the sample data."""
    async with client_of(sampled_app, sampled_app.state.key) as client:
        yield client


TABLES = ["orders", "executions", "trades", "signals", "risk-violations", "events", "deployments"]


@pytest.mark.parametrize("table", TABLES)
async def test_pages_join_without_a_gap_or_a_double(sampled: httpx.AsyncClient, table: str) -> None:
    whole = (await sampled.get(f"/api/{table}?limit=1000")).json()
    assert whole["next_cursor"] is None
    found, cursor = [], None
    while True:
        query = {"limit": 7} | ({"cursor": cursor} if cursor else {})
        page = (await sampled.get(f"/api/{table}", params=query)).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == whole["items"]
    assert found


@pytest.mark.parametrize("table", [*TABLES, "positions", "accounts", "stocks", "alerts", "users"])
async def test_every_table_comes_as_csv(sampled: httpx.AsyncClient, table: str) -> None:
    if table == "users":
        assert (await sampled.get("/api/users")).status_code == 403
        return
    items = (await sampled.get(f"/api/{table}?limit=1000")).json()["items"]
    answer = await sampled.get(f"/api/{table}", headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"{table}.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == len(items)
    if items:
        assert list(rows[0]) == list(items[0])


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("orders?side=buy", lambda row: row["side"] == "buy"),
        ("orders?status=filled", lambda row: row["status"] == "filled"),
        ("orders?status=closed", lambda row: not row["is_open"]),
        ("orders?symbol=msft", lambda row: row["symbol"] == "MSFT"),
        ("orders?deployment_id=1", lambda row: row["ledger"] == "d1"),
        ("orders?ledger=d2", lambda row: row["deployment_id"] == 2),
        ("executions?side=sell", lambda row: row["side"] == "sell"),
        ("executions?symbol=AAPL", lambda row: row["symbol"] == "AAPL"),
        ("trades?result=win", lambda row: float(row["pnl"]) > 0),
        ("trades?result=loss", lambda row: float(row["pnl"]) <= 0),
        ("trades?direction=long", lambda row: row["direction"] == "long"),
        ("trades?start=2024-06-01T00:00:00Z", lambda row: row["exit_at"] >= "2024-06-01"),
        ("trades?end=2024-06-01T00:00:00Z", lambda row: row["exit_at"] < "2024-06-01"),
        ("signals?signal_type=flat", lambda row: row["exposure"] == 0),
        ("signals?outcome=order", lambda row: row["outcome"] == "order"),
        ("signals?deployment_id=2", lambda row: row["ledger"] == "d2"),
        ("risk-violations?code=position_limit", lambda row: row["code"] == "position_limit"),
        ("events?type=order_filled&type=trade_closed", lambda row: row["type"] != "order_denied"),
        ("events?priority=high", lambda row: row["priority"] == "high"),
        ("events?account_id=1", lambda row: row["stream"] == "account:1"),
        ("events?stream=account:1&after_seq=10&before_seq=20", lambda row: 10 < row["seq"] < 20),
        ("deployments?state=running", lambda row: row["state"] == "running"),
        ("deployments?strategy=sma_cross", lambda row: row["strategy"] == "sma_cross"),
        ("positions?held=false", lambda row: row["symbol"] in ("AAPL", "MSFT")),
        ("stocks?q=apple", lambda row: row["symbol"] == "AAPL"),
        ("stocks?symbol=SPY&symbol=aapl", lambda row: row["symbol"] in ("AAPL", "SPY")),
    ],
)
async def test_filters_keep_what_they_say(
    sampled: httpx.AsyncClient, query: str, holds: object
) -> None:
    items = (await sampled.get(f"/api/{query}")).json()["items"]
    assert items
    assert callable(holds)
    assert all(holds(row) for row in items)


@pytest.mark.parametrize(
    "query",
    [
        "trades?deployment_id=99",
        "orders?status=open",
        "signals?outcome=open",
        "events?deployment_id=9",
    ],
)
async def test_filters_may_find_nothing(sampled: httpx.AsyncClient, query: str) -> None:
    assert (await sampled.get(f"/api/{query}")).json()["items"] == []


async def test_a_stream_is_read_in_order_without_a_gap(sampled: httpx.AsyncClient) -> None:
    query = "stream=account:1&after_seq=5&order=asc&limit=50"
    items = (await sampled.get(f"/api/events?{query}")).json()["items"]
    assert [row["seq"] for row in items] == list(range(6, 56))


@pytest.mark.parametrize(
    "query",
    [
        "orders?cursor=abc",
        "orders?cursor=WyJhIiwiYiJd",
        "orders?limit=0",
        "orders?limit=9999",
        "orders?status=half",
        "orders?colour=red",
        "orders?start=yesterday",
        "orders?start=2024-01-01T00:00:00",
        "events?after_seq=1",
        "signals?outcome=maybe",
    ],
)
async def test_wrong_queries_are_422(sampled: httpx.AsyncClient, query: str) -> None:
    answer = await sampled.get(f"/api/{query}")
    assert answer.status_code == 422
    assert answer.json()["field"]


async def test_an_order_tells_its_whole_story(sampled: httpx.AsyncClient) -> None:
    order = (await sampled.get("/api/orders?limit=1")).json()["items"][0]
    story = (await sampled.get(f"/api/orders/{order['client_order_id']}/timeline")).json()
    assert story["order"] == order
    assert story["signal"]["signal_id"] == order["signal_id"]
    assert story["bars"][-1]["end"] == story["signal"]["at"]
    assert story["indicator_values"]
    assert story["executions"][0]["client_order_id"] == order["client_order_id"]
    kinds = [step["type"] for step in story["steps"]]
    assert (
        kinds.index("signal_raised") < kinds.index("order_approved") < kinds.index("order_filled")
    )
    assert all(step["title"] for step in story["steps"])
    other = (await sampled.get("/api/orders?limit=2")).json()["items"][1]["client_order_id"]
    assert other not in str(story["steps"])


async def test_a_denied_signal_says_which_limit(sampled: httpx.AsyncClient) -> None:
    denial = (await sampled.get("/api/risk-violations?limit=1")).json()["items"][0]
    story = (await sampled.get(f"/api/signals/{denial['signal_id']}/timeline")).json()
    assert story["order"] is None
    assert story["denial"] == {
        "rule": denial["code"],
        "passed": False,
        "value": denial["value"],
        "limit": denial["limit"],
        "scope": None,
    }
    assert story["denial_detail"] == denial["detail"]


async def test_a_deployment_explains_its_newest_decision(sampled: httpx.AsyncClient) -> None:
    signals = (await sampled.get("/api/signals?deployment_id=1&limit=1000")).json()["items"]
    newest = signals[0]
    path = f"/api/deployments/1/explain?symbol={newest['symbol'].lower()}"
    assert (await sampled.get(path)).json()["signal"]["signal_id"] == newest["signal_id"]
    older = [s for s in signals if s["symbol"] == newest["symbol"]][1]
    told = (await sampled.get(path, params={"symbol": newest["symbol"], "at": older["at"]})).json()
    assert told["signal"]["signal_id"] == older["signal_id"]
    nothing = await sampled.get("/api/deployments/1/explain?symbol=XYZ")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not_found")


async def test_a_deployments_result_adds_up(sampled: httpx.AsyncClient) -> None:
    result = (await sampled.get("/api/deployments/1/performance")).json()
    trades = (await sampled.get("/api/trades?deployment_id=1&limit=1000")).json()["items"]
    total = sum(float(trade["pnl"]) for trade in trades)
    assert result["trades"] == len(trades) == result["wins"] + result["losses"]
    assert float(result["gross_profit"]) - float(result["gross_loss"]) == pytest.approx(total)
    assert float(result["curve"][-1]["pnl"]) == pytest.approx(total)
    found = (await sampled.get("/api/deployments/1")).json()
    assert float(found["realized_pnl"]) == pytest.approx(total)
    assert found["trades"] == len(trades)


async def test_the_equity_curve_ends_at_the_equity(sampled: httpx.AsyncClient) -> None:
    account = (await sampled.get("/api/accounts")).json()["items"][0]
    curve = (await sampled.get(f"/api/accounts/{account['id']}/equity?limit=200")).json()["items"]
    assert len(curve) == 200
    assert float(curve[0]["equity"]) == pytest.approx(float(account["initial_cash"]), rel=0.01)
    assert float(curve[-1]["equity"]) == pytest.approx(float(account["equity"]), abs=0.01)
    assert float(account["peak_equity"]) >= float(account["equity"])


def test_cursors_are_opaque_and_come_back() -> None:
    assert decode_cursor(encode_cursor(["2024", "7"]), 2) == ["2024", "7"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-12.5", "-12.5"),
        ("-cmd", "'-cmd"),
        ("+1", "'+1"),
        (None, ""),
        ({"a": 1}, '{"a":1}'),
        (["x"], '["x"]'),
        (True, "True"),
    ],
)
def test_no_cell_is_a_formula(value: object, text: str) -> None:
    assert cell(value) == text
    assert now()
