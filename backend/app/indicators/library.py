"""The way to TA-Lib, loaded at the first use because its wheel brings pandas along (60 MB)."""

from functools import cache
from importlib import import_module
from typing import Any

from app.indicators.rows import Array


def ta_lib(function: str, *arguments: Array | float) -> Array:
    """The one column that a TA-Lib function gives."""
    result: Array = getattr(_module(), function)(*arguments)
    return result


def ta_lib_columns(function: str, *arguments: Array | float) -> tuple[Array, ...]:
    """The columns of a TA-Lib function that gives several."""
    result: tuple[Array, ...] = getattr(_module(), function)(*arguments)
    return result


@cache
def _module() -> Any:  # noqa: ANN401 - TA-Lib's functions have no types worth keeping
    return import_module("talib")
