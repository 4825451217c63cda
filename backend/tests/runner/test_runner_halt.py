"""The emergency stop of the whole system, at a real broker, while orders are on their way."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from app.bootstrap import Parts
from app.console.connection import Connected, connected
from app.core.clock import system
from app.core.errors import BrokerUnavailable
from app.db.halt_file import HaltFile, halt_now
from app.domain.commands import CommandKind
from app.domain.events import BrokerReport
from app.domain.orders import Order
from app.repositories import commands, fold_check, trading_state
from app.repositories.journal import SharedJournal
from app.services.trading import Trading
from tests.runner.conftest import trading, until
from tests.runner.test_runner_brokers import (
    READY,
    place,
    real_account,
    vendor,
    venue,
)
from tests.vendors.twelve_data import TwelveDataLoopback
from tests.venue import Venue, VenueBroker
from tests.waiting import until as eventually

__all__ = ["vendor", "venue"]  # fixtures
RESTS = "SELECT EXISTS (SELECT FROM orders WHERE status = 'accepted' AND ledger = 'manual')"
NONE_OPEN = """
SELECT NOT EXISTS (SELECT FROM orders WHERE ledger = 'manual'
  AND status IN ('approved', 'submitted', 'accepted', 'unknown', 'partially_filled'))
"""


@pytest.fixture
async def at(parts: Parts) -> AsyncIterator[Connected]:
    async with connected() as found:
        yield found


def controls(at: Connected) -> Trading:
    journal = SharedJournal(at.pool, at.journal_key)
    return Trading(at.pool, at.desk, at.notices, journal, at.audit_key, system)


async def test_halt_versus_retry(
    parts: Parts,
    at: Connected,
    vendor: TwelveDataLoopback,
    venue: Venue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A busy broker makes the wire try again; once the stop is acknowledged, it does not."""
    tries: list[str] = []

    async def busy(self: VenueBroker, order: Order, at: datetime) -> Sequence[BrokerReport]:
        tries.append(order.client_order_id)
        raise BrokerUnavailable("429", api_name="venue")

    monkeypatch.setattr(VenueBroker, "submit", busy)
    account_id = await real_account(parts)
    async with trading(parts):
        await until(parts, READY, account_id)
        await place(parts, account_id, type="limit", limit_price="99")

        async def tried_again() -> bool:
            return len(tries) >= 2

        await eventually(tried_again, 60)
        control = await controls(at).emergency_stop(at.caller, "stop", None, flatten=False)
        assert control.unconfirmed == []
        count = len(tries)
        await until(parts, NONE_OPEN)
        assert len(tries) == count
    assert venue.exchange.tickets == []
    async with trading(parts):  # it survives the restart, and nothing is tried again
        await until(parts, READY, account_id)
        placed = await place(parts, account_id, type="limit", limit_price="99")
        assert placed["status"] == "failed"
    assert len(tries) == count
    assert await fold_check.differences(parts.pool, account_id) == []


async def test_the_guardians_file_holds_the_wire_until_the_books_were_compared(
    parts: Parts,
    tmp_path: Path,
    vendor: TwelveDataLoopback,
    venue: Venue,
) -> None:
    account_id = await real_account(parts)
    file = HaltFile(tmp_path, account_id)
    halted = "SELECT state = 'halted' FROM trading_state WHERE scope = $1"
    async with trading(parts):
        await until(parts, READY, account_id)
        await place(parts, account_id, type="limit", limit_price="90")
        await until(parts, RESTS)
        halt_now(file, "somebody said so")
        await commands.submit(
            parts.pool, account_id, CommandKind.RECONCILE, {"dry_run": True}, "ann"
        )
        await until(parts, halted, f"account:{account_id}")
        await until(parts, NONE_OPEN)
        assert not file.is_there()
    (ticket,) = venue.exchange.tickets
    assert not ticket.is_open
    reasons = [row["reason"] for row in await trading_state.states(parts.pool)]
    assert "guardian: somebody said so" in reasons
    assert await fold_check.differences(parts.pool, account_id) == []
