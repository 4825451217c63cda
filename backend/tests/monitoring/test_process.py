"""A process notes what it uses, does and retries; whoever asks reads it from the database."""

import asyncio

import asyncpg
import pytest

from app.core.clock import now, system
from app.core.retry import RetryConfig, retried
from app.core.timing import Timings
from app.monitoring import process
from app.monitoring.figures import SharedFigures
from app.monitoring.process import ProcessRecorder
from tests.waiting import until


async def test_its_figures_reach_whoever_asks(pool: asyncpg.Pool) -> None:
    operations = Timings()
    operations.observe("journal_append", 0.5, failed=True)
    recorder = ProcessRecorder(pool, "core", system, operations)
    await recorder.note()
    figures, readings = await SharedFigures(pool, system).get()
    mine = {one.name: one.value for one in readings if one.labels.get("process") == "core"}
    assert mine["process_resident_mb"] > 10
    assert mine["process_open_files"] > 0
    assert (mine["process_operations_total"], mine["process_operation_seconds_total"]) == (1, 0.5)
    assert figures["operation_failures_total"] == 1
    assert figures["database_connections"] >= 1


async def test_a_loop_that_is_blocked_is_seen(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "NOTE_SECONDS", 0.05)
    monkeypatch.setattr(process, "_LOOK_SECONDS", 0.001)
    recorder = ProcessRecorder(pool, "core", system, Timings())
    running = asyncio.create_task(recorder.run())

    async def worst() -> bool:
        _block()
        return bool(
            await pool.fetchval(
                "SELECT max(value) > 20 FROM metrics WHERE name = 'process_loop_lag_ms'"
            )
        )

    await until(worst)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def _block() -> None:
    """Hold the loop for 30 ms, as a handler that computes would."""
    end = system.monotonic() + 0.03
    while system.monotonic() < end:
        pass


async def test_calls_that_are_tried_again_are_counted() -> None:
    before, failures = process.retries(), [ConnectionError(), ConnectionError()]

    async def call() -> str:
        if failures:
            raise failures.pop()
        return "done"

    config = RetryConfig(first_wait_seconds=0.001, longest_wait_seconds=0.001, jitter_seconds=0)
    assert await retried(call, config) == "done"
    assert process.retries() == before + 2


async def test_a_database_that_is_away_stops_nothing(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "NOTE_SECONDS", 0.01)
    await pool.execute("ALTER TABLE metrics RENAME TO gone")
    recorder = ProcessRecorder(pool, "core", system, Timings())
    recorder.start()
    await asyncio.sleep(0)
    await pool.execute("ALTER TABLE gone RENAME TO metrics")

    async def noted() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM metrics WHERE at <= $1", now()))

    await until(noted)
    await recorder.stop()
