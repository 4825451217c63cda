"""A retry repeats what may pass and nothing else."""

from collections.abc import Iterator

import pytest
import stamina

from app.core.errors import BrokerRejected, TransientError
from app.core.retry import API_RETRY_CONFIG, RetryConfig, retried, retry_on_exception

HICCUP = TransientError("busy", api_name="test")


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def test_a_passing_failure_is_tried_again() -> None:
    failures = [HICCUP, HICCUP]

    @retry_on_exception(API_RETRY_CONFIG)
    def ask() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    assert ask() == "answer"


def test_a_definite_no_is_raised_at_once() -> None:
    calls = []

    @retry_on_exception()
    def ask() -> None:
        calls.append(1)
        raise BrokerRejected("no", api_name="test", status_code=422)

    with pytest.raises(BrokerRejected):
        ask()
    assert len(calls) == 1


def test_the_last_error_is_raised_unchanged() -> None:
    @retry_on_exception(RetryConfig(attempts=3), on=(KeyError,))
    def ask() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        ask()


async def test_a_coroutine_is_tried_again() -> None:
    failures = [HICCUP]

    async def ask() -> int:
        if failures:
            raise failures.pop()
        return 7

    assert await retried(ask) == 7


async def test_a_lambda_that_makes_a_coroutine_is_tried_again_too() -> None:
    failures = [HICCUP]

    async def ask(number: int) -> int:
        if failures:
            raise failures.pop()
        return number

    assert await retried(lambda: ask(7)) == 7
