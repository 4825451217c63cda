"""Our books against the broker's, over HTTP: compare now, past comparisons, the connection."""

from decimal import Decimal

import httpx

from app.api.parts import Parts
from app.core.clock import now
from app.engine.comparison import Comparison, Line, Subject, Verdict
from app.repositories import audit, broker_states
from app.repositories.broker_states import BrokerReport
from tests.api.world import World, client_of, engine, key_of

FOUND = {"dry_run": False, "reports": [], "differences": [], "open_orders": 0, "positions": 0}


def state_of(account_id: int, **changes: object) -> BrokerReport:
    fields = {"account_id": account_id, "broker": "alpaca", "state": "up", "since": now()}
    return BrokerReport(**{**fields, **changes})


async def test_a_reconciliation_is_asked_of_the_engine_and_audited(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account = await world.account()
    async with engine(database_url, account, lambda _: FOUND) as running:
        answer = await admin.post(f"/api/accounts/{account}/reconcile", json={"adopt": True})
        dry = await admin.post(f"/api/accounts/{account}/reconcile", json={"dry_run": True})
    assert (answer.status_code, dry.status_code) == (200, 200)
    assert answer.json()["result"] == FOUND
    assert [one["payload"] for one in running.seen] == [
        {"dry_run": False, "adopt": True},
        {"dry_run": True, "adopt": False},
    ]
    acts = await parts.pool.fetch("SELECT action FROM audit_trail WHERE action LIKE 'account.%'")
    assert [row["action"] for row in acts] == ["account.adopt"]
    assert audit is not None


async def test_comparing_needs_no_fresh_check_and_adopting_does(
    browser: httpx.AsyncClient, parts: Parts, world: World, database_url: str
) -> None:
    account = await world.account()
    await parts.pool.execute("UPDATE sessions SET verified_at = now() - interval '6 minutes'")
    await parts.redis.flushdb()
    path = f"/api/accounts/{account}/reconcile"
    async with engine(database_url, account, lambda _: FOUND):
        for body in ({}, {"dry_run": True, "adopt": True}):
            assert (await browser.post(path, json=body)).status_code == 200
        refused = await browser.post(path, json={"adopt": True})
    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")


async def test_without_an_engine_nobody_can_be_asked(
    admin: httpx.AsyncClient, world: World
) -> None:
    account = await world.account()
    answer = await admin.post(f"/api/accounts/{account}/reconcile", json={})
    assert answer.status_code == 503
    assert (await admin.post("/api/accounts/99/reconcile", json={})).status_code == 404


async def test_past_comparisons_are_listed_newest_first(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    account, other = await world.account(), await world.account("Other")
    for number, (owner, differences) in enumerate(
        [(account, []), (account, ["MSFT: 0 held here, 7 at the broker."]), (other, [])]
    ):
        await parts.pool.execute(
            "INSERT INTO reconciliations (account_id, seq, open_orders, positions, differences, at)"
            " VALUES ($1, $2::bigint, 1, 2, $3, now() + $2::bigint * interval '1 s')",
            owner,
            number + 1,
            differences,
        )
    path = f"/api/accounts/{account}/reconciliations"
    rows = (await admin.get(path)).json()["items"]
    assert [row["differences"] for row in rows] == [["MSFT: 0 held here, 7 at the broker."], []]
    differing = (await admin.get(path, params={"differing": True})).json()["items"]
    assert [row["positions"] for row in differing] == [2]
    assert len(differing) == 1
    assert (await admin.get("/api/accounts/99/reconciliations")).status_code == 404


async def test_the_connection_to_the_broker_is_seen(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    account = await world.account()
    path = f"/api/accounts/{account}/broker"
    paper = (await admin.get(path)).json()
    assert (paper["state"], paper["is_reconciled"], paper["broker"]) == ("up", True, "paper")
    await parts.pool.execute("UPDATE accounts SET broker = 'alpaca', dataset = 'live'")
    assert (await admin.get(path)).json()["state"] == "unknown"
    await broker_states.save(parts.pool, state_of(account, is_reconciled=True, in_flight=2))
    up = (await admin.get(path)).json()
    assert (up["state"], up["is_reconciled"], up["in_flight"]) == ("up", True, 2)
    await parts.pool.execute("UPDATE broker_states SET at = now() - interval '5 min'")
    gone = (await admin.get(path)).json()
    assert (gone["state"], gone["is_reconciled"]) == ("unknown", False)
    assert "No engine" in gone["reason"]


async def test_health_and_metrics_say_how_accounts_get_on_with_their_brokers(
    admin: httpx.AsyncClient, world: World, parts: Parts, database_url: str
) -> None:
    account = await world.account()
    await parts.pool.execute("UPDATE accounts SET broker = 'alpaca', dataset = 'live'")
    report = state_of(
        account, state="down", reason="nightly restart", planned_until=now(), in_flight=1
    )
    await broker_states.save(parts.pool, report)
    async with engine(database_url, account):
        component = (await admin.get("/health")).json()["components"]["brokers"]
    assert component["status"] == "degraded"
    assert "alpaca for Simulation is down until" in component["detail"]
    told = (await admin.get("/metrics")).text
    assert "tradewright_brokers_down 1.0" in told
    assert "tradewright_orders_in_flight 1.0" in told


async def test_a_difference_is_in_the_health(
    admin: httpx.AsyncClient, world: World, parts: Parts, database_url: str
) -> None:
    account = await world.account()
    await broker_states.save(parts.pool, state_of(account, differences=("MSFT differs.",)))
    async with engine(database_url, account):
        detail = (await admin.get("/health")).json()["components"]["brokers"]["detail"]
    assert "not reconciled yet" in detail
    assert "Simulation: MSFT differs." in detail
    await parts.pool.execute("UPDATE broker_states SET at = now() - interval '5 min'")


async def test_a_key_that_may_only_read_cannot_reconcile(
    visitor: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    account = await world.account()
    person = await world.person("eve@example.org", "viewer", (account,))
    key = await key_of(parts, person, "viewer", "read")
    async with client_of(visitor._transport.app, key) as reader:  # type: ignore[attr-defined]  # the app under test
        assert (await reader.get(f"/api/accounts/{account}/broker")).status_code == 200
        answer = await reader.post(f"/api/accounts/{account}/reconcile", json={})
    assert answer.status_code == 403


async def test_both_books_are_read_side_by_side(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    account = await world.account()
    path = f"/api/accounts/{account}/comparison"
    assert (await admin.get(path)).json() == {"account_id": account, "at": None, "lines": []}
    await broker_states.save(parts.pool, state_of(account))
    line = Line(
        kind=Subject.POSITION,
        subject="MSFT",
        label="MSFT",
        ours=Decimal(0),
        theirs=Decimal("7.50"),
        verdict=Verdict.DIFFERS,
        explanation="MSFT: 0 held here, 7.5 at the broker.",
    )
    await broker_states.keep_comparison(parts.pool, account, Comparison(at=now(), lines=(line,)))
    await broker_states.save(parts.pool, state_of(account, in_flight=1))
    found = (await admin.get(path)).json()
    assert found["at"] is not None
    (shown,) = found["lines"]
    assert (shown["ours"], shown["theirs"], shown["verdict"]) == ("0", "7.5", "differs")
    assert (await admin.get("/api/accounts/99/comparison")).status_code == 404
