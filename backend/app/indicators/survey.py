"""Looks through the pandas-ta library for what may enter the catalogue.

`python -m app.indicators.survey` writes pandas_ta.json. A function is offered when it needs bars
only, keeps every bit of its earlier rows as bars are appended, and its memory can be measured; a
sum without end is offered session by session. With the original pandas-ta installed it writes
pandas_ta_original.json instead: the functions for which that one may stand in.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from keyword import iskeyword
from typing import Final, cast

import msgspec
import numpy as np

from app.domain.parameters import Parameter, ParameterType, Value
from app.indicators import pandas_ta
from app.indicators.catalog import OWN
from app.indicators.declaration import Group, Pane
from app.indicators.measure import Compute, rows_remembered
from app.indicators.memory import RESIDUAL, MemoryKind
from app.indicators.rows import Array
from app.indicators.samples import sample_bars

BAR_COLUMNS: Final = ("open", "high", "low", "close", "volume")
GROUPS: Final = {"overlap": Group.TREND}
FIXED: Final = {
    "dpo": {"lookahead": False},
    "ichimoku": {"lookahead": False, "as_dataframe": True},
}
"Switches the library has against looking ahead."
TITLES: Final = {
    "cdl_doji": "Doji",
    "cdl_inside": "Inside bar",
    "cdl_z": "Z-scored candles",
    "cfo": "Chande Forecast Oscillator",
    "ebsw": "Even Better Sinewave",
    "jma": "Jurik Moving Average",
    "kst": "Know Sure Thing",
    "ssf": "Ehlers' Super Smoother Filter",
    "stochrsi": "Stochastic RSI",
}
"Where the library's own is unclear."
NOT_OFFERED: Final = frozenset(
    {
        *("offset", "talib", "close", "open_", "high", "low", "volume", "drift", "poles", "ddof"),
        *("initial", "fastmatype", "slowmatype", "signalmatype"),
    }
)
"An offset may look ahead and `talib` changes the bits; the others nobody will miss."
REAL: Final = frozenset(
    {
        *("scalar", "factor", "divisor", "annualization", "c", "std", "multiplier", "long"),
        *("bb_std", "kc_scalar", "kc_scalar_wide", "kc_scalar_normal", "kc_scalar_narrow"),
    }
)
"Numbers, even where the library's default happens to be whole."
AVERAGES: Final = ("sma", "ema", "wma", "rma")
NEAR: Final = 0.2
PRICE_LEVEL: Final = 7
ROWS: Final = 700
CUTS: Final = (40, 333, 512, 699)


class Refused(Exception):
    """Why a function is not offered."""


def survey(functions: Iterable[tuple[str, str]]) -> pandas_ta.Table:
    """Of (category, name): those offered, and the reason for each of the others."""
    entries, excluded = [], {}
    for category, name in functions:
        try:
            entries.append(examine(category, name))
        except Refused as refusal:
            excluded[name] = str(refusal)
    return pandas_ta.Table(tuple(entries), excluded)


def survey_original() -> list[str]:
    """Names of the table for which the original pandas-ta may stand in: it gives as many columns,
    does not look ahead either, and remembers no more."""
    return [entry.name for entry in pandas_ta.table().entries if _stands_in(entry)]


def _stands_in(entry: pandas_ta.Entry) -> bool:
    if not callable(getattr(pandas_ta.load(pandas_ta.ORIGINAL), entry.name, None)):
        return False
    probe = Probe(pandas_ta.ORIGINAL, entry.name, entry.inputs)
    try:
        if probe.count != len(entry.outputs) or not look_ahead_free(probe):
            return False
        rows = rows_remembered(probe)
    except Refused:
        return False
    return entry.memory is MemoryKind.CUMULATIVE or (rows is not None and rows <= entry.rows)


def library_functions() -> Iterator[tuple[str, str]]:
    """(category, name) of every indicator of the library."""
    categories: Mapping[str, list[str]] = pandas_ta.load(pandas_ta.CLASSIC).Category
    for category in sorted(categories):
        for name in sorted(categories[category]):
            yield category, name


@dataclass(frozen=True)
class Probe:
    """A function of a library on chosen columns of bars."""

    library: str
    name: str
    inputs: tuple[str, ...]

    @cached_property
    def count(self) -> int:
        """How many columns it gives. Raises Refused when it gives none on plain bars."""
        found = self._found(sample_bars(ROWS), {})
        if not found:
            raise Refused("it gives nothing on bars alone")
        if len(found[0]) != ROWS:
            raise Refused("its rows are not those of the bars")
        return len(found)

    def __call__(self, bars: Mapping[str, Array], /, **parameters: Value) -> tuple[Array, ...]:
        nothing = tuple(np.full(len(bars["close"]), np.nan) for _ in range(self.count))
        return self._found(bars, parameters) or nothing

    def _found(
        self, bars: Mapping[str, Array], parameters: Mapping[str, Value]
    ) -> tuple[Array, ...] | None:
        columns = {column: bars[column] for column in self.inputs}
        arguments = {**parameters, **FIXED.get(self.name, {})}
        try:
            return pandas_ta.call(self.library, self.name, columns, arguments)
        except Exception as error:
            raise Refused(f"it fails on plain bars: {type(error).__name__}") from error


def examine(category: str, name: str) -> pandas_ta.Entry:
    """What the catalogue says of a function. Raises Refused."""
    if name in OWN:
        raise Refused("Tradewright has its own")
    probe = Probe(pandas_ta.CLASSIC, name, bar_inputs(name))
    if not look_ahead_free(probe):
        raise Refused("appending bars changes its earlier rows")
    parameters = tuple(found_parameters(probe))
    rows = rows_remembered(probe)
    return pandas_ta.Entry(
        name=name,
        title=title_of(name),
        group=GROUPS.get(category) or Group(category),
        pane=pane_of(probe),
        inputs=probe.inputs,
        outputs=outputs_of(probe),
        parameters=parameters,
        memory=memory_of(probe, rows, parameters),
        rows=max(rows, 1 + longest(parameters)) if rows else 1,
        fixed=FIXED.get(name, {}),
    )


def bar_inputs(name: str) -> tuple[str, ...]:
    """The bar columns a function needs, in its order; all that it can take if it names none."""
    needed, possible = [], []
    function = pandas_ta.load_function(pandas_ta.CLASSIC, name)
    for argument in inspect.signature(function).parameters.values():
        column = argument.name.rstrip("_")
        is_needed = argument.default is argument.empty
        if column in BAR_COLUMNS:
            possible.append(column)
            needed += [column] if is_needed else []
        elif is_needed and argument.kind is argument.POSITIONAL_OR_KEYWORD:
            raise Refused(f"it needs {argument.name}, which bars do not have")
    if not possible:
        raise Refused("it takes no column of bars")
    return tuple(needed or possible)


def look_ahead_free(probe: Compute) -> bool:
    """True when cutting the bars off anywhere leaves every bit of the rows before as it was."""
    bars = sample_bars(ROWS, seed=5)
    whole = probe(bars)
    parts = [(cut, probe({name: c[:cut] for name, c in bars.items()})) for cut in CUTS]
    return all(
        np.array_equal(early, full[:cut], equal_nan=True)
        for cut, part in parts
        for early, full in zip(part, whole, strict=True)
    )


def memory_of(probe: Compute, rows: int | None, parameters: Iterable[Parameter]) -> MemoryKind:
    """Finite when a far smaller residual takes no more rows, and the lengths account for them."""
    if rows is None:
        return MemoryKind.CUMULATIVE
    is_finite = rows <= 2 + 4 * longest(parameters)
    is_finite = is_finite and rows_remembered(probe, RESIDUAL / 1000) == rows
    return MemoryKind.FINITE if is_finite else MemoryKind.DECAYING


def longest(parameters: Iterable[Parameter]) -> int:
    """The longest length: what was tried may never have needed it, e.g. for a rare pattern."""
    lengths = [p.default for p in parameters if p.type is ParameterType.INTEGER]
    return max((int(length) for length in lengths), default=0)


def title_of(name: str) -> str:
    """First line of the library's documentation, without the abbreviation behind it."""
    text = pandas_ta.load_function(pandas_ta.CLASSIC, name).__doc__ or name
    line = text.strip().split("\n")[0].removeprefix("Indicator: ")
    return TITLES.get(name) or re.sub(r"\s*\([^)]*\)\s*$", "", line).rstrip(".")


