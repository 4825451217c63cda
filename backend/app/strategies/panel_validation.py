"""Tries a panel strategy on made-up bars of several symbols: some missing, one listed late."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.indicators.samples import sample_bars
from app.strategies.base import Columns
from app.strategies.checks import (
    CUTS,
    ROWS,
    Problem,
    check_columns,
    check_exposure,
    descriptions_missing,
    guarded,
)
from app.strategies.panel import PanelStrategy
from app.strategies.panel_trial import PanelOpinions, PanelTrial, panel_decided

MOST_SYMBOLS: Final = 12
MISSING: Final = 0.03
"Share of bars that are left out."
LENGTHS: Final = tuple(Timeframe)
Made = Mapping[str, Columns]


def try_panel(kind: type[PanelStrategy], path: Path) -> Iterator[str]:
    """Run the strategy as the engine would, with its defaults. Raises Problem; yields warnings."""
    trial = trial_of(kind())
    columns = prepared(kind(), trial, len(trial.ends), path)
    first = kind().bars_needed(trial.timeframe)[trial.timeframe] - 1
    if kind().decides_by_row:
        rows = range(first, len(trial.ends))
        guarded(lambda: list(panel_decided(kind(), columns, rows)), "decide", path)
        check_memory(kind, columns, rows)
    else:
        for one in columns.values():
            check_exposure(one)
        yield from short_lookback(kind, trial, columns, path)
    check_causality(kind, trial, columns, path)
    bars = trial.panel(1)[trial.symbols[0]].bars
    made = {name: c for name, c in columns[trial.symbols[0]].items() if name not in bars}
    yield from descriptions_missing(kind, made)


def trial_of(strategy: PanelStrategy) -> PanelTrial:
    """Bars for a trial: of as few symbols as it takes, one step shorter than its longer bars."""
    symbols = symbols_for(strategy)
    timeframe = timeframe_for(strategy)
    needed = strategy.bars_needed(timeframe)
    rows = ROWS + max(
        bars * min(one.duration // timeframe.duration, 390) for one, bars in needed.items()
    )
    bars = {symbol: sample_bars(rows, seed=3 + i) for i, symbol in enumerate(symbols)}
    generator = np.random.default_rng(7)
    for i, columns in enumerate(bars.values()):
        is_missing = generator.random(rows) < MISSING
        if i and i + 1 == len(bars):
            is_missing[: ROWS // 4] = True  # listed late
        columns["close"][is_missing] = np.nan
    return PanelTrial(strategy, bars, timeframe)


def symbols_for(strategy: PanelStrategy) -> Sequence[str]:
    """The fewest symbols from two on, or one, that it can trade together. Raises Problem."""
    problem: str | None = ""
    for count in (*range(2, MOST_SYMBOLS + 1), 1):
        symbols = [f"S{i}" for i in range(count)]
        problem = strategy.check_symbols(symbols)
        if problem is None:
            return symbols
    raise Problem(f"it refuses 1 to {MOST_SYMBOLS} symbols, the last because: {problem}")


def timeframe_for(strategy: PanelStrategy) -> Timeframe:
    """One step shorter than the shortest of its longer bars; five minutes when it has none."""
    longer = [LENGTHS.index(Timeframe(one)) for one in strategy.lookbacks]
    return LENGTHS[max(min(longer) - 1, 0)] if longer else Timeframe.M5


def prepared(
    strategy: PanelStrategy, trial: PanelTrial, last: int, path: Path, first: int = 0
) -> Made:
    """Bars and the columns of `prepare`, found to be columns; the bars must stay as they were."""
    panel, untouched = trial.panel(last, first), trial.panel(last, first)
    made: Any = guarded(lambda: strategy.prepare(panel), "prepare", path)
    if not isinstance(made, Mapping) or made.keys() != set(trial.symbols):
        what = sorted(made) if isinstance(made, Mapping) else type(made).__name__
        raise Problem(f"prepare must return columns of each symbol, {trial.symbols}, not {what}.")
    for symbol, columns in made.items():
        if not isinstance(columns, Mapping) or not columns:
            raise Problem(f"prepare must return columns by name for {symbol}.")
        check_columns(columns, len(panel), f" of {symbol}")
    for symbol in trial.symbols:
        for timeframe in strategy.bars_needed(trial.timeframe):
            was = untouched[symbol, timeframe].bars
            for name, column in panel[symbol, timeframe].bars.items():
                if not np.array_equal(was[name], column):
                    raise Problem(f"prepare changes the bars ({name}): copy before you write.")
    return panel.with_bars(made)


def check_causality(kind: type[PanelStrategy], trial: PanelTrial, whole: Made, path: Path) -> None:
    """Cutting rows off at the end must leave every bit of the rows before as it was."""
    for cut in CUTS:
        last = len(trial.ends) - cut
        part = prepared(kind(), trial, last, path)
        for symbol, columns in whole.items():
            for name, column in columns.items():
                same = name in part[symbol] and np.array_equal(
                    part[symbol][name], column[:last], equal_nan=True
                )
                if not same:
                    raise Problem(
                        f"the column {name} of {symbol} looks ahead:"
                        f" with {cut} more rows its earlier rows change."
                    )


def check_memory(kind: type[PanelStrategy], columns: Made, rows: range) -> None:
    """A strategy that is restored from its checkpoint must go on as if nothing had happened."""
    middle = (rows.start + rows.stop) // 2
    # neighbours, since what takes turns would be right by chance after half of all rows
    for restart in (middle, middle + 1):
        first, second = kind(), kind()
        held: dict[str, float] = {}
        for opinions in panel_decided(first, columns, range(rows.start, restart)):
            held |= _exposures(opinions)
        try:
            second.restore(msgspec.json.decode(msgspec.json.encode(first.checkpoint())))
        except (TypeError, ValueError, InvalidInput) as error:
            raise Problem(f"its memory cannot be stored: {error}") from error
        late = range(restart, rows.stop)
        straight = list(panel_decided(first, columns, late, held))
        if list(panel_decided(second, columns, late, held)) != straight:
            raise Problem("it goes on differently after a restart: keep all it knows in `memory`.")


def _exposures(opinions: PanelOpinions) -> dict[str, float]:
    return {symbol: one.exposure for symbol, one in opinions.items() if one is not None}


def short_lookback(
    kind: type[PanelStrategy], trial: PanelTrial, columns: Made, path: Path
) -> Iterator[str]:
    """Warn when the opinion after `lookback` rows is not the one that longer history gives."""
    rows = len(trial.ends)
    lookback = kind().bars_needed(trial.timeframe)[trial.timeframe]
    starts = range(rows - lookback - ROWS // 2, rows - lookback, ROWS // 10)
    different = 0
    for begin in starts:
        late = prepared(kind(), trial, begin + lookback, path, begin)
        at = begin + lookback - 1
        same = (
            np.array_equal(late[symbol]["exposure"][-1], one["exposure"][at], equal_nan=True)
            for symbol, one in columns.items()
            if late[symbol]["close"][-1] == one["close"][at]
        )
        different += not all(same)
    if different:
        yield (
            f"{kind.name}: after {lookback} rows its opinion differs from that of longer history "
            f"in {different} of {len(starts)} trials: lookback may be too short."
        )
