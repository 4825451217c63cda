"""The wire gate: closed until it knows, closed while halted, open only for what shrinks."""

from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest

from app.db.session import create_pool
from app.domain.deployments import TradingState
from app.domain.orders import Leg, Order, Side
from app.repositories import trading_state
from app.runner.gate import WireGate


@pytest.fixture
async def pool(database_url: str) -> "asyncpg.Pool":
    pool = await create_pool(database_url, max_size=1)
    await pool.execute("INSERT INTO trading_state (scope) VALUES ('account:1')")
    yield pool
    await pool.close()


def make_order(leg: Leg) -> Order:
    return Order(
        client_order_id="o1",
        ledger="d1",
        signal_id="s1",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(1),
        leg=leg,
        at=datetime(2024, 3, 1, tzinfo=UTC),
    )


def test_nothing_passes_before_the_latch_was_read() -> None:
    assert WireGate(1)(make_order(Leg.FLATTEN)) is not None


@pytest.mark.parametrize("scope", ["all", "account:1"])
async def test_a_halt_of_either_scope_lets_only_the_flatten_pass(
    pool: asyncpg.Pool, scope: str
) -> None:
    gate = WireGate(1)
    await gate.refresh(pool)
    assert gate(make_order(Leg.ENTRY)) is None
    await trading_state.latch(pool, scope, TradingState.HALTED, "stop", "ann")
    await gate.refresh(pool)
    assert "halted" in (gate(make_order(Leg.EXIT)) or "")
    assert gate(make_order(Leg.FLATTEN)) is None


async def test_reducing_lets_everything_but_entries_pass(pool: asyncpg.Pool) -> None:
    gate = WireGate(1)
    await trading_state.latch(pool, "account:1", TradingState.REDUCING, "less", "ann")
    await gate.refresh(pool)
    assert "reducing" in (gate(make_order(Leg.ENTRY)) or "")
    assert gate(make_order(Leg.STOP_LOSS)) is None


async def test_reading_the_latch_confirms_its_epoch(pool: asyncpg.Pool) -> None:
    epoch = await trading_state.latch(pool, "account:1", TradingState.HALTED, "stop", "ann")
    await WireGate(1).refresh(pool)
    assert await trading_state.unconfirmed(pool, [1]) == []
    confirmed = "SELECT confirmed_epoch FROM trading_state WHERE scope = 'account:1'"
    assert await pool.fetchval(confirmed) == epoch


HEARD = "SELECT heard_epoch = epoch FROM trading_state WHERE scope = 'account:1'"


async def test_a_stop_is_not_confirmed_while_something_may_be_on_its_way(
    pool: asyncpg.Pool,
) -> None:
    calls: list[str] = []
    gate = WireGate(1, quiet=lambda: calls.append("quiet"))
    await gate.refresh(pool)
    with gate.sending():
        pass
    assert calls == []  # nobody waits
    with gate.sending():
        await trading_state.latch(pool, "account:1", TradingState.HALTED, "stop", "ann")
        with gate.sending():
            await gate.refresh(pool)
        assert "halted" in (gate(make_order(Leg.EXIT)) or "")  # obeyed at once
        assert await trading_state.unconfirmed(pool, [1]) == [1]
        assert await pool.fetchval(HEARD)  # so that no guardian takes the gate for deaf
        assert calls == []
    assert calls == ["quiet"]
    await gate.refresh(pool)
    assert await trading_state.unconfirmed(pool, [1]) == []


async def test_an_answer_that_was_overtaken_does_not_undo_a_stop(pool: asyncpg.Pool) -> None:
    class Slow:
        """A connection whose answer arrives after the stop was latched and read."""

        async def fetch(self, sql: str) -> list[asyncpg.Record]:
            found: list[asyncpg.Record] = await pool.fetch(sql)
            await trading_state.latch(pool, "account:1", TradingState.HALTED, "stop", "ann")
            await gate.refresh(pool)
            return found

        async def execute(self, sql: str, *arguments: object) -> str:
            return str(await pool.execute(sql, *arguments))

    gate = WireGate(1)
    await gate.refresh(pool)
    await gate.refresh(Slow())
    assert "halted" in (gate(make_order(Leg.EXIT)) or "")


async def test_after_a_pause_the_first_answer_is_that_the_lease_may_have_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = [1_000.0]
    monkeypatch.setattr("app.core.clock.elapsed", lambda: at[0])
    gate = WireGate(1)
    assert gate.fence() == "the lease may have run out"  # it was never ours
    gate.own(1_008.0)
    assert gate.fence() is None
    at[0] = 1_600.0  # SIGSTOP, or the lid of the laptop: SIGCONT
    assert gate.fence() == "the lease may have run out"
