"""Each session of each ledger and account: what it made, its return, and how far it fell."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from app.core.errors import InvalidInput
from app.jobs import daily_performance as job
from app.jobs.registry import JobContext
from tests.api.world import World

OPEN = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)
CLOSES = [datetime(2024, 3, 1, 21, tzinfo=UTC), datetime(2024, 3, 4, 21, tzinfo=UTC)]


@pytest.fixture
def world(pool: asyncpg.Pool) -> World:
    return World(pool)


async def close_session(pool: asyncpg.Pool, account: int, seq: int, at: datetime) -> None:
    await pool.execute(
        "INSERT INTO trading_events (stream, seq, event_type, occurred_at, payload, hash)"
        " VALUES ('account:' || $1::bigint, $2, 'session_closed', $3, $4, $5)",
        account,
        seq,
        at,
        f'{{"type":"session_closed","session":"{at.date()}","at":"{at.isoformat()}"}}',
        b"h" * 32,
    )


async def trade(pool: asyncpg.Pool, account: int, at: datetime, pnl: int) -> None:
    await pool.execute(
        """
        INSERT INTO trades (account_id, trade_id, ledger, instrument_id, trade_date, quantity,
          entry_price, exit_price, entry_at, exit_at, pnl)
        SELECT $1, $2::text, 'manual', id, $3::date, 1, 1, 1, $4, $4, $5
        FROM instruments WHERE symbol = 'AAPL'
        """,
        account,
        f"t{at:%d%H%M}",
        at.date(),
        at,
        Decimal(pnl),
    )


@pytest.fixture
async def account(pool: asyncpg.Pool, world: World) -> int:
    """100 AAPL bought at 100 on Friday; 110 at the close; half of it sold at 120 on Monday."""
    account = await world.account()
    await pool.execute("INSERT INTO ledgers (account_id, ledger) VALUES ($1, 'manual')", account)
    await world.bars([110.0])
    await world.fill(account, OPEN + timedelta(minutes=1), 100, "100")
    await world.fill(account, CLOSES[1] - timedelta(hours=1), -50, "120")
    await trade(pool, account, CLOSES[1] - timedelta(hours=1), 1_000)
    await close_session(pool, account, 1, CLOSES[0])
    await close_session(pool, account, 2, CLOSES[1])
    return account


async def stored(pool: asyncpg.Pool, ledger: str) -> list[dict[str, Any]]:
    rows = await pool.fetch(
        "SELECT * FROM daily_performance WHERE ledger = $1 ORDER BY date", ledger
    )
    return [dict(row) for row in rows]


async def test_each_session_of_a_ledger_is_recorded_once_with_its_event(
    pool: asyncpg.Pool, job_context: JobContext, account: int
) -> None:
    said = await job.run(job_context, {})
    assert said == {"recorded": {"Simulation": {"sessions": 2, "until": date(2024, 3, 4)}}}
    friday, monday = await stored(pool, "manual")
    assert (friday["starting_equity"], friday["ending_equity"]) == (100_000, 100_999)
    assert (friday["realized_pnl"], friday["unrealized_pnl"], friday["commission"]) == (0, 999, 1)
    assert friday["total_return"] == pytest.approx(999 / 100_000)
    assert friday["exposure"] == pytest.approx(11_000 / 100_999)
    assert (monday["starting_equity"], monday["ending_equity"]) == (100_999, 101_498)
    assert (monday["realized_pnl"], monday["unrealized_pnl"]) == (1_000, -501)
    assert (monday["trades"], monday["winning_trades"]) == (1, 1)
    assert [row["ending_equity"] for row in await stored(pool, "account")] == [100_999, 101_498]
    events = "SELECT count(*) FROM trading_events WHERE event_type = 'performance_recorded'"
    assert await pool.fetchval(events) == 4
    assert await job.run(job_context, {}) == {"recorded": {}}
    assert await pool.fetchval(events) == 4


async def test_sessions_can_be_worked_out_again(
    pool: asyncpg.Pool, job_context: JobContext, account: int
) -> None:
    await job.run(job_context, {})
    await pool.execute(
        "UPDATE executions SET busted_at = at, bust_reason = 'x' WHERE side = 'sell'"
    )
    await job.run(job_context, {"since": "2024-03-01"})
    friday, monday = await stored(pool, "manual")
    assert (friday["ending_equity"], monday["ending_equity"]) == (100_999, 100_999)
    with pytest.raises(InvalidInput, match="no date"):
        await job.run(job_context, {"since": "yesterday"})


async def test_money_that_is_paid_in_is_no_return(
    pool: asyncpg.Pool, job_context: JobContext, account: int
) -> None:
    await pool.execute(
        "INSERT INTO cash_movements (account_id, seq, ledger, kind, amount, at)"
        " VALUES ($1, 7, 'manual', 'deposit', 1000000, $2)",
        account,
        CLOSES[1] - timedelta(hours=2),
    )
    await job.run(job_context, {})
    monday = (await stored(pool, "account"))[1]
    assert monday["ending_equity"] == 1_101_498
    assert monday["total_return"] == pytest.approx(499 / 1_100_999)


async def test_a_ledger_in_which_nothing_happened_has_no_row(
    pool: asyncpg.Pool, job_context: JobContext, account: int
) -> None:
    await pool.execute("INSERT INTO ledgers (account_id, ledger) VALUES ($1, 'external')", account)
    await job.run(job_context, {})
    assert await stored(pool, "external") == []


@pytest.mark.parametrize(
    ("returns", "expected"),
    [([0.1], 0.0), ([-0.1], 0.1), ([0.1, -0.5], 0.5), ([0.5, -0.5, 0.2], 0.4), ([], 0.0)],
)
def test_the_fall_is_from_the_peak_so_far(returns: list[float], expected: float) -> None:
    assert job.fall(returns) == pytest.approx(expected)