def pane_of(probe: Probe) -> Pane:
    """Over the prices when every column is close to them, however high these are."""
    bars = sample_bars(ROWS)
    high_priced = {n: c if n == "volume" else c * PRICE_LEVEL for n, c in bars.items()}
    with np.errstate(all="ignore"):
        near = [
            float(np.nanmedian(np.abs(column / high_priced["close"] - 1))) < NEAR
            for column in probe(high_priced)
        ]
    return Pane.OVERLAY if all(near) else Pane.OWN


def outputs_of(probe: Probe) -> tuple[str, ...]:
    """Names of the columns: the library's own, without the parameters where still unique."""
    bars = sample_bars(ROWS)
    columns = {column: bars[column] for column in probe.inputs}
    labels = pandas_ta.labels(probe.library, probe.name, columns, FIXED.get(probe.name, {}))
    if len(labels) == 1:
        return (probe.name,)
    short = [re.sub(r"_-?\d[\d.]*(?=_|$)", "", label) for label in labels]
    chosen = [s if short.count(s) == 1 else label for s, label in zip(short, labels, strict=True)]
    return tuple(identifier(label, probe.name) for label in chosen)


def identifier(label: str, name: str) -> str:
    word = re.sub(r"\W+", "_", label.replace("%", "pct")).strip("_").lower()
    return word if word.isidentifier() and not iskeyword(word) else f"{name}_{word}"


