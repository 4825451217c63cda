"""An account at a real broker in the trading process: link, books, orders, and what others do."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import Parts
from app.console import drill
from app.core import clock
from app.core.clock import now
from app.core.drills import Drill
from app.core.errors import FeedRefused
from app.domain.commands import CommandKind
from app.engine.reconciliation import Policy
from app.repositories import accounts, broker_states, commands, fold_check, journal
from app.repositories.accounts import AccountSettings
from tests import venue as venues
from tests.runner.conftest import answered, trading, until
from tests.vendors.twelve_data import TwelveDataLoopback
from tests.venue import Venue

D = Decimal
READY = (
    "SELECT EXISTS (SELECT FROM broker_states WHERE account_id = $1"
    " AND (report ->> 'is_reconciled')::bool)"
)
SIDE_BY_SIDE = (
    "SELECT EXISTS (SELECT FROM broker_states, jsonb_array_elements(comparison -> 'lines') l"
    " WHERE account_id = $1 AND l ->> 'subject' = $2 AND l ->> 'verdict' = $3)"
)
OURS = "SELECT EXISTS (SELECT FROM orders WHERE status = $1 AND ledger = 'manual')"
"The replay's account has orders too."


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Venue:
    folder = tmp_path / "packages"
    folder.mkdir()
    venues.install(folder, monkeypatch)
    made = venues.VENUES["v"] = Venue(clock.system, D(50_000))
    made.print("AAPL", 100)
    made.hold("AAPL", 10, 100)  # so that the account knows a price of it at once
    return made


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwelveDataLoopback]:
    async with TwelveDataLoopback() as loopback:
        for name, value in loopback.variables.items():
            monkeypatch.setenv(name, value)
        loopback.know("AAPL")
        yield loopback


async def real_account(parts: Parts, policy: Policy | None = None, **given: Any) -> int:
    """At the venue, on an exchange that never closes."""
    settings = AccountSettings(
        feeds=("twelve_data",),
        symbols=("AAPL",),
        exchange="24/7",
        start=now() - timedelta(minutes=1),
        broker={"venue": "v"},
        reconciliation=policy or Policy(),
    )
    async with parts.pool.acquire() as db, db.transaction():
        return await accounts.add(
            db, name="Real", dataset="live", cash=D(0), settings=settings, broker="venue", **given
        )


async def ask(parts: Parts, account_id: int, kind: CommandKind, **payload: Any) -> dict[str, Any]:
    return await answered(
        parts, await commands.submit(parts.pool, account_id, kind, payload, "ann")
    )


async def place(parts: Parts, account_id: int, **terms: Any) -> dict[str, Any]:
    order = {"symbol": "AAPL", "side": "buy", "quantity": "5", "type": "market", **terms}
    return await ask(parts, account_id, CommandKind.ORDER_PLACE, **order)


async def told(parts: Parts, stream: str, event_type: str) -> list[dict[str, Any]]:
    rows = await parts.pool.fetch(
        "SELECT payload FROM trading_events WHERE stream = $1 AND event_type = $2 ORDER BY seq",
        stream,
        event_type,
    )
    return [json.loads(row["payload"]) for row in rows]


async def assert_sound(parts: Parts, account_id: int, venue: Venue) -> None:
    """Journal, tables and venue say the same."""
    assert await journal.verify(parts.pool, f"account:{account_id}", parts.journal_key) > 0
    assert await fold_check.differences(parts.pool, account_id) == []
    rows = await parts.pool.fetch(
        "SELECT i.symbol, sum(p.quantity) AS quantity FROM positions p JOIN instruments i"
        " ON i.id = p.instrument_id WHERE p.account_id = $1 GROUP BY 1",
        account_id,
    )
    held = {row["symbol"]: row["quantity"] for row in rows if row["quantity"]}
    assert held == {s: q for s, q in venue.exchange.positions.items() if q}
    cash = await parts.pool.fetchval("SELECT cash FROM accounts WHERE id = $1", account_id)
    assert cash == venue.exchange.cash


async def test_an_account_that_has_cash_positions_and_orders_becomes_ours(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    venue.hold("MSFT", 7, 300)
    venue.hold("AAPL261218C00250000", 2, 4)
    venue.by_hand("buy", 5, limit=90)
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
    account = await accounts.get(parts.pool, account_id)
    assert account.starting_cash == 50_000
    held = await parts.pool.fetch(
        "SELECT i.symbol, i.kind, p.ledger, p.quantity, p.average_price FROM positions p"
        " JOIN instruments i ON i.id = p.instrument_id WHERE account_id = $1 ORDER BY 1",
        account_id,
    )
    assert [tuple(row) for row in held] == [
        ("AAPL", "stock", "external", 10, 100),
        ("AAPL261218C00250000", "option", "external", 2, 4),
        ("MSFT", "stock", "external", 7, 300),
    ]
    order = await parts.pool.fetchrow("SELECT ledger, status, quantity FROM orders")
    assert tuple(order) == ("external", "accepted", 5)
    states = "SELECT state FROM trading_state WHERE scope = $1"
    assert await parts.pool.fetchval(states, f"account:{account_id}") == "active"
    assert await parts.pool.fetchval("SELECT count(*) FROM alerts") == 0
    await assert_sound(parts, account_id, venue)


async def test_an_order_goes_to_the_broker_and_its_fill_comes_back(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
        placed = await place(parts, account_id, type="limit", limit_price="99")
        assert placed["status"] == "completed", placed
        await until(
            parts,
            "SELECT EXISTS (SELECT FROM orders WHERE status = 'accepted' AND ledger = 'manual')",
        )
        venue.print("AAPL", 98)
        await until(
            parts,
            "SELECT EXISTS (SELECT FROM orders WHERE status = 'filled' AND ledger = 'manual')",
        )
    assert venue.exchange.positions["AAPL"] == 15
    await assert_sound(parts, account_id, venue)


async def test_nothing_is_sent_before_the_books_were_compared(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    """P10: no trading before reconciliation. Commands are answered meanwhile."""
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
    venue.requests.clear()
    venue.faults.book_fails = TimeoutError("slow")
    async with trading(parts):
        placed = await place(parts, account_id, type="limit", limit_price="90")
        assert placed["status"] == "completed"
        await until(parts, "SELECT (report ->> 'failures')::int > 0 FROM broker_states")
        assert [kind for kind, _ in venue.requests if kind == "submit"] == []
        venue.faults.book_fails = None
        await until(
            parts,
            "SELECT EXISTS (SELECT FROM orders WHERE status = 'accepted' AND ledger = 'manual')",
        )
    kinds = [kind for kind, _ in venue.requests]
    assert kinds.index("book") < kinds.index("submit")


async def test_fills_during_an_outage_are_recovered_and_the_outage_is_told(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
        await place(parts, account_id, type="limit", limit_price="99")
        await until(
            parts,
            "SELECT EXISTS (SELECT FROM orders WHERE status = 'accepted' AND ledger = 'manual')",
        )
        venue.disconnect("cable cut")
        await until(parts, "SELECT state = 'down' FROM broker_states")
        venue.print("AAPL", 98)
        venue.connect()
        await until(
            parts,
            "SELECT EXISTS (SELECT FROM orders WHERE status = 'filled' AND ledger = 'manual')",
        )
        await until(parts, READY, account_id)
    (lost,) = await told(parts, "system", "broker_disconnected")
    assert (lost["broker"], lost["reason"]) == ("venue (Real)", "cable cut")
    assert len(await told(parts, "system", "broker_connected")) >= 2
    await assert_sound(parts, account_id, venue)


async def test_a_planned_outage_wakes_nobody_and_another_does(
    parts: Parts,
    vendor: TwelveDataLoopback,
    venue: Venue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.runner.brokerage.PATIENCE", timedelta(0))
    account_id = await real_account(parts)
    alert = "SELECT count(*) = $1 FROM alerts WHERE resolved_at IS NULL"
    async with trading(parts):
        await until(parts, READY, account_id)
        venue.disconnect("nightly restart", now() + timedelta(hours=1))
        await until(parts, "SELECT planned_until IS NOT NULL FROM broker_states")
        assert await parts.pool.fetchval(alert, 0)
        venue.connect()
        await until(parts, READY, account_id)
        venue.disconnect("gone")
        await until(parts, alert, 1)
        assert "venue" in await parts.pool.fetchval("SELECT title FROM alerts")
        venue.connect()
        await until(parts, alert, 0)


async def test_shares_that_nothing_explains_mean_reduce_only_until_a_person_adopts_them(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
        venue.hold("MSFT", 7, 300)
        dry = await ask(parts, account_id, CommandKind.RECONCILE, dry_run=True)
        assert [one["kind"] for one in dry["result"]["differences"]] == ["position"]
        state = "SELECT state FROM trading_state WHERE scope = $1"
        scope = f"account:{account_id}"
        assert await parts.pool.fetchval(state, scope) == "active"
        found = await ask(parts, account_id, CommandKind.RECONCILE)
        assert [one["subject"] for one in found["result"]["differences"]] == ["MSFT"]
        assert await parts.pool.fetchval(state, scope) == "reducing"
        await until(parts, "SELECT EXISTS (SELECT FROM alerts WHERE resolved_at IS NULL)")
        (difference,) = await told(parts, scope, "reconciliation_difference")
        assert (difference["ours"], difference["theirs"]) == ("0", "7")
        await until(parts, SIDE_BY_SIDE, account_id, "MSFT", "differs")
        adopted = await ask(parts, account_id, CommandKind.RECONCILE, adopt=True)
        assert adopted["result"]["reports"] == ["7 MSFT are held at the broker."]
        assert adopted["result"]["differences"] == []
        await until(parts, SIDE_BY_SIDE, account_id, "MSFT", "equal")
        assert await parts.pool.fetchval(state, scope) == "reducing"
        await until(parts, "SELECT bool_and(resolved_at IS NOT NULL) FROM alerts"
                    " WHERE key LIKE 'reconciliation:%'")  # fmt: skip
    await assert_sound(parts, account_id, venue)


async def test_what_somebody_else_trades_is_adopted_with_an_alert(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
        venue.by_hand("buy", 3)
        venue.by_hand("buy", 2, limit=90)
        found = await ask(parts, account_id, CommandKind.RECONCILE)
        assert found["result"]["differences"] == []
        await until(parts, "SELECT EXISTS (SELECT FROM alerts WHERE key LIKE 'external:%')")
    assert await parts.pool.fetchval("SELECT count(*) FROM orders WHERE ledger = 'external'") == 1
    await assert_sound(parts, account_id, venue)


async def test_a_reconciliation_that_the_broker_cannot_answer_says_so(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
        venue.faults.book_fails = TimeoutError("slow")
        found = await ask(parts, account_id, CommandKind.RECONCILE)
        assert (found["status"], found["result"]["detail"]) == ("failed", "slow")


async def test_a_paper_account_reconciles_with_itself(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, "SELECT EXISTS (SELECT FROM reconciliations)")
        found = await ask(parts, 1, CommandKind.RECONCILE)
    assert (found["status"], found["result"]["differences"]) == ("completed", [])


async def test_the_state_of_the_broker_is_there_for_others(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
        (row,) = await broker_states.listed(parts.pool)
    assert (row["account"], row["broker"], row["state"], row["mode"]) == (
        "Real",
        "venue",
        "up",
        "paper",
    )
    assert row["looked_at"] is not None
    assert row["report"]["differences"] == []
    assert await broker_states.listed(parts.pool, [account_id + 1]) == []


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_broker_that_refuses_our_key_is_told_and_asked_again(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue, is_known: bool
) -> None:
    account_id = await real_account(parts)
    if is_known:
        async with trading(parts):
            await until(parts, READY, account_id)
    venue.faults.link_fails = FeedRefused("the key is wrong", api_name="venue")
    async with trading(parts):
        await until(parts, "SELECT state = 'refused' FROM broker_states")
        await until(parts, "SELECT EXISTS (SELECT FROM alerts)")
        venue.faults.link_fails = None
        await until(parts, READY, account_id)
    assert "the key is wrong" in await parts.pool.fetchval("SELECT detail FROM alerts")


async def test_a_first_book_that_cannot_be_read_is_waited_for(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    venue.faults.book_fails = TimeoutError("slow")
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, "SELECT (report ->> 'failures')::int > 1 FROM broker_states")
        venue.faults.book_fails = None
        await until(parts, READY, account_id)
    assert (await accounts.get(parts.pool, account_id)).starting_cash == 50_000


async def test_an_account_whose_broker_nobody_knows_says_the_nearest(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    settings = AccountSettings(feeds=("twelve_data",), broker={"venue": "v"})
    async with parts.pool.acquire() as db, db.transaction():
        await accounts.add(
            db, name="Wrong", dataset="live", cash=D(0), settings=settings, broker="vennue"
        )
    async with trading(parts):
        await until(parts, "SELECT EXISTS (SELECT FROM alerts)")
    assert "Did you mean venue?" in await parts.pool.fetchval("SELECT detail FROM alerts")


async def test_a_drilled_gateway_restart_loses_and_doubles_nothing(
    parts: Parts,
    vendor: TwelveDataLoopback,
    venue: Venue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", parts.url)
    account_id = await real_account(parts)
    await parts.pool.execute(
        "UPDATE accounts SET settings = jsonb_set(settings, '{broker,drills}', 'true')"
        " WHERE id = $1",
        account_id,
    )
    async with trading(parts):
        await until(parts, READY, account_id)
        await place(parts, account_id, type="limit", limit_price="101")
        await until(parts, OURS, "filled")
        found = await drill.drilled(Drill.GATEWAY_RESTART, "Real", 3.0)
    assert found.is_sound
    assert found.seconds_to_detect is not None
    assert found.fills_before == found.fills_after == 1
    await assert_sound(parts, account_id, venue)
