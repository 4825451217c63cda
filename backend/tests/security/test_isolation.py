"""Whose row it is: every table has an owner, and nobody reads or changes what is another's."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from app.api.openapi import guards
from app.db.base import Base
from tests.api import world
from tests.api.document import APP
from tests.api.world import PASSWORD, World, client_of, key_of
from tests.servers import TestServers

CANARY = "canary-of-ada"
STREAMS = {"trading_events", "journal_streams", "handler_deliveries", "handler_cursors"}
"An account's, when the stream is `account:ID`."
SCOPES_OF = {"trading_state", "system_config", "config_history"}
"An account's, when the scope is `account:ID`."
BY_PARENT = {"alert_deliveries": "alerts", "backtest_trades": "backtests"}
PERSONS = {"users", "sign_up_tokens", "backtests", "sweeps", "strategies"}
"A person's own, or made by one."
MARKET = {
    "instruments", "stocks", "stock_data", "stock_data_revisions", "bar_series", "ticks", "quotes",
    "option_contracts", "options_data", "corporate_actions", "indicators", "market_data_cache",
    "quarantine", "data_gaps", "data_imports", "disclosures",
}  # fmt: skip
"The platform's: everybody who is signed in may read it."
OPERATIONS = {
    "availability", "backups", "errors", "heartbeats", "job_runs", "job_states", "leases",
    "metrics", "metric_rollups", "notification_channels",
}  # fmt: skip
"The platform's: how it is, and for admins what is wrong with it."


def owner_of(table: str) -> str | None:
    """account, person, market, operations, or None when nobody has said."""
    columns = set(Base.metadata.tables[table].columns.keys())
    if table in STREAMS | SCOPES_OF or "account_id" in columns or table == "accounts":
        return "account"
    if table in BY_PARENT:
        return owner_of(BY_PARENT[table])
    if "user_id" in columns or table in PERSONS:
        return "person"
    if table in MARKET:
        return "market"
    return "operations" if table in OPERATIONS else None


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_every_table_has_an_owner(table: str) -> None:
    assert owner_of(table), f"Say in {__name__} whose the rows of {table} are."


# ------------------------------------------------------------------------------------ the matrix


@pytest.fixture(scope="module")
async def owned_app(
    test_servers: TestServers,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[FastAPI]:
    """Ada's account with history; people who may see it, and people who may not."""
    home = tmp_path_factory.mktemp("owned")
    async with world.sampled(test_servers, template_database, home, _mark) as (app, _):
        await _people(app)
        yield app


async def _mark(pool: asyncpg.Pool) -> None:
    """Put the canary where words are, and what the sample has none of."""
    await pool.execute("UPDATE accounts SET name = $1", CANARY)
    await pool.execute(
        "INSERT INTO alerts (key, category, severity, title, detail, account_id)"
        " VALUES ('k', 'trading', 'warning', $1, $1, 1)",
        CANARY,
    )
    await pool.execute(
        "INSERT INTO commands (account_id, kind, payload, actor) VALUES (1, 'order_place',"
        " jsonb_build_object('reason', $1::text), $1)",
        CANARY,
    )
    await pool.execute(
        "INSERT INTO reconciliations (account_id, differences, at) VALUES (1, ARRAY[$1], now())",
        CANARY,
    )
    await pool.execute(
        "INSERT INTO handler_deliveries (handler, stream, seq, status, error)"
        " VALUES ('h', 'account:1', 1, 'dead', $1)",
        CANARY,
    )
    await pool.execute(
        "INSERT INTO trading_state (scope) VALUES ('account:1') ON CONFLICT DO NOTHING"
    )


async def _people(app: FastAPI) -> None:
    parts, world = app.state.parts, World(app.state.parts.pool)
    other = await world.account("Somebody else's")
    for name, role, accounts in (
        ("stranger-viewer", "viewer", ()),
        ("stranger-trader", "trader", (other,)),
        ("member-viewer", "viewer", (1,)),
        ("member-trader", "trader", (1,)),
    ):
        user_id = await world.person(f"{name}@example.com", role, accounts)
        scopes = ["read"] if role == "viewer" else ["read", "trade", "data"]
        setattr(app.state, name, await key_of(parts, user_id, role, *scopes))
    app.state.ids = await _ids(parts.pool)


