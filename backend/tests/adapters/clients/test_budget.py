"""An allowance is never overdrawn, is shared fairly, and believes what the vendor says."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from app.adapters.clients import budget as budget_module
from app.adapters.clients.budget import Budget, Rate, shared_budget
from app.core.clock import ManualClock
from app.core.errors import TransientError

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)


class Sleeper:
    """Time passes only where somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock(NOON)
        self.slept = 0.0
        # the budget's own view of asyncio: other tasks of the loop go on sleeping for real
        monkeypatch.setattr(
            budget_module, "asyncio", SimpleNamespace(sleep=self._sleep, Lock=asyncio.Lock)
        )

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.slept += seconds
        self.clock.move_to(self.clock.now() + timedelta(seconds=seconds))


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Sleeper:
    return Sleeper(monkeypatch)


async def test_calls_within_the_rate_do_not_wait(sleeper: Sleeper) -> None:
    budget = Budget("Acme", Rate(8, 60), clock=sleeper.clock)
    for _ in range(8):
        await budget.take()
    assert (sleeper.slept, budget.left()) == (0, 0)


async def test_no_span_ever_holds_more_than_the_rate(sleeper: Sleeper) -> None:
    budget = Budget("Acme", Rate(3, 60), Rate(5, 600), clock=sleeper.clock)
    at = []
    for _ in range(6):
        await budget.take(patience=1000)
        at.append(budget_seconds(sleeper))
    assert at == [0, 0, 0, 60, 60, 600]


async def test_a_wait_beyond_patience_is_an_error_that_says_how_long(sleeper: Sleeper) -> None:
    budget = Budget("Acme", Rate(1, 86_400), clock=sleeper.clock)
    await budget.take()
    with pytest.raises(TransientError, match=r"Acme is used up; the next call fits in 86400 s"):
        await budget.take()
    assert sleeper.slept == 0


async def test_an_order_may_use_what_a_backfill_must_leave(sleeper: Sleeper) -> None:
    budget = Budget("Acme", Rate(5, 60), reserve=2, clock=sleeper.clock)
    for _ in range(3):
        await budget.take()
    await budget.take(urgent=True)
    assert sleeper.slept == 0
    await budget.take()
    assert sleeper.slept == 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": format_datetime(NOON + timedelta(seconds=9), usegmt=True)}, 9),
        ({"Retry-After": "soon", "X-RateLimit-Reset": str(int(NOON.timestamp()) + 11)}, 11),
        ({"X-RateLimit-Reset": "13"}, 13),
        ({}, 5),
    ],
)
async def test_after_a_429_everybody_waits_as_long_as_asked(
    sleeper: Sleeper, headers: dict[str, str], seconds: float
) -> None:
    budget = Budget("Acme", clock=sleeper.clock)
    budget.learn(429, headers)
    assert budget.left() == 0
    await budget.take()
    assert (sleeper.slept, budget.refusals, budget.waited_seconds) == (seconds, 1, seconds)


async def test_what_others_spent_on_the_account_counts(sleeper: Sleeper) -> None:
    budget = Budget("Acme", Rate(8, 60), clock=sleeper.clock)
    await budget.take()
    budget.learn(200, {"api-credits-left": "2"})
    assert budget.left() == 2
    budget.learn(200, {"api-credits-left": "garbage"})
    budget.learn(200, {"api-credits-left": "6"})
    assert budget.left() == 2
    budget.learn(200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"})
    await budget.take()
    assert sleeper.slept == 60


async def test_more_than_a_rate_holds_is_a_mistake_of_ours(sleeper: Sleeper) -> None:
    with pytest.raises(ValueError, match="more than Acme allows"):
        await Budget("Acme", Rate(8, 60), clock=sleeper.clock).take(9)


def test_an_account_has_one_budget_while_it_is_in_use() -> None:
    first = shared_budget("Acme", "one", Rate(8, 60))
    assert shared_budget("Acme", "one") is first
    assert shared_budget("Acme", "two") is not first


def budget_seconds(sleeper: Sleeper) -> int:
    return round((sleeper.clock.now() - NOON).total_seconds())