def found_parameters(probe: Probe) -> Iterator[Parameter]:
    """Numbers and averages that can be set, where setting the default changes no bit."""
    bars = sample_bars(ROWS, seed=6)
    plain = probe(bars)
    for argument, default in defaults_of(probe.name).items():
        try:
            stated = probe(bars, **{argument: default})
        except Refused:
            continue
        if all(np.array_equal(a, b, equal_nan=True) for a, b in zip(plain, stated, strict=False)):
            yield parameter_of(argument, default)


def defaults_of(name: str) -> dict[str, Value]:
    """Defaults by parameter, read from the source: in the signature they are all None."""
    function = inspect.unwrap(pandas_ta.load_function(pandas_ta.CLASSIC, name))
    known = set(inspect.signature(function).parameters) - NOT_OFFERED
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found: dict[str, Value] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            argument, default = node.targets[0].id, default_in(node.value)
            if argument in known and argument not in found and is_offered(argument, default):
                value = cast("Value", default)
                found[argument] = float(value) if argument in REAL else value
    return found


def default_in(value: ast.expr) -> object:
    """The default in `int(x) if x else 10`, in `_pos_int(x, 10)` and in `get_drift(x)`."""
    if isinstance(value, ast.IfExp) and isinstance(value.orelse, ast.Constant):
        return value.orelse.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        if value.func.id == "get_drift":
            return 1
        if value.func.id.startswith("_pos_") and isinstance(value.args[1], ast.Constant):
            return value.args[1].value
    return None


def is_offered(argument: str, default: object) -> bool:
    if argument == "mamode":
        return default in AVERAGES
    return isinstance(default, int | float) and not isinstance(default, bool) and default > 0


def parameter_of(argument: str, default: Value) -> Parameter:
    """Bounds keep the value in the range where it means what its name says."""
    if isinstance(default, str):
        return Parameter(
            name=argument, type=ParameterType.STRING, default=default, choices=AVERAGES
        )
    if isinstance(default, int):
        return Parameter(
            name=argument,
            type=ParameterType.INTEGER,
            default=default,
            minimum=1,
            maximum=max(1000, 10 * default),
            unit="bars",
        )
    return Parameter(
        name=argument,
        type=ParameterType.NUMBER,
        default=default,
        minimum=default / 100,
        maximum=default * 100,
    )


def main() -> None:
    """Write what the installed libraries are good for."""
    if pandas_ta.has_original():
        pandas_ta.ORIGINAL_FILE.write_bytes(pretty(survey_original()))
    else:
        pandas_ta.TABLE_FILE.write_bytes(pretty(survey(library_functions())))


def pretty(found: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


if __name__ == "__main__":
    main()
