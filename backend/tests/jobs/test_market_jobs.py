"""Jobs after the close: gaps are asked about, books are held against the broker's."""

import asyncio
from typing import Any

import asyncpg
import psutil
import pytest

from app.core.errors import Unavailable
from app.jobs import gap_repair, reconciliation_report
from app.jobs.in_process import command
from app.jobs.registry import JobContext
from tests.api.world import Engine, World
from tests.waiting import until

ALERTS = "SELECT title, detail FROM alerts WHERE resolved_at IS NULL"


@pytest.fixture
def world(pool: asyncpg.Pool) -> World:
    return World(pool)


async def at_a_broker(pool: asyncpg.Pool, world: World) -> int:
    account = await world.account("Alpaca paper", dataset="live")
    await pool.execute("UPDATE accounts SET broker = 'alpaca' WHERE id = $1", account)
    return account


def answering(differences: list[dict[str, Any]]) -> Any:
    def answer(row: dict[str, Any]) -> dict[str, Any]:
        assert row["payload"] == {"dry_run": True, "adopt": False}
        return {"reports": [], "differences": differences}

    return answer


async def compared(
    context: JobContext, account: int, differences: list[dict[str, Any]]
) -> dict[str, Any]:
    engine, ready = Engine(context.url, account, answering(differences)), asyncio.Event()
    running = asyncio.create_task(engine.run(ready))
    await ready.wait()
    try:
        (found,) = (await reconciliation_report.run(context, {})).values()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    result: dict[str, Any] = found
    return result


async def test_what_differs_from_the_broker_raises_an_alert_that_agreement_ends(
    pool: asyncpg.Pool, world: World, job_context: JobContext
) -> None:
    account = await at_a_broker(pool, world)
    found = await compared(job_context, account, [{"detail": "They hold 7 AAPL, we 5."}])
    assert found["differences"] == ["They hold 7 AAPL, we 5."]
    (alert,) = await pool.fetch(ALERTS)
    assert alert["title"] == "After the close, account Alpaca paper differs from its broker"
    assert (await compared(job_context, account, []))["differences"] == []
    assert await pool.fetch(ALERTS) == []


async def test_an_account_that_no_engine_runs_is_told_of(
    pool: asyncpg.Pool, world: World, job_context: JobContext
) -> None:
    await at_a_broker(pool, world)
    (found,) = (await reconciliation_report.run(job_context, {})).values()
    assert found == {"status": "not compared", "detail": "No engine runs the account."}
    assert len(await pool.fetch(ALERTS)) == 1


async def test_the_paper_brokers_book_is_our_own(world: World, job_context: JobContext) -> None:
    await world.account()
    assert await reconciliation_report.run(job_context, {}) == {}


async def test_without_gaps_nobody_is_asked(job_context: JobContext) -> None:
    assert await gap_repair.run(job_context, {}) == {"open": 0}


async def test_gaps_without_a_provider_are_a_failure_with_its_remedy(
    pool: asyncpg.Pool, world: World, job_context: JobContext
) -> None:
    await world.bars([100.0], dataset="live")
    await pool.execute(
        """INSERT INTO data_gaps (dataset, stock_id, timeframe, start, "end", bars, state)
           SELECT 'live', id, '1m', now() - interval '1 day', now() - interval '23 hours', 60,
             'unexplained' FROM stocks WHERE symbol = 'AAPL'"""
    )
    with pytest.raises(Unavailable, match="No provider is named") as raised:
        await gap_repair.run(job_context, {})
    assert "set a key in .env" in str(raised.value.remedy)


async def test_a_command_that_says_no_json_answers_with_its_complaint(
    job_context: JobContext,
) -> None:
    code, said = await command(job_context.url, "no-such-command")
    assert code == 2
    assert "no-such-command" in said["error"]["detail"]


async def test_a_command_ends_with_who_asked(job_context: JobContext) -> None:
    others = set(psutil.Process().children())

    async def begun() -> set[psutil.Process]:
        return set(psutil.Process().children()) - others

    asking = asyncio.create_task(command(job_context.url, "core"))
    (process,) = await until(begun)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not process.is_running()
