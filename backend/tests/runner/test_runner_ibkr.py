"""An account at Interactive Brokers in the trading process: prices and orders over one Gateway."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from app.bootstrap import Parts
from app.core.clock import now
from app.repositories import accounts, fold_check, journal
from app.repositories.accounts import AccountSettings
from tests.runner.conftest import trading, until
from tests.runner.test_runner_brokers import READY, place, told
from tests.vendors.ibkr import IbkrLoopback

TOLD_TWICE = """
SELECT payload -> 'execution' ->> 'execution_id' FROM trading_events
WHERE event_type = 'order_filled' GROUP BY 1 HAVING count(*) > 1"""
STATUS = "SELECT EXISTS (SELECT FROM orders WHERE status = $1 AND account_id = $2)"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[IbkrLoopback]:
    async with IbkrLoopback() as made:
        for name, value in made.variables.items():
            monkeypatch.setenv(name, value)
        made.orders.exchange.fee = Decimal("0.35")
        made.orders.exchange.cash = Decimal(50_000)
        held = made.orders.by_hand("AAPL", "buy", 10)
        made.orders.exchange.print("AAPL", 100)
        assert held.state == "filled"
        yield made


async def account_at(parts: Parts) -> int:
    """On paper, by the Gateway's own prices, on an exchange that never closes."""
    settings = AccountSettings(
        feeds=("ibkr",), symbols=("AAPL",), exchange="24/7", start=now() - timedelta(minutes=1)
    )
    async with parts.pool.acquire() as db, db.transaction():
        return await accounts.add(
            db, name="IBKR", dataset="live", cash=Decimal(0), settings=settings, broker="ibkr"
        )


async def assert_sound(parts: Parts, account_id: int, server: IbkrLoopback) -> None:
    """Journal, tables and the Gateway say the same."""
    market = server.orders.exchange
    assert await journal.verify(parts.pool, f"account:{account_id}", parts.journal_key) > 0
    assert await fold_check.differences(parts.pool, account_id) == []
    held = await parts.pool.fetchval(
        "SELECT sum(quantity) FROM positions WHERE account_id = $1", account_id
    )
    cash = await parts.pool.fetchval("SELECT cash FROM accounts WHERE id = $1", account_id)
    assert [held, cash] == [market.positions["AAPL"], market.cash]
    references = [ticket.reference for ticket in market.tickets if ticket.reference]
    assert len(references) == len(set(references))


async def test_orders_go_to_the_gateway_and_survive_its_restart_and_ours(
    parts: Parts, server: IbkrLoopback
) -> None:
    account_id = await account_at(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
        placed = await place(parts, account_id, type="limit", limit_price="99")
        assert placed["status"] == "completed", placed
        await until(parts, STATUS, "accepted", account_id)
        await server.restart(next_order_id=1)
        server.orders.exchange.print("AAPL", 98, size=2)
        await until(parts, STATUS, "partially_filled", account_id)
    server.orders.exchange.print("AAPL", 97)
    async with trading(parts):
        await until(parts, STATUS, "filled", account_id)
        await until(parts, READY, account_id)
    assert server.orders.exchange.positions["AAPL"] == 15
    assert await told(parts, "system", "broker_connected")
    assert await parts.pool.fetch(TOLD_TWICE) == []  # though the Gateway lists its whole day again
    await assert_sound(parts, account_id, server)
