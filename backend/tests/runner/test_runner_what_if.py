"""What other limits would have done to a traded replay, and why something was not traded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.bootstrap import Parts
from app.core.errors import InvalidInput, NotFound
from app.domain.commands import CommandKind
from app.domain.market import Timeframe
from app.domain.users import SCOPES, Caller, Role
from app.repositories import accounts, commands, deployments
from app.risk.what_if import Supposed
from app.runner.what_if import Replay, WhatIf
from app.services.explanations import Explanations
from tests.core_process import REPLAY_OVER
from tests.runner.conftest import answered, trading, until

DAY = datetime(2024, 3, 1, tzinfo=UTC)
ANN = Caller(
    user_id=1,
    email="ann@example.com",
    name="Ann",
    role=Role.ADMIN,
    scopes=SCOPES[Role.ADMIN],
    via="session",
    credential="s",
)


async def suppose(parts: Parts, scope: str = "account", hours: int = 24, **limits: Any) -> WhatIf:
    account = await accounts.get(parts.pool, 1)
    supposed = Supposed(limits, scope)
    end = DAY + timedelta(hours=hours)
    return await Replay(parts.pool, account, parts.catalogue, supposed, DAY, end).run()


async def explain(parts: Parts, symbol: str, at: str) -> dict[str, Any]:
    hour, minute = map(int, at.split(":"))
    instant = DAY.replace(hour=hour, minute=minute)
    return await Explanations(parts.pool).explain(ANN, symbol, instant, 1)


async def test_other_limits_are_asked_about_a_traded_day(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    made = await parts.pool.fetchval("SELECT count(*) FROM orders WHERE leg = 'entry'")

    same = await suppose(parts, max_position_size="0.05")
    assert len(same.answers) == made
    assert not any(one.differs for one in same.answers)
    assert (same.divergence, same.unlike) == (None, None)

    tight = await suppose(parts, max_position_size="0.02")
    assert all(one.code == "position_limit" and one.differs for one in tight.answers)
    assert tight.divergence is not None
    assert tight.divergence.was.startswith("target set")

    none = await suppose(parts, "symbol:SPY", trade_extended_hours=False, max_daily_notional="1")
    assert {one.symbol for one in none.answers if one.differs} == {"SPY"}
    assert none.divergence is not None
    assert "order denied" in none.divergence.would_be

    early = await suppose(parts, hours=15, max_position_size="0.02")
    assert len(early.answers) == 2
    with pytest.raises(InvalidInput, match="ends before"):
        await suppose(parts, hours=0, max_position_size="0.02")

    await parts.pool.execute("DELETE FROM engine_checkpoints")
    await parts.pool.execute("UPDATE accounts SET starting_cash = 50000")
    unlike = await suppose(parts, max_position_size="0.02")
    assert unlike.unlike is not None
    assert "does not decide as is journaled" in unlike.notes[-1]


async def test_why_there_was_no_trade_is_answered_from_what_is_stored(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        for kind, payload in (
            (CommandKind.LIMITS_CHANGE, {"limits": {"restricted_symbols": ["SPY"]}}),
            (CommandKind.ORDER_PLACE, {"symbol": "SPY", "side": "buy", "quantity": "1"}),
            (CommandKind.TRADING_REDUCE, {"reason": "lunch"}),
            (CommandKind.DEPLOYMENT_PAUSE, {"deployment_id": 1, "reason": "tired"}),
        ):
            await answered(parts, await commands.submit(parts.pool, 1, kind, payload, "ann"))

    raised = await explain(parts, "AAPL", "15:00")
    (decider,) = raised["deployments"]
    assert raised["bar"]["close"] == pytest.approx(103.32)
    assert decider["indicator_values"].keys() == {"fast", "slow"}
    assert decider["sizing"]["target_quantity"] == "48"
    assert {check["rule"] for check in decider["checks"]} >= {"position_limit", "stale_price"}
    assert decider["order"]["status"] == "filled"
    assert len(decider["executions"]) == 1
    assert "wanted an exposure of +1 at 103.32" in decider["why"]
    assert "buy 48 is filled." in decider["why"]

    quiet = await explain(parts, "aapl", "15:02")
    (decider,) = quiet["deployments"]
    assert decider["is_earlier"]
    assert decider["held"] == "48"
    assert "had no new opinion" in decider["why"]

    early = await explain(parts, "AAPL", "14:35")
    assert "warming up" in early["answer"][-1]
    assert "was paused" not in early["answer"][-1]

    with pytest.raises(NotFound):
        await explain(parts, "AAPL", "14:30")
    nobody = await explain(parts, "TSLA", "15:00")
    assert nobody["answer"][-1] == "Nothing of this account trades TSLA."
    assert "no stock TSLA" in nobody["missing"]

    by_hand = await explain(parts, "SPY", "16:30")
    assert by_hand["trading_state"] == "active"
    manual = by_hand["deployments"][-1]
    assert manual["ledger"] == "manual"
    assert manual["denial"]["code"] == "symbol_restricted"
    assert "Denied at 16:30" in manual["why"]
    late = await explain(parts, "SPY", "19:00")
    assert "got no bars after 2024-03-01 16:30 UTC" in late["answer"][0]


async def test_strategies_that_start_later_and_commands_that_fail_are_replayed(
    parts: Parts,
) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        strategy = await parts.pool.fetchval("SELECT strategy_id FROM deployments WHERE id = 1")
        number = await deployments.add(
            parts.pool, account_id=1, strategy_id=strategy, name="Five", created_by=None,
            timeframe=Timeframe.M5, parameters={}, symbols=["AAPL"], capital=None,
        )  # fmt: skip
        wish = {"deployment_id": number, "strategy": "sma_cross", "timeframe": "5m"}
        for payload in ({**wish, "symbols": ["AAPL"]}, wish):
            kind = CommandKind.DEPLOYMENT_START
            await answered(parts, await commands.submit(parts.pool, 1, kind, payload, "ann"))
    await parts.pool.execute("DELETE FROM engine_checkpoints WHERE seq < 100")
    found = await suppose(parts, max_position_size="0.05")
    assert (found.divergence, found.unlike) == (None, None)


async def test_an_explanation_tells_states_and_missing_bars(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    explanations = Explanations(parts.pool)
    with pytest.raises(InvalidInput):
        await explanations.explain(ANN, "AAPL", DAY, 9)
    only = await explanations.explain(ANN, "AAPL", DAY.replace(hour=16), None)
    assert only["account_id"] == 1
