"""A task is ended even when something in it loses the first cancellation."""

import asyncio
import signal

import pytest

from app.core.tasks import end, run


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


def test_ctrl_c_ends_work_that_loses_cancellations() -> None:
    lost: list[int] = []

    async def work() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        await stubborn(2, lost)

    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert len(lost) == 2


def test_work_that_ends_gives_its_result_or_its_error() -> None:
    async def work(answer: int) -> int:
        if not answer:
            raise ValueError("no answer")
        return answer

    assert run(work(7)) == 7
    with pytest.raises(ValueError, match="no answer"):
        run(work(0))
