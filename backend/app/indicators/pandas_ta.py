"""The pandas-ta family in the catalogue: those that a test has proved not to look ahead.

Their names, parameters and memory stand in pandas_ta.json, so that listing them does not load
pandas. The file is written by `python -m app.indicators.survey`, and a test keeps it true.
"""

import logging
import sys
import warnings
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from app.core.errors import InvalidInput
from app.domain.parameters import Parameter
from app.indicators.declaration import Group, Indicator, Pane, Source
from app.indicators.measure import LIMIT, Columns, rows_remembered
from app.indicators.memory import SESSION, Memory, MemoryKind
from app.indicators.rows import Array
from app.indicators.volume import session_slices

CLASSIC: Final = "pandas_ta_classic"
ORIGINAL: Final = "pandas_ta"
"Installed by the extra of the same name."
TABLE_FILE: Final = Path(__file__).with_name("pandas_ta.json")
ORIGINAL_FILE: Final = Path(__file__).with_name("pandas_ta_original.json")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One function of the family, as surveyed with its default parameters."""

    name: str
    title: str
    group: Group
    pane: Pane
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    memory: MemoryKind
    rows: int
    "Rows remembered with the default parameters."
    fixed: dict[str, bool] = {}
    "Arguments that keep the function from looking ahead."


class Table(msgspec.Struct, frozen=True):
    """What the survey found: what is offered, and why the rest is not."""

    entries: tuple[Entry, ...]
    excluded: dict[str, str]


@cache
def table() -> Table:
    return msgspec.json.decode(TABLE_FILE.read_bytes(), type=Table)


@cache
def has_original() -> bool:
    """True when the original pandas-ta is installed; it needs Python 3.12."""
    return sys.version_info >= (3, 12) and find_spec(ORIGINAL) is not None


@cache
def library_of(name: str) -> str:
    """The library to take a function from: the original where it is installed and proven."""
    if not has_original():
        return CLASSIC
    proven = msgspec.json.decode(ORIGINAL_FILE.read_bytes(), type=frozenset[str])
    return ORIGINAL if name in proven else CLASSIC


@cache
def load(library: str) -> Any:  # noqa: ANN401 - neither library has types
    """The library's module."""
    logging.getLogger(library).setLevel(logging.ERROR)  # it warns of every short column
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they use what newer versions of pandas deprecate
        return import_module(library)


def load_function(library: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(load(library), name)
    return function


def call(
    library: str, name: str, columns: Mapping[str, Array], parameters: Mapping[str, Any]
) -> tuple[Array, ...] | None:
    """The function's columns, NaN where it has no value; None when there are too few rows."""
    result = _called(library, name, columns, parameters)
    if result is None:
        return None
    parts = [result.iloc[:, i] for i in range(result.shape[1])] if result.ndim == 2 else [result]
    return tuple(_column(part) for part in parts)


def labels(
    library: str, name: str, columns: Mapping[str, Array], parameters: Mapping[str, Any]
) -> list[str]:
    """What the library calls the columns, its parameters included."""
    result = _called(library, name, columns, parameters)
    return [str(label) for label in result.columns] if result.ndim == 2 else [str(result.name)]


def _called(
    library: str, name: str, columns: Mapping[str, Array], parameters: Mapping[str, Any]
) -> Any:  # noqa: ANN401 - a Series, a DataFrame or None
    pandas = import_module("pandas")
    series = {
        "open_" if column == "open" else column: pandas.Series(values)
        for column, values in columns.items()
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return load_function(library, name)(**series, **parameters)


def _column(series: Any) -> Array:  # noqa: ANN401 - a pandas.Series, which is not imported here
    values: Array = series.to_numpy(dtype=np.float64, na_value=np.nan).copy()
    values[~np.isfinite(values)] = np.nan
    return values


def as_indicator(entry: Entry) -> "Indicator[..., Any]":
    """The entry as the catalogue has it."""
    is_cumulative = entry.memory is MemoryKind.CUMULATIVE
    return Indicator(
        name=entry.name,
        title=entry.title,
        description="",
        group=entry.group,
        pane=entry.pane,
        inputs=(*entry.inputs, "session") if is_cumulative else entry.inputs,
        parameters=entry.parameters,
        outputs=entry.outputs,
        memory=SESSION if is_cumulative else _memory(entry),
        source=Source.PANDAS_TA,
        function=partial(_by_session if is_cumulative else _whole, entry),
    )


def _memory(entry: Entry) -> Memory:
    defaults = {parameter.name: parameter.default for parameter in entry.parameters}

    @cache
    def measured(**parameters: object) -> int:
        rows = rows_remembered(partial(_on_bars, entry, parameters))
        if rows is None:
            raise InvalidInput(f"{entry.name} with {parameters} remembers over {LIMIT} rows.")
        return rows

    def rows(**parameters: object) -> int:
        return entry.rows if parameters == defaults else measured(**parameters)

    return Memory(entry.memory, rows, is_measured=True)


def _on_bars(entry: Entry, parameters: Mapping[str, Any], bars: Columns) -> tuple[Array, ...]:
    return _columns(entry, [bars[name] for name in entry.inputs], parameters)


def _whole(entry: Entry, *columns: Array, **parameters: object) -> Array | tuple[Array, ...]:
    return _result(entry, _columns(entry, columns, parameters))


def _by_session(entry: Entry, *columns: Array, **parameters: object) -> Array | tuple[Array, ...]:
    """Each session on its own, for what would otherwise remember everything."""
    *inputs, session = columns
    results = [np.full(len(session), np.nan) for _ in entry.outputs]
    for part in session_slices(session):
        found = _columns(entry, [column[part] for column in inputs], parameters)
        for result, values in zip(results, found, strict=True):
            result[part] = values
    return _result(entry, tuple(results))


def _columns(
    entry: Entry, columns: Sequence[Array], parameters: Mapping[str, object]
) -> tuple[Array, ...]:
    rows = len(columns[0])
    inputs = dict(zip(entry.inputs, columns, strict=True))
    try:
        library = library_of(entry.name)
        found = call(library, entry.name, inputs, {**parameters, **entry.fixed}) if rows else None
    except Exception as error:
        raise _refusal(entry, parameters, str(error)) from error
    if found is not None and len(found) != len(entry.outputs):
        # columns named after their parameters fall together when these are equal
        raise _refusal(entry, parameters, f"it gives {len(found)} columns then")
    return found or tuple(np.full(rows, np.nan) for _ in entry.outputs)


def _refusal(entry: Entry, parameters: Mapping[str, object], reason: str) -> InvalidInput:
    stated = ", ".join(f"{name} {value}" for name, value in parameters.items())
    problem = f"{entry.name} cannot be computed with {stated}: {reason}."
    return InvalidInput(problem, field=next(iter(parameters), None))


def _result(entry: Entry, columns: tuple[Array, ...]) -> Array | tuple[Array, ...]:
    if len(columns) == 1:
        return columns[0]
    result: tuple[Array, ...] = namedtuple(entry.name, entry.outputs)(*columns)
    return result
