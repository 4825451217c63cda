"""Figures are remembered for a moment: many who ask cost one question."""

import asyncio

import pytest

from app.monitoring.readings import Remembered


class Question:
    """Answers 1, 2, 3, … when it is let; fails while `broken`."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = False
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self.free.wait()
        if self.broken:
            raise OSError("away")
        return number


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_at_once_shares_one_question() -> None:
    question = Question()
    remembered = Remembered(question, 60)
    assert await asyncio.gather(*(remembered.get() for _ in range(5))) == [1] * 5
    assert (await remembered.get(), question.asked) == (1, 1)


async def test_what_is_too_old_is_asked_anew() -> None:
    remembered = Remembered(Question(), 0)
    assert [await remembered.get(), await remembered.get()] == [1, 2]


async def test_nobody_waits_for_a_long_question_but_the_first() -> None:
    question = Question()
    remembered = Remembered(question, 0, stale=True)
    assert await remembered.get() == 1
    question.free.clear()
    assert [await remembered.get(), await remembered.get()] == [1, 1]
    await settled()
    assert question.asked == 2
    question.free.set()
    await settled()
    assert await remembered.get() == 2


async def test_an_error_is_raised_at_who_waits_and_forgotten() -> None:
    question = Question()
    remembered = Remembered(question, 0, stale=True)
    assert await remembered.get() == 1
    question.broken = True
    assert await remembered.get() == 1
    await settled()
    with pytest.raises(OSError, match="away"):
        await remembered.get()
    question.broken = False
    assert await remembered.get() == 4


async def test_one_who_goes_away_takes_the_question_from_nobody() -> None:
    question = Question()
    remembered = Remembered(question, 60)
    question.free.clear()
    impatient, patient = (asyncio.create_task(remembered.get()) for _ in range(2))
    await settled()
    impatient.cancel()
    await settled()
    question.free.set()
    assert await patient == 1


async def test_a_question_that_takes_long_is_asked_less_often() -> None:
    question = Question()
    seldom, often = (Remembered(question, 0, share=share) for share in (1e-9, 1.0))
    assert [await seldom.get(), await seldom.get()] == [1, 1]
    assert [await often.get(), await often.get()] == [2, 3]
