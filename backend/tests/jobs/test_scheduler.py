"""What is due is queued once: on time, late by the job's policy, by any number of workers."""

import asyncio
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.core.errors import Unavailable
from app.jobs import registry
from app.jobs.registry import JobContext, Missed
from app.jobs.scheduler import Scheduler
from app.jobs.schedules import Cron
from app.repositories import job_runs

from .conftest import Declare, Hands

BEGIN = datetime(2026, 1, 5, 2, 0, 30, tzinfo=UTC)
HOURLY = Cron("0 * * * *")


async def nothing(_context: JobContext, _payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


@pytest.fixture
def clock() -> Hands:
    return Hands(BEGIN)


async def began(pool: asyncpg.Pool, clock: Hands) -> Scheduler:
    found = Scheduler(pool, registry.jobs(), clock)  # type: ignore[arg-type]  # only `now` is asked
    await found.begin()
    return found


async def history(pool: asyncpg.Pool) -> list[tuple[Any, ...]]:
    """Hour, state and how many were missed, the oldest first."""
    rows = await pool.fetch(
        "SELECT extract(hour FROM scheduled_for AT TIME ZONE 'UTC')::int, status, missed"
        " FROM job_runs ORDER BY scheduled_for"
    )
    return [tuple(row) for row in rows]


async def waiting(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("SELECT count(*) FROM pgqueuer.pgqueuer"))


async def test_nothing_is_due_before_its_time(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, schedule=HOURLY)
    assert await (await began(pool, clock)).tick() == []


async def test_a_due_time_is_queued_once(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, schedule=HOURLY)
    scheduler = await began(pool, clock)
    clock.at += timedelta(hours=1)
    assert len(await scheduler.tick()) == 1
    assert await scheduler.tick() == []
    assert await history(pool) == [(3, "queued", 0)]
    assert await waiting(pool) == 1


async def test_many_workers_queue_it_once(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, schedule=HOURLY)
    workers = [await began(pool, clock) for _ in range(6)]
    clock.at += timedelta(hours=1)
    found = await asyncio.gather(*(one.tick() for one in workers))
    assert sum(map(len, found)) == 1
    assert await waiting(pool) == 1


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (Missed.RUN_ONCE, [(6, "queued", 3)]),
        (Missed.RUN_ALL, [(3, "queued", 0), (4, "queued", 0), (5, "queued", 0), (6, "queued", 0)]),
        (Missed.SKIP, [(6, "skipped", 3)]),
    ],
)
async def test_times_that_were_missed_run_as_the_job_says(
    pool: asyncpg.Pool,
    clock: Hands,
    declare: Declare,
    missed: Missed,
    expected: list[tuple[Any, ...]],
) -> None:
    declare(nothing, schedule=HOURLY, missed=missed)
    await began(pool, clock)
    clock.at += timedelta(hours=4, minutes=20)  # nobody was there
    await (await began(pool, clock)).tick()
    assert await history(pool) == expected


async def test_skipping_still_runs_what_is_on_time(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, schedule=HOURLY, missed=Missed.SKIP)
    scheduler = await began(pool, clock)
    clock.at += timedelta(hours=4)
    await scheduler.tick()
    assert await history(pool) == [(6, "queued", 3)]


async def test_a_paused_job_is_not_due_and_its_policy_counts_when_it_is_resumed(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, schedule=HOURLY)
    scheduler = await began(pool, clock)
    assert await job_runs.pause(pool, "probe", "ann")
    assert not await job_runs.pause(pool, "probe", "bob")
    clock.at += timedelta(hours=3)
    assert await scheduler.tick() == []
    assert await job_runs.resume(pool, "probe")
    await scheduler.tick()
    assert await history(pool) == [(5, "queued", 2)]


async def test_a_run_that_has_not_begun_is_not_queued_behind(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, schedule=HOURLY)
    scheduler = await began(pool, clock)
    for _ in range(2):
        clock.at += timedelta(hours=1)
        await scheduler.tick()
    assert await history(pool) == [(3, "queued", 0), (4, "skipped", 0)]


async def test_what_fell_out_of_the_queue_is_queued_again(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, schedule=HOURLY)
    scheduler = await began(pool, clock)
    clock.at += timedelta(hours=1)
    (run,) = await scheduler.tick()
    await pool.execute("DELETE FROM pgqueuer.pgqueuer")
    assert await scheduler.tick() == [run]
    assert await scheduler.tick() == []


async def test_what_was_missed_long_ago_is_forgotten(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, schedule=Cron("0 3 1 * *"), missed=Missed.RUN_ALL)
    scheduler = await began(pool, clock)
    clock.at += timedelta(days=100)
    assert len(await scheduler.tick()) == 1


class Watched:
    """Every hour; notes where it was asked, and how many connections were in use then."""

    words = "hourly"

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.asked: set[tuple[bool, int]] = set()

    def after(self, instant: datetime) -> datetime:
        is_loop = threading.current_thread() is threading.main_thread()
        self.asked.add((is_loop, self.pool.get_size() - self.pool.get_idle_size()))
        return HOURLY.after(instant)


async def test_times_are_found_beside_the_loop_and_outside_of_a_transaction(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    schedule = Watched(pool)
    declare(nothing, schedule=schedule)
    scheduler = await began(pool, clock)
    clock.at += timedelta(hours=1)
    assert len(await scheduler.tick()) == 1
    assert schedule.asked == {(False, 0)}


class Unreadable:
    """A schedule whose market nobody knows."""

    words = "never"

    def after(self, instant: datetime) -> datetime:
        raise Unavailable(f"No hours after {instant}.", remedy="Wait.")


async def test_a_schedule_that_cannot_be_read_holds_up_no_other(
    pool: asyncpg.Pool, clock: Hands, declare: Declare
) -> None:
    declare(nothing, "broken", schedule=Unreadable())
    declare(nothing, "whole", schedule=HOURLY)
    scheduler = await began(pool, clock)
    clock.at += timedelta(hours=1)
    assert len(await scheduler.tick()) == 1
