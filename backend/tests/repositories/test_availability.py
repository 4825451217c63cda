"""Availability: every instant since the first look is up, down or stopped on purpose."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from app.repositories import availability
from app.repositories.availability import DEGRADED, DOWN, SILENCE, STOPPED, UP

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Look = tuple[float, str]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


async def looked(pool: asyncpg.Pool, *looks: Look) -> list[tuple[str, float, float]]:
    """Periods that follow from looks (seconds, state): state, from, to."""
    for seconds, state in looks:
        async with pool.acquire() as db, db.transaction():
            await availability.note(db, state, "", after(seconds))
    rows = await pool.fetch("SELECT * FROM availability ORDER BY since, id")
    return [
        (row["state"], *((row[end] - NOON).total_seconds() for end in ("since", "until")))
        for row in rows
        if row["until"] > row["since"]
    ]


@pytest.mark.parametrize(
    ("looks", "periods"),
    [
        ([(0, UP), (15, UP), (30, UP)], [(UP, 0, 30)]),
        ([(0, UP), (15, DOWN), (30, UP), (45, UP)], [(UP, 0, 0), (DOWN, 0, 30), (UP, 30, 45)]),
        ([(0, UP), (15, DEGRADED), (30, UP)], [(UP, 0, 15), (DEGRADED, 15, 30)]),
        ([(0, UP), (15, UP), (600, UP), (615, UP)], [(UP, 0, 15), (DOWN, 15, 600), (UP, 600, 615)]),
        (
            [(0, UP), (15, STOPPED), (600, UP), (615, UP)],
            [(STOPPED, 0, 600), (UP, 600, 615)],
        ),
        ([(0, DOWN), (15, DOWN), (30, DEGRADED)], [(DOWN, 0, 30)]),
        ([(0, UP), (30, UP), (15, UP)], [(UP, 0, 30)]),
    ],
)  # fmt: skip
async def test_periods_leave_no_gap(
    pool: asyncpg.Pool, looks: list[Look], periods: list[tuple[str, float, float]]
) -> None:
    wanted = [period for period in periods if period[1] != period[2]]
    assert await looked(pool, *looks) == wanted


async def test_a_machine_that_vanished_was_down(pool: asyncpg.Pool) -> None:
    await looked(pool, (0, UP), (900, UP))
    assert await pool.fetchval("SELECT reason FROM availability WHERE state = 'down'") == SILENCE


async def test_the_share_leaves_planned_stops_out(pool: asyncpg.Pool) -> None:
    await looked(
        pool,
        (0, UP),
        (30, UP),
        (60, UP),
        (75, DOWN),
        (90, UP),
        (100, STOPPED),
        (900, UP),
        (960, UP),
    )
    found = await availability.summary(pool, NOON, after(960))
    assert found.seconds == {UP: 120, DOWN: 30, STOPPED: 810}
    assert found.share == 120 / 150
    assert (await availability.summary(pool, after(120), after(600))).share is None


async def test_days_and_outages(pool: asyncpg.Pool) -> None:
    midnight = 12 * 3600
    await looked(pool, (0, UP), (midnight - 30, UP), (midnight + 30, UP), (midnight + 60, UP))
    found = await availability.days(pool, NOON, after(midnight + 60))
    assert [row["day"] for row in found] == [date(2026, 3, 2), date(2026, 3, 3)]
    assert found[0]["seconds"] == {DOWN: midnight - 30, UP: 30}
    assert found[0]["share"] == 30 / midnight
    assert (found[1]["share"], found[1]["seconds"]) == (1, {UP: 60})
    outages = await availability.outages(pool, NOON, after(midnight + 60), 10)
    assert [row["state"] for row in outages] == [DOWN]


async def test_it_is_there_only_while_somebody_looks(pool: asyncpg.Pool) -> None:
    assert await availability.current(pool, NOON) is None
    assert await availability.newest(pool) is None
    await looked(pool, (0, UP), (15, DEGRADED))
    assert await availability.current(pool, after(20)) is True
    assert await availability.current(pool, after(200)) is None
    await looked(pool, (30, DOWN))
    assert await availability.current(pool, after(30)) is False
    newest = await availability.newest(pool)
    assert newest is not None
    assert newest["state"] == DOWN
