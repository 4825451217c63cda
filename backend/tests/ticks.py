"""Streams of prints and quotes for tests: made up, cut into batches, spoilt on purpose."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from app.domain.market import Timeframe
from app.marketdata.batch import QUOTE, TICK, QuoteBatch, Rows, TickBatch, TickLabel
from app.marketdata.calendar import TradingCalendar
from tests.factories import ns

SECOND = 1_000_000_000
OPEN = ns("2024-03-01 14:30")
"The open of a plain session of XNYS."


def make_ticks(
    rows: Sequence[tuple[float, float]],
    *,
    symbol: str = "AAPL",
    size: float = 100,
    start: int = OPEN,
    sequence: int | None = None,
) -> TickBatch:
    """Prints from (seconds after `start`, price); numbered from `sequence` on where it is given."""
    made = np.zeros(len(rows), dtype=TICK)
    made["at"] = [start + round(seconds * SECOND) for seconds, _ in rows]
    made["price"] = [price for _, price in rows]
    made["size"] = size
    if sequence is not None:
        made["sequence"] = np.arange(len(rows)) + sequence
    return TickBatch((symbol,), made)


def make_quotes(
    rows: Sequence[tuple[float, float, float]],
    *,
    symbol: str = "AAPL",
    start: int = OPEN,
    partial: bool = False,
) -> QuoteBatch:
    """Tops of book from (seconds after `start`, bid, ask); a side that is NaN has size 0."""
    made = np.zeros(len(rows), dtype=QUOTE)
    made["at"] = [start + round(seconds * SECOND) for seconds, _, _ in rows]
    made["bid"] = [bid for _, bid, _ in rows]
    made["ask"] = [ask for _, _, ask in rows]
    for side in ("bid", "ask"):
        made[f"{side}_size"] = np.where(np.isnan(made[side]), 0, 100)
    return QuoteBatch((symbol,), made, partial)


def random_ticks(
    rng: np.random.Generator,
    count: int,
    *,
    symbols: Sequence[str] = ("AAPL", "MSFT"),
    seconds: int = 400,
    disorder: float = 5.0,
    labels: Sequence[TickLabel] = (TickLabel(),),
    start: int = OPEN,
) -> TickBatch:
    """Prints of several symbols that come up to `disorder` seconds after their instants."""
    rows = np.zeros(count, dtype=TICK)
    at = np.sort(rng.integers(0, seconds * 10, count)) * (SECOND // 10)
    rows["at"] = at + start
    rows["symbol"] = rng.integers(0, len(symbols), count)
    rows["sequence"] = np.arange(count) + 1
    rows["price"] = np.round(100 + np.cumsum(rng.normal(0, 0.05, count)), 2)
    rows["size"] = rng.integers(1, 500, count)
    rows["label"] = rng.integers(0, len(labels), count)
    came = at + rng.integers(0, round(disorder * SECOND) + 1, count)
    return TickBatch(tuple(symbols), rows[np.argsort(came, kind="stable")], tuple(labels))


def cut(count: int, rng: np.random.Generator, pieces: int) -> Iterator[slice]:
    """Slices that cut `count` rows into so many batches at random, some of them empty."""
    edges = [0, *sorted(rng.integers(0, count + 1, pieces - 1).tolist()), count]
    for first, last in itertools.pairwise(edges):
        yield slice(first, last)


def naive_bars(
    batch: TickBatch, timeframe: Timeframe, calendar: TradingCalendar, grace: int
) -> tuple[dict[tuple[str, int], tuple[float, ...]], int]:
    """Bars by (symbol, start), print by print, and how many prints came too late."""
    groups: dict[tuple[str, int], list[tuple[int, int, int, float, float, bool]]] = {}
    newest, late = -(2**62), 0
    for i, row in enumerate(batch.rows):
        at, label = int(row["at"]), batch.labels[row["label"]]
        (start,), (end,) = (edge.tolist() for edge in calendar.bounds(timeframe, np.array([at])))
        if label.counts:
            if end + grace <= newest:
                late += 1
            else:
                key = (batch.symbols[row["symbol"]], start)
                print_ = (at, int(row["sequence"]), i, float(row["price"]), float(row["size"]))
                groups.setdefault(key, []).append((*print_, not label.volume_only))
        newest = max(newest, at)
    bars = {key: _bar(prints) for key, prints in groups.items()}
    return {key: bar for key, bar in bars.items() if bar}, late


def _bar(prints: list[tuple[int, int, int, float, float, bool]]) -> tuple[float, ...]:
    priced = [(price, size) for *_, price, size, has_price in sorted(prints) if has_price]
    if not priced:
        return ()
    prices = [price for price, _ in priced]
    volume = sum(size for _, size in priced)
    vwap = sum(price * size for price, size in priced) / volume
    total = sum(size for *_, size, _ in prints)
    return (prices[0], max(prices), min(prices), prices[-1], total, vwap)


def joined(parts: Sequence[Rows], kind: "np.dtype[np.void]") -> Rows:
    return np.concatenate(parts) if parts else np.empty(0, dtype=kind)
