"""The line to the simulated broker gives up as a real adapter does."""

import pytest

from app.simulation.broker import Patience
from app.simulation.loop import SimLoop


def test_an_answer_in_time_ends_no_patience() -> None:
    async def wait() -> object:
        answer = loop.create_future()
        patience = Patience(answer)
        answer.set_result("yes")
        patience.check()
        return await answer

    loop = SimLoop(1)
    assert loop.run(wait()) == "yes"


@pytest.mark.parametrize("is_answered", [True, False])
def test_who_wakes_up_too_late_has_lost_even_an_answer_that_is_there(is_answered: bool) -> None:
    async def wait() -> bool:
        answer = loop.create_future()
        patience = Patience(answer)
        if is_answered:
            answer.set_result("yes")
        patience.end()
        with pytest.raises(TimeoutError):
            patience.check()
        return bool(answer.cancelled())

    loop = SimLoop(1)
    assert loop.run(wait()) is not is_answered
