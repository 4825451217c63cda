"""A task is ended even when something in it loses the first cancellation."""

import asyncio

import pytest

from app.core.tasks import end


async def stubborn(losses: int, lost: list[int]) -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if len(lost) == losses:
                raise
            lost.append(1)


@pytest.mark.parametrize("losses", [0, 1, 3])
async def test_a_cancellation_that_is_lost_is_sent_again(losses: int) -> None:
    lost: list[int] = []
    task = asyncio.create_task(stubborn(losses, lost))
    await asyncio.sleep(0)
    await end([task, None])
    assert task.cancelled()
    assert len(lost) == losses


async def test_an_error_in_a_task_is_nobodys_surprise() -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    task = asyncio.create_task(fail())
    await end([task])
    assert task.done()


async def test_nothing_to_end_is_fine() -> None:
    await end([None])
    await end([])
