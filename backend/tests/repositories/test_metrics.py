"""Measurements over time: noted, recorded, summed up, found again and forgotten."""

from datetime import UTC, datetime, timedelta

import asyncpg

from app.repositories import metrics
from app.repositories.metrics import FIVE_MINUTES, HOUR

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def recorded(pool: asyncpg.Pool, minutes: int, start: datetime = NOON) -> None:
    """The value of minute n is n, and its opposite under a label."""
    for number in range(minutes):
        at = start + timedelta(minutes=number)
        values = [("load", {}, float(number)), ("load", {"side": "b"}, float(-number))]
        await metrics.record(pool, values, at)


async def test_five_minutes_and_hours_sum_up_what_was_measured(pool: asyncpg.Pool) -> None:
    await recorded(pool, 61)
    rolled = await metrics.roll_up(pool, NOON + timedelta(minutes=61), None, None)
    assert (rolled.five_minutes, rolled.hours) == (24, 2)
    rows = await metrics.history(pool, "load", NOON, NOON + timedelta(hours=2), FIVE_MINUTES, 100)
    first = next(row for row in rows if row["labels"] == {})
    assert (first["mean"], first["minimum"], first["maximum"]) == (2, 0, 4)
    assert (first["at"], first["samples"]) == (NOON, 5)
    hours = await metrics.history(pool, "load", NOON, NOON + timedelta(hours=2), HOUR, 100)
    assert [(row["samples"], row["maximum"]) for row in hours if not row["labels"]] == [(60, 59)]


async def test_summing_up_again_changes_nothing_and_goes_on(pool: asyncpg.Pool) -> None:
    await recorded(pool, 10)
    until = NOON + timedelta(minutes=10)
    for _ in range(2):
        await metrics.roll_up(pool, until, None, None)
    await recorded(pool, 10, until)
    await metrics.roll_up(pool, until + timedelta(minutes=10), None, None)
    rows = await pool.fetch("SELECT samples FROM metric_rollups WHERE labels = '{}'")
    assert [row["samples"] for row in rows] == [5] * 4


async def test_what_was_summed_up_stays_when_measurements_are_forgotten(
    pool: asyncpg.Pool,
) -> None:
    await recorded(pool, 60)
    until = NOON + timedelta(hours=1)
    await metrics.roll_up(pool, until, None, None)
    await pool.execute("DELETE FROM metrics WHERE at < $1", NOON + timedelta(minutes=58))
    await metrics.roll_up(pool, until, None, None)
    total = "SELECT sum(samples) FROM metric_rollups WHERE span = $1 AND labels = '{}'"
    assert [await pool.fetchval(total, span) for span in (FIVE_MINUTES, HOUR)] == [60, 60]


async def test_sums_are_forgotten_by_age(pool: asyncpg.Pool) -> None:
    await recorded(pool, 60)
    later = NOON + timedelta(days=3)
    rolled = await metrics.roll_up(pool, later, timedelta(days=2), timedelta(days=30))
    assert rolled.forgotten == 24
    spans = await pool.fetch("SELECT DISTINCT span FROM metric_rollups")
    assert [row["span"] for row in spans] == [HOUR]


async def test_nothing_measured_is_nothing_to_sum_up(pool: asyncpg.Pool) -> None:
    rolled = await metrics.roll_up(pool, NOON, None, None)
    assert (rolled.five_minutes, rolled.hours, rolled.forgotten) == (0, 0, 0)
    await metrics.record(pool, [], NOON)
    await metrics.note_each(pool, [], NOON)
    assert await metrics.names(pool) == []


async def test_measurements_are_found_by_name_and_time(pool: asyncpg.Pool) -> None:
    await recorded(pool, 3)
    await metrics.record(pool, [("clock", {}, 1.0)], NOON)
    end = NOON + timedelta(minutes=2)
    rows = await metrics.history(pool, "load", NOON, end, 0, 100)
    assert [row["mean"] for row in rows if not row["labels"]] == [0, 1]
    assert len(await metrics.history(pool, "load", NOON, end, 0, 1)) == 1
    assert await metrics.names(pool) == ["clock", "load"]


async def test_what_processes_note_is_newest_a_process_and_kept_an_hour(
    pool: asyncpg.Pool,
) -> None:
    for number in range(3):
        await metrics.note(pool, "core", {"process_x": number}, NOON + timedelta(minutes=number))
    await metrics.note(pool, "api", {"process_x": 10.0}, NOON)
    await metrics.record(pool, [("process_x", {}, 12.0)], NOON)  # a sum of both counts for nothing
    since = NOON - timedelta(minutes=1)
    assert await metrics.noted(pool, "process_", since) == {"process_x": 12}
    each = await metrics.labelled_noted(pool, "process_", since)
    assert ("process_x", {"process": "core"}, 2.0) in each
    await metrics.note(pool, "api", {"process_x": 1.0}, NOON + timedelta(hours=3))
    assert await pool.fetchval("SELECT count(*) FROM metrics") == 1


async def test_figures_are_counted_by_label(pool: asyncpg.Pool, account_id: int) -> None:
    figures, labelled = await metrics.totals(pool)
    assert figures["orders_total"] == figures["risk_violations_total"] == 0
    assert figures["database_mb"] > 1
    assert labelled == []
    assert (await metrics.facts(pool))["deployments_running"] >= 0
