"""Retries with exponential backoff and jitter, over stamina. Never around order submission."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

import stamina

from app.core.errors import TransientError

P = ParamSpec("P")
T = TypeVar("T")
Failures = tuple[type[Exception], ...]


@dataclass(frozen=True, kw_only=True)
class RetryConfig:
    """How often and how long to try. Waits are in seconds; each is doubled, plus jitter.

    `on` are the errors worth another try; any other is raised at once.
    """

    attempts: int = 5
    timeout_seconds: float = 45.0
    first_wait_seconds: float = 0.2
    longest_wait_seconds: float = 10.0
    jitter_seconds: float = 1.0
    on: Failures = (TransientError, ConnectionError, TimeoutError)


API_RETRY_CONFIG: Final = RetryConfig()
"For calls of outside APIs that may safely be repeated."
DATABASE_RETRY_CONFIG: Final = RetryConfig(
    attempts=8, timeout_seconds=30.0, first_wait_seconds=0.05, longest_wait_seconds=2.0
)
"For a database that restarts under us."


def retry_on_exception(
    config: RetryConfig = API_RETRY_CONFIG, *, on: Failures | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function, or a coroutine function, that is tried again when it fails so.

    After the last attempt the last error is raised unchanged.
    """
    return stamina.retry(
        on=on or config.on,
        attempts=config.attempts,
        timeout=config.timeout_seconds,
        wait_initial=config.first_wait_seconds,
        wait_max=config.longest_wait_seconds,
        wait_jitter=config.jitter_seconds,
    )


async def retried(call: Callable[[], Awaitable[T]], config: RetryConfig = API_RETRY_CONFIG) -> T:
    """Await `call()` until it succeeds or `config` gives up; the last error is raised unchanged."""

    @retry_on_exception(config)
    async def attempt() -> T:  # stamina awaits coroutine functions only: a lambda would run once
        return await call()

    return await attempt()
