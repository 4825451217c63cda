"""Decorated operations are counted with their time, sync and async, also when they fail."""

import asyncio
import inspect

import pytest

from app.core.timing import Timings, timed_seconds, timing_seconds


async def test_calls_are_counted_whether_sync_or_async() -> None:
    seen = Timings()

    @timed_seconds("plain", seen)
    def plain(number: int) -> int:
        return number + 1

    @timed_seconds("awaited", seen)
    async def awaited(number: int) -> int:
        await asyncio.sleep(0.01)
        return number + 1

    assert [plain(1), plain(2), await awaited(3)] == [2, 3, 4]
    assert inspect.iscoroutinefunction(awaited)
    assert plain.__name__ == "plain"
    sums = seen.sums()
    assert (sums["plain"].count, sums["awaited"].count) == (2, 1)
    assert sums["awaited"].longest_seconds == sums["awaited"].total_seconds >= 0.009


async def test_failures_count_and_cancellations_do_not() -> None:
    seen = Timings()
    with pytest.raises(ZeroDivisionError), timing_seconds("division", seen):
        raise ZeroDivisionError

    @timed_seconds("waiting", seen)
    async def wait() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (seen.sums()["division"].failures, seen.sums()["waiting"].failures) == (1, 0)
    assert seen.sums()["waiting"].count == 1


@pytest.mark.parametrize("name", ["Order", "order submit", "order_seconds", "order_ms", ""])
def test_a_name_that_no_metric_could_bear_is_refused_at_once(name: str) -> None:
    with pytest.raises(ValueError, match="snake_case"):
        timed_seconds(name)
    with pytest.raises(ValueError, match="snake_case"):
        Timings().observe(name, 1.0)


def test_what_was_read_does_not_change_any_more() -> None:
    seen = Timings()
    seen.observe("reading", 1.0)
    sums = seen.sums()
    seen.observe("reading", 3.0)
    assert sums["reading"].count == 1
    assert seen.sums()["reading"].longest_seconds == 3.0
