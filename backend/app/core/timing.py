"""How long named operations take in this process: `@timed_seconds("order_submit")`.

Names are lower_snake_case without a unit, since all figures made of them say theirs:
`operation_seconds`. A name is a constant of the code, never made of data, so series stay few.
"""

import functools
import inspect
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, TypeVar, cast

import msgspec

P = ParamSpec("P")
T = TypeVar("T")

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_UNITS: Final = ("_seconds", "_ms", "_us", "_ns")


class Timing(msgspec.Struct):
    """All calls of one operation since the process began."""

    count: int = 0
    failures: int = 0
    "Calls that raised, cancellations not among them."
    total_seconds: float = 0.0
    longest_seconds: float = 0.0


class Timings:
    """Sums by name; safe from any thread."""

    def __init__(self) -> None:
        self._sums: dict[str, Timing] = {}
        self._lock = threading.Lock()

    def observe(self, name: str, seconds: float, *, failed: bool = False) -> None:
        """One call. Raises ValueError for a name that no metric could have."""
        with self._lock:
            found = self._sums.get(name)
            if found is None:
                found = self._sums[checked(name)] = Timing()
            found.count += 1
            found.failures += failed
            found.total_seconds += seconds
            found.longest_seconds = max(found.longest_seconds, seconds)

    def sums(self) -> dict[str, Timing]:
        """A copy of what is known, by name."""
        with self._lock:
            return {name: msgspec.structs.replace(one) for name, one in self._sums.items()}


timings: Final = Timings()
"Those of this process: decorators are made long before anybody asks."


def checked(name: str) -> str:
    """`name` as it is. Raises ValueError where a metric could not bear it."""
    if not _NAME.fullmatch(name) or name.endswith(_UNITS):
        raise ValueError(f"{name!r} must be lower_snake_case without a unit.")
    return name


@contextmanager
def timing_seconds(name: str, into: Timings = timings) -> Iterator[None]:
    """Count the block and its time, whether it succeeds or raises."""
    started = time.perf_counter()
    failed = False
    try:
        yield
    except Exception:
        failed = True
        raise
    finally:
        into.observe(name, time.perf_counter() - started, failed=failed)


def timed_seconds(name: str, into: Timings = timings) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function or a coroutine function: each call is counted, in seconds."""
    checked(name)

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - T, awaited
                with timing_seconds(name, into):
                    return await cast(Awaitable[Any], function(*args, **kwargs))

            return cast(Callable[P, T], awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            with timing_seconds(name, into):
                return function(*args, **kwargs)

        return called

    return decorate
