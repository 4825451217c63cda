"""The trading process: trades a replay, obeys commands and the latch, goes on where it stopped."""

import asyncio
from pathlib import Path
from typing import Any

from app import bootstrap
from app.bootstrap import Parts
from app.domain.commands import CommandKind
from app.domain.deployments import AccountMode
from app.domain.market import Timeframe
from app.repositories import (
    accounts,
    commands,
    deployments,
    fold_check,
    journal,
    leases,
    trading_state,
)
from app.repositories.accounts import AccountSettings
from tests.core_process import REPLAY_OVER
from tests.runner.conftest import CASH, answered, trading, until

HOLDS = "SELECT EXISTS (SELECT FROM positions WHERE quantity <> 0)"


async def ask(parts: Parts, kind: CommandKind, **payload: Any) -> dict[str, Any]:
    return await answered(parts, await commands.submit(parts.pool, 1, kind, payload, "ann"))


async def count(parts: Parts, table: str) -> int:
    return int(await parts.pool.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_replay_is_traded_and_everything_adds_up(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    assert await count(parts, "trades") > 1
    assert await count(parts, "indicators") > 100
    assert await parts.pool.fetchval("SELECT name FROM accounts") == "Replay waves"
    assert await parts.pool.fetchval("SELECT dataset FROM accounts") == "replay:waves"
    assert await journal.verify(parts.pool, "account:1", parts.journal_key) > 120
    assert await fold_check.differences(parts.pool, 1) == []
    assert not await leases.is_held(parts.pool, 1)


async def test_a_second_start_continues_from_the_checkpoint(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    before = await count(parts, "trading_events WHERE event_type = 'slice_closed'")
    async with trading(parts):
        await until(parts, "SELECT count(*) = 2 FROM reconciliations")
    assert await count(parts, "trading_events WHERE event_type = 'slice_closed'") == before
    assert await count(parts, "accounts") == 1
    assert await parts.pool.fetchval("SELECT max(epoch) FROM leases") == 2
    assert await fold_check.differences(parts.pool, 1) == []


async def test_commands_are_answered_even_when_the_feed_is_over(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        paused = await ask(parts, CommandKind.DEPLOYMENT_PAUSE, deployment_id=1, reason="lunch")
        refused = await ask(parts, CommandKind.ORDER_CANCEL, client_order_id="nobody")
    assert (paused["status"], paused["result"]["state"]) == ("completed", "paused")
    assert refused["status"] == "failed"
    assert await parts.pool.fetchval("SELECT state FROM deployments") == "paused"


async def test_a_deployment_on_a_longer_timeframe_of_a_symbol_that_is_fed_gets_its_bars(
    parts: Parts,
) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        strategy = await parts.pool.fetchval("SELECT strategy_id FROM deployments WHERE id = 1")
        wish = {"parameters": {}, "symbols": ["AAPL"], "capital": None}
        number = await deployments.add(
            parts.pool, account_id=1, strategy_id=strategy, name="Five",
            timeframe=Timeframe.M5, created_by=None, **wish,
        )  # fmt: skip
        wish |= {"deployment_id": number, "strategy": "sma_cross", "timeframe": "5m"}
        deployed = await ask(parts, CommandKind.DEPLOYMENT_START, **wish)
        assert deployed["status"] == "completed", deployed
        follows = "SELECT count(*) = 2 FROM trading_events WHERE event_type = 'feed_connected'"
        await until(parts, follows)


async def test_what_was_asked_while_nobody_was_there_is_done_at_the_next_start(
    parts: Parts,
) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    command_id = await commands.submit(
        parts.pool, 1, CommandKind.TRADING_REDUCE, {"reason": "night"}, "ann"
    )
    async with trading(parts):
        assert (await answered(parts, command_id))["status"] == "completed"
    assert await parts.pool.fetchval(
        "SELECT state FROM trading_state WHERE scope = 'account:1'"
    ) == ("reducing")


async def test_the_wire_gate_confirms_the_emergency_stop_and_survives_a_restart(
    parts: Parts,
) -> None:
    confirmed = "SELECT bool_and(confirmed_epoch = epoch) FROM trading_state WHERE scope <> 'all'"
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        await trading_state.latch(parts.pool, "account:1", "halted", "stop", "ann")
        await until(parts, confirmed)
    async with trading(parts):
        order = {"symbol": "AAPL", "side": "buy", "quantity": "1", "type": "market"}
        placed = await ask(parts, CommandKind.ORDER_PLACE, **order)
    assert placed["result"] is not None
    assert await count(parts, "orders WHERE ledger = 'manual' AND status = 'accepted'") == 0


async def test_limits_changed_in_the_database_reach_the_engine_as_a_command(parts: Parts) -> None:
    await parts.pool.execute(
        "INSERT INTO system_config (scope, key, value) VALUES ('account:1', 'max_position_size',"
        " '\"0.01\"')"
    )
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    changed = "SELECT payload -> 'limits' ->> 'max_position_size' FROM trading_events"
    assert await parts.pool.fetchval(f"{changed} WHERE event_type = 'limits_changed'") == "0.01"
    worth = "SELECT max(quantity * average_price) FROM orders WHERE leg = 'entry'"
    assert await parts.pool.fetchval(worth) < CASH * 2 / 100
    async with trading(parts):
        await until(parts, "SELECT count(*) = 2 FROM reconciliations")
    assert await count(parts, "trading_events WHERE event_type = 'limits_changed'") == 1


async def test_other_decisions_than_journaled_mean_reduce_only_and_an_alert(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    await parts.pool.execute("DELETE FROM engine_checkpoints")
    await parts.pool.execute("UPDATE accounts SET starting_cash = 10000")
    async with trading(parts):
        await until(parts, "SELECT EXISTS (SELECT FROM alerts)")
        reducing = "SELECT state = 'reducing' FROM trading_state WHERE scope = 'account:1'"
        await until(parts, reducing)
    alert = await parts.pool.fetchrow("SELECT severity, detail FROM alerts")
    assert alert["severity"] == "critical"
    assert "input" in alert["detail"]
    told = "trading_events WHERE stream = 'system' AND event_type = 'alert_raised'"
    assert await count(parts, told) == 1


async def test_an_account_that_cannot_run_does_not_stop_the_others(parts: Parts) -> None:
    async with parts.pool.acquire() as db, db.transaction():
        await accounts.add(
            db,
            name="Broken",
            dataset="simulated",
            cash=CASH,
            settings=AccountSettings(),
            broker="nobody",
        )
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        await until(parts, "SELECT EXISTS (SELECT FROM alerts)")
    assert "Broken" in await parts.pool.fetchval("SELECT title FROM alerts")
    assert await count(parts, "trades") > 1


async def test_real_money_that_may_not_connect_is_told_with_what_lies_there(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        async with parts.pool.acquire() as db, db.transaction():
            number = await accounts.add(
                db, name="Real", dataset="live", cash=CASH,
                settings=AccountSettings(feeds=("alpaca",)), broker="alpaca",
                mode=AccountMode.LIVE,
            )  # fmt: skip
            await db.execute(
                "INSERT INTO positions (account_id, ledger, instrument_id, stock_id, quantity,"
                " average_price, commission, opened_at)"
                " SELECT $1, 'manual', id, id, 5, 100, 0, now() FROM instruments LIMIT 1",
                number,
            )
        await until(parts, "SELECT EXISTS (SELECT FROM alerts)")
    alert = await parts.pool.fetchrow("SELECT title, detail, severity FROM alerts")
    assert alert["severity"] == "critical"
    assert "Real cannot connect (0 open orders, 1 positions)" in alert["title"]
    assert "TRADEWRIGHT_LIVE_TRADING=true" in alert["detail"]


BROKEN_STRATEGY = """
from dataclasses import dataclass

from tradewright import Columns, Strategy


@dataclass
class Broken(Strategy):
    length: int = 10

    @property
    def lookback(self) -> int:
        return 100 // (self.length - 7)

    def prepare(self, bars: Columns) -> Columns:
        return {}
"""


async def test_a_command_that_breaks_the_engine_does_not_hold_up_the_halt_behind_it(
    configured: None, tmp_path: Path
) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "broken.py").write_text(BROKEN_STRATEGY)
    wish = {
        "deployment_id": 99,
        "strategy": "broken",
        "parameters": {"length": 7},
        "symbols": ["AAPL"],
        "timeframe": "1m",
        "capital": None,
    }
    async with bootstrap.parts() as parts, trading(parts):
        await until(parts, REPLAY_OVER)
        first = await commands.submit(parts.pool, 1, CommandKind.DEPLOYMENT_START, wish, "ada")
        halt = {"reason": "enough", "flatten": False}
        second = await commands.submit(parts.pool, 1, CommandKind.TRADING_HALT, halt, "ada")
        broken, halted = await answered(parts, first), await answered(parts, second)
    assert (broken["status"], broken["result"]["code"]) == ("failed", "internal_error")
    assert "ZeroDivisionError" in broken["result"]["detail"]
    assert halted["result"]["trading_state"] == "halted"


async def test_a_new_account_is_picked_up(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        async with parts.pool.acquire() as db, db.transaction():
            await accounts.add(
                db, name="Second", dataset="simulated", cash=CASH, settings=AccountSettings()
            )
        await until(parts, "SELECT EXISTS (SELECT FROM reconciliations WHERE account_id = 2)")
        await parts.pool.execute("UPDATE accounts SET active = false WHERE id = 2")
        await parts.pool.execute("SELECT pg_notify('accounts', '2')")
        await until(parts, "SELECT holder IS NULL FROM leases WHERE resource = 'account:2'")


async def test_a_second_process_waits_and_takes_over(parts: Parts) -> None:
    async with trading(parts) as first:
        await until(parts, REPLAY_OVER)
        async with trading(parts):
            await asyncio.sleep(0)
            first.stop()
            await until(parts, "SELECT epoch = 2 AND holder IS NOT NULL FROM leases")


async def test_an_engine_whose_lease_was_taken_stops_and_begins_anew(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        await parts.pool.execute("UPDATE journal_streams SET epoch = 7 WHERE stream = 'account:1'")
        await parts.pool.execute("UPDATE leases SET epoch = 7 WHERE resource = 'account:1'")
        await commands.submit(parts.pool, 1, CommandKind.TRADING_REDUCE, {}, "ann")
        await until(parts, "SELECT epoch = 8 FROM leases")
        await until(parts, "SELECT status = 'completed' FROM commands ORDER BY id DESC LIMIT 1")
    assert await fold_check.differences(parts.pool, 1) == []
