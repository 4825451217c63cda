"""Settings that people changed while the system runs: settings made from now on take them first."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

_values: Final[dict[str, Any]] = {}
_is_unheard: Final[ContextVar[bool]] = ContextVar("changes_are_unheard", default=False)


def offer(values: Mapping[str, Any]) -> None:
    """What is stored, by variable; replaces the last ones. Only this process has them."""
    _values.clear()
    _values.update(values)


def changed(variable: str) -> Any:  # noqa: ANN401 - any JSON
    """The stored value of a variable; None where there is none."""
    return None if _is_unheard.get() else _values.get(variable)


@contextmanager
def unheard() -> Iterator[None]:
    """In this block settings are as they would be if nobody had changed any."""
    token = _is_unheard.set(True)
    try:
        yield
    finally:
        _is_unheard.reset(token)