async def _ids(pool: asyncpg.Pool) -> dict[str, str]:
    """One of Ada's things for every name of a path."""

    async def first(query: str) -> str:
        return str(await pool.fetchval(query))

    return {
        "account_id": "1",
        "client_order_id": await first("SELECT client_order_id FROM orders LIMIT 1"),
        "signal_id": await first("SELECT signal_id FROM signals LIMIT 1"),
        "deployment_id": await first("SELECT min(id) FROM deployments"),
        "command_id": await first("SELECT min(id) FROM commands"),
        "alert_id": await first("SELECT min(id) FROM alerts WHERE account_id = 1"),
        "stream": "account:1",
        "seq": "1",
        "symbol": await first("SELECT symbol FROM stocks LIMIT 1"),
    }


OURS = {
    "account_id", "client_order_id", "signal_id", "deployment_id", "command_id", "alert_id",
    "stream",
}  # fmt: skip
"Names in paths that lead to an account's things."
QUERY = {"/api/deployments/{deployment_id}/explain": "?symbol=AAPL"}
ELSE = {"name": "x", "key": "x", "fingerprint": "x"}


def operations(*methods: str) -> Iterator[tuple[str, str, bool]]:
    """(method, path, whether it leads to an account's thing) of every declared route."""
    for path, method, guard in guards(APP.routes):
        if guard is not None and method in methods and path.startswith("/api/"):
            yield method, path, bool(OURS & set(re.findall(r"{(\w+)}", path)))


def filled(path: str, ids: dict[str, str]) -> str:
    names = re.findall(r"{(\w+)}", path)
    values = {name: ids.get(name, ELSE.get(name, "999999")) for name in names}
    return path.format(**values) + QUERY.get(path, "")


@pytest.fixture
async def as_(owned_app: FastAPI, redis_url: str) -> AsyncIterator[Any]:
    """A client of somebody by name; None: of nobody."""
    clients = []

    def client(name: str | None) -> httpx.AsyncClient:
        made = client_of(owned_app, getattr(owned_app.state, name) if name else None)
        clients.append(made)
        return made

    yield client
    for one in clients:
        await one.aclose()


@pytest.mark.parametrize("who", ["stranger-viewer", "stranger-trader"])
async def test_nobody_reads_what_is_anothers(as_: Any, owned_app: FastAPI, who: str) -> None:
    client, ids, seen = as_(who), owned_app.state.ids, []
    secrets = {CANARY, ids["client_order_id"], ids["signal_id"]}
    for method, path, is_ours in operations("get"):
        answer = await client.get(filled(path, ids))
        told = {one for one in secrets if one in answer.text}
        if answer.status_code < 400 and (told or is_ours):
            seen.append((method, path, answer.status_code, told))
        assert answer.status_code in (*range(200, 500), 503), (path, answer.text)
    assert seen == []


@pytest.mark.parametrize("who", ["stranger-viewer", "stranger-trader"])
async def test_a_filter_reaches_nothing_of_anothers(as_: Any, owned_app: FastAPI, who: str) -> None:
    client, seen = as_(who), []
    for query in ("account_id=1", "stream=account:1", "scope=account:1", "deployment_id=1"):
        for _, path, is_ours in operations("get"):
            if "{" not in path and not is_ours:
                answer = await client.get(f"{path}?{query}")
                if answer.status_code < 400 and CANARY in answer.text:
                    seen.append((path, query))
    assert seen == []


async def test_members_read_what_strangers_may_not(as_: Any, owned_app: FastAPI) -> None:
    """Else the tests above would pass on an empty database."""
    client, ids = as_("member-viewer"), owned_app.state.ids
    found = {}
    for _, path, is_ours in operations("get"):
        answer = await client.get(filled(path, ids))
        if is_ours:
            found[path] = answer.status_code
    assert {path: status for path, status in found.items() if status != 200} == {}
    for path in ("accounts", "alerts", "dead-letters", "trading-engine/alerts"):
        assert CANARY in (await client.get(f"/api/{path}")).text, path
    for path in ("orders", "signals", "executions", "trades", "events"):
        assert (await client.get(f"/api/{path}")).json()["items"], path


