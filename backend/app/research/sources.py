"""Bars for a backtest: from files, checked as an import would; and what is missing, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from app.core.clock import from_ns, to_ns
from app.core.errors import InvalidInput, NotFound
from app.core.registry import suggestion
from app.domain.instruments import Instrument
from app.domain.limits import Limits
from app.domain.market import Timeframe
from app.marketdata.action_files import actions_beside
from app.marketdata.adjustments import factors_at, split_steps
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, Flags, concatenate
from app.marketdata.calendar import TradingCalendar, step_ns
from app.marketdata.files import BarFile, bar_files
from app.marketdata.ports import Action
from app.marketdata.shapes import Hints
from app.marketdata.validation import EXPLANATIONS, validate


class Source(msgspec.Struct, kw_only=True):
    """Bars of one timeframe, a batch a symbol, and what is known about them."""

    name: str
    "The data set, file or folder."
    bars: list[BarBatch]
    actions: list[Action] = []
    "Corporate actions of the symbols."
    calendar: TradingCalendar
    instruments: Mapping[str, Instrument] = {}
    limits: Limits | None = None
    "The account's; None: those of a new account."
    notes: list[str] = []


def read_files(
    path: Path,
    calendar: TradingCalendar,
    *,
    timeframe: Timeframe | None = None,
    symbols: Sequence[str] = (),
    hints: Hints | None = None,
) -> Source:
    """Believable bars of `symbols` (by default all) from a file or a folder of files.

    Bars longer than the file's are made of them; without `timeframe` they stay as they are.
    Raises NotFound for a symbol that is not there, InvalidInput for what is no file of bars.
    """
    files = bar_files(path)
    wanted = set(symbols)
    notes: list[str] = []
    found: dict[str, BarBatch] = {}
    for symbol, file in files.items():
        if not wanted or symbol in wanted or len(files) == 1:
            for batch in _read(file, symbol, hints or Hints(), calendar, notes):
                found[batch.symbol] = _made(batch, timeframe, calendar)
    for symbol in symbols:
        if symbol not in found:
            remedy = suggestion(symbol, {*found, *(files if len(files) > 1 else ())})
            raise NotFound(f"There are no bars of {symbol} in {path}.", remedy=remedy)
    bars = [found[symbol] for symbol in symbols or sorted(found)]
    _refuse_mixture(bars, path)
    actions = [action for batch in bars for action in actions_beside(path, batch.symbol, calendar)]
    return Source(name=str(path), bars=bars, actions=actions, calendar=calendar, notes=notes)


def traded(batch: BarBatch, start: datetime | None, end: datetime | None) -> BarBatch:
    """The bars that start at `start` or later and end by `end`."""
    first = 0 if start is None else int(np.searchsorted(batch.start, to_ns(start)))
    last = len(batch) if end is None else int(np.searchsorted(batch.end, to_ns(end), "right"))
    return batch[first : max(first, last)]


def refuse_empty(
    source: Source, timeframe: Timeframe, start: datetime | None, end: datetime | None
) -> None:
    """Raises InvalidInput, which says what there is, when a symbol has nothing to trade."""
    for batch in source.bars:
        if not len(batch):
            raise InvalidInput(
                f"{source.name} holds no {timeframe} bars of {batch.symbol} in regular hours.",
                field="symbols",
            )
        if len(traded(batch, start, end)):
            continue
        first, last = from_ns(int(batch.start[0])), from_ns(int(batch.end[-1]))
        raise InvalidInput(
            f"There are no {timeframe} bars of {batch.symbol} {_period(start, end)}.",
            field="start",
            remedy=f"{source.name} holds {len(batch):,} from {first:%Y-%m-%d %H:%M}"
            f" to {last:%Y-%m-%d %H:%M} UTC.",
        )


def _period(start: datetime | None, end: datetime | None) -> str:
    words = []
    if start:
        words.append(f"from {start:%Y-%m-%d %H:%M}")
    if end:
        words.append(f"to {end:%Y-%m-%d %H:%M}")
    return " ".join(words) + " UTC"


def _read(
    path: Path, symbol: str, hints: Hints, calendar: TradingCalendar, notes: list[str]
) -> list[BarBatch]:
    """The believable bars of one file, by symbol where a column names them."""
    parts: dict[str, list[tuple[BarBatch, Flags]]] = {}
    for chunk in _opened(path, calendar, symbol, hints).chunks():
        parts.setdefault(chunk.batch.symbol, []).append((chunk.batch, chunk.malformed))
    batches = []
    for name, pieces in sorted(parts.items()):
        malformed = np.concatenate([flags for _, flags in pieces])
        batch = concatenate(b for b, _ in pieces)
        splits = split_steps(actions_beside(path, name, calendar), calendar)
        factors = factors_at(splits, batch.start)
        verdict = validate(batch, calendar, malformed=malformed, factors=factors)
        if len(verdict.bad):
            reasons = "; ".join(EXPLANATIONS[reason] for reason in verdict.counts())
            notes.append(f"{path.name}: {len(verdict.bad)} rows of {name} left out: {reasons}.")
        batches.append(verdict.good.sorted())
    return batches


def _opened(path: Path, calendar: TradingCalendar, symbol: str, hints: Hints) -> BarFile:
    file = BarFile(path, calendar, replace(hints, symbol=symbol))
    has_symbols = "symbol" in file.shape.columns
    return BarFile(path, calendar, hints) if has_symbols else file


def _made(batch: BarBatch, timeframe: Timeframe | None, calendar: TradingCalendar) -> BarBatch:
    if timeframe is None or batch.timeframe is timeframe:
        return batch
    if step_ns(batch.timeframe) > step_ns(timeframe):
        raise InvalidInput(
            f"The bars of {batch.symbol} are {batch.timeframe}: none of {timeframe} are in them.",
            field="timeframe",
            remedy=f"Use --timeframe {batch.timeframe}, or a longer one.",
        )
    return aggregate(batch, timeframe, calendar)


def _refuse_mixture(bars: Sequence[BarBatch], path: Path) -> None:
    lengths = sorted({str(batch.timeframe) for batch in bars})
    if len(lengths) > 1:
        raise InvalidInput(
            f"The bars in {path} are of different lengths: {', '.join(lengths)}.",
            field="timeframe",
            remedy="Name one with --timeframe, or choose among the --symbols.",
        )
