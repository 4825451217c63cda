"""Tries a strategy file on made-up bars before anything depends on it."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import msgspec
import numpy as np

from app.core.errors import InvalidInput
from app.indicators.samples import sample_bars
from app.strategies.base import Array, Columns, Strategy
from app.strategies.checks import (
    CUTS,
    ROWS,
    Problem,
    check_columns,
    check_exposure,
    descriptions_missing,
    guarded,
)
from app.strategies.loading import load_file
from app.strategies.panel import PanelStrategy
from app.strategies.panel_validation import try_panel
from app.strategies.trial import decided


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Problems forbid the use of a strategy; warnings are advice."""

    path: str
    strategies: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def is_valid(self) -> bool:
        return not self.problems


def validate(path: Path) -> Report:
    """Load a strategy file and try each strategy in it. What is wrong is reported, not raised."""
    try:
        classes = load_file(path)
    except InvalidInput as error:
        return Report(path=str(path), strategies=(), problems=(str(error),), warnings=())
    problems: list[str] = []
    warnings = list(foreign_imports(path))
    for strategy in classes:
        try:
            if issubclass(strategy, PanelStrategy):
                warnings.extend(try_panel(strategy, path))
            else:
                warnings.extend(try_strategy(cast("type[Strategy]", strategy), path))
        except Problem as problem:
            problems.append(f"{strategy.name}: {problem}")
    return Report(
        path=str(path),
        strategies=tuple(strategy.name for strategy in classes),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def foreign_imports(path: Path) -> Iterator[str]:
    """Imports of the platform's inside, which may change with any version."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "app":
                yield f"line {node.lineno} imports {name}: import from tradewright instead."


def try_strategy(kind: type[Strategy], path: Path) -> Iterator[str]:
    """Run the strategy as the engine would, with its defaults. Raises Problem; yields warnings."""
    strategy = kind()
    bars = sample_bars(strategy.lookback + ROWS, seed=3)
    columns = prepared(strategy, bars, path)
    if strategy.decides_by_row:
        check_decisions(strategy, columns, path)
        check_memory(kind, columns)
    else:
        check_exposure(columns)
        yield from short_lookback(kind, bars, columns, path)
    check_causality(kind, bars, columns, path)
    yield from descriptions_missing(kind, columns)


def prepared(strategy: Strategy, bars: Columns, path: Path) -> Mapping[str, Array]:
    """The columns of `prepare`, found to be columns; the bars must stay as they were."""
    given = {name: column.copy() for name, column in bars.items()}
    columns = guarded(lambda: strategy.prepare(given), "prepare", path)
    if not isinstance(columns, Mapping) or not columns:
        raise Problem(f"prepare must return columns by name, not {type(columns).__name__}.")
    check_columns(columns, len(bars["close"]))
    changed = [name for name in bars if not np.array_equal(given[name], bars[name])]
    if changed:
        raise Problem(f"prepare changes the bars ({', '.join(changed)}): copy before you write.")
    return columns


def check_causality(kind: type[Strategy], bars: Columns, whole: Columns, path: Path) -> None:
    """Cutting bars off at the end must leave every bit of the rows before as it was."""
    for cut in CUTS:
        part = {name: column[:-cut] for name, column in bars.items()}
        columns = prepared(kind(), part, path)
        for name, column in whole.items():
            if not np.array_equal(columns[name], column[:-cut], equal_nan=True):
                raise Problem(
                    f"the column {name} looks ahead: with {cut} more bars its earlier rows change."
                )


def check_decisions(strategy: Strategy, columns: Columns, path: Path) -> None:
    """`decide` must answer soundly on every row."""
    rows = range(strategy.lookback - 1, rows_of(columns))
    guarded(lambda: list(decided(strategy, columns, rows)), "decide", path)


def check_memory(kind: type[Strategy], columns: Columns) -> None:
    """A strategy that is restored from its checkpoint must go on as if nothing had happened."""
    start, end = kind().lookback - 1, rows_of(columns)
    middle = (start + end) // 2
    # neighbours, since what takes turns would be right by chance after half of all rows
    for restart in (middle, middle + 1):
        first, second = kind(), kind()
        early = list(decided(first, columns, range(start, restart)))
        held = next((one.exposure for one in reversed(early) if one is not None), 0.0)
        try:
            second.restore(msgspec.json.decode(msgspec.json.encode(first.checkpoint())))
        except (TypeError, ValueError, InvalidInput) as error:
            raise Problem(f"its memory cannot be stored: {error}") from error
        late = range(restart, end)
        straight = list(decided(first, columns, late, held))
        if list(decided(second, columns, late, held)) != straight:
            raise Problem("it goes on differently after a restart: keep all it knows in `memory`.")


def short_lookback(
    kind: type[Strategy], bars: Columns, columns: Columns, path: Path
) -> Iterator[str]:
    """Warn when the opinion after `lookback` bars is not the one that longer history gives."""
    rows, lookback = len(bars["close"]), kind().lookback
    starts = range(ROWS // 4, rows - lookback, ROWS // 10)
    different = 0
    for begin in starts:
        part = {name: column[begin : begin + lookback] for name, column in bars.items()}
        late = prepared(kind(), part, path)["exposure"][-1]
        different += not np.array_equal(late, columns["exposure"][begin + lookback - 1], True)
    if different:
        yield (
            f"{kind.name}: after {lookback} bars its opinion differs from that of longer history "
            f"in {different} of {len(starts)} trials: lookback may be too short."
        )


def rows_of(columns: Columns) -> int:
    return len(next(iter(columns.values())))