BODIES: dict[str, Any] = {
    "/api/orders": {"symbol": "AAPL", "side": "buy", "quantity": "1", "account_id": 1},
    "/api/orders/{client_order_id}": {"quantity": "2"},
    "/api/deployments": {"strategy": "sma_cross", "symbols": ["AAPL"], "account_id": 1},
    "/api/deployments/preview": {"strategy": "sma_cross", "symbols": ["AAPL"], "account_id": 1},
    "/api/risk/what-if": {"account_id": 1, "symbol": "AAPL", "side": "buy", "quantity": "1"},
}
CONTROL = {"reason": "because", "account_id": 1}
QUESTIONS = {
    "/api/strategies/{name}/parameters",
    "/api/deployments/preview",
    "/api/risk/what-if",
}
"Asked with a POST, for they have a body; nothing is changed."
OWN = ("/api/auth/", "/api/sessions", "/api/api-keys")
"What everybody may do with what is theirs."


def body_of(path: str) -> Any:
    if path in BODIES:
        return BODIES[path]
    if path.startswith("/api/trading-engine/") and "{" not in path:
        return CONTROL
    return {"reason": "because"} if "{" in path else {}


async def contents(pool: asyncpg.Pool) -> dict[str, Any]:
    """All that belongs to accounts, without when it was touched."""
    tables = [one for one in sorted(Base.metadata.tables) if owner_of(one) == "account"]
    return {
        table: await pool.fetchval(
            f"SELECT md5(string_agg(row::text, ',' ORDER BY row::text)) FROM {table} row"
        )
        for table in tables
    }


@pytest.mark.parametrize("who", [None, "stranger-viewer", "stranger-trader", "member-viewer"])
async def test_nobody_changes_what_is_anothers(
    as_: Any, owned_app: FastAPI, who: str | None
) -> None:
    client, ids, done = as_(who), owned_app.state.ids, []
    pool = owned_app.state.parts.pool
    before = await contents(pool)
    for method, path, _ in operations("post", "put", "patch", "delete"):
        if path.startswith(OWN):
            continue
        answer = await client.request(method.upper(), filled(path, ids), json=body_of(path))
        if answer.status_code < 400:
            done.append((method, path, answer.status_code, answer.text[:200]))
        assert answer.status_code in (*range(200, 500), 503), (path, answer.text)
    assert [one for one in done if one[1] not in QUESTIONS] == []
    assert await contents(pool) == before


async def test_what_is_anothers_looks_like_what_does_not_exist(
    as_: Any, owned_app: FastAPI
) -> None:
    """An answer that tells 'not yours' from 'not there' tells what there is."""
    client, ids = as_("stranger-trader"), owned_app.state.ids
    nothing = dict.fromkeys(ids, "999999999") | {"stream": "account:999999999", "seq": "1"}
    differs = []
    for _, path, is_ours in operations("get"):
        if is_ours:
            theirs = await client.get(filled(path, ids))
            absent = await client.get(filled(path, nothing))
            if theirs.status_code != absent.status_code:
                differs.append((path, theirs.status_code, absent.status_code))
    assert differs == []


async def test_nobody_ends_anothers_session_or_key(as_: Any, owned_app: FastAPI) -> None:
    pool = owned_app.state.parts.pool
    session = await pool.fetchval(
        "INSERT INTO sessions (user_id, token_hash, expires_at)"
        " VALUES (1, decode(repeat('ab', 32), 'hex'), now() + interval '1 hour') RETURNING id"
    )
    key = getattr(owned_app.state, "member-trader").split("_")[1]
    body = {"email": "stranger-trader@example.com", "password": PASSWORD}
    async with client_of(owned_app) as client:
        client.headers.update(world.OURS)
        assert (await client.post("/api/auth/sign-in", json=body)).status_code == 200
        assert (await client.delete(f"/api/sessions/{session}")).status_code == 404
        assert (await client.delete(f"/api/api-keys/{key}")).status_code == 404
        theirs = (await client.get("/api/sessions")).json()["items"]
        assert session not in [one["id"] for one in theirs]
        assert key not in (await client.get("/api/api-keys")).text
    assert (await as_("member-trader").get("/api/auth/me")).status_code == 200
