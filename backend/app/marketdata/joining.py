"""Batches of prints or quotes put together: one table of symbols, one of labels."""

from collections.abc import Sequence

import numpy as np

from app.marketdata.batch import QuoteBatch, TickBatch, TickLabel
from app.marketdata.tick_memory import Groups


def join_ticks(batches: Sequence[TickBatch]) -> TickBatch:
    """One batch of the rows of all, in the order given; there must be one at least."""
    first = batches[0]
    if all(b.symbols == first.symbols and b.labels == first.labels for b in batches):
        return TickBatch(first.symbols, np.concatenate([b.rows for b in batches]), first.labels)
    symbols: dict[str, int] = {}
    labels: dict[TickLabel, int] = {}
    parts = []
    for batch in batches:
        rows = batch.rows.copy()
        rows["symbol"] = _places(symbols, batch.symbols)[rows["symbol"]]
        rows["label"] = _places(labels, batch.labels)[rows["label"]]
        parts.append(rows)
    return TickBatch(tuple(symbols), np.concatenate(parts), tuple(labels))


def join_quotes(batches: Sequence[QuoteBatch]) -> QuoteBatch:
    """One batch of the rows of all, in the order given; all partial, or none."""
    first = batches[0]
    if all(b.symbols == first.symbols for b in batches):
        return QuoteBatch(first.symbols, np.concatenate([b.rows for b in batches]), first.partial)
    symbols: dict[str, int] = {}
    parts = []
    for batch in batches:
        rows = batch.rows.copy()
        rows["symbol"] = _places(symbols, batch.symbols)[rows["symbol"]]
        parts.append(rows)
    return QuoteBatch(tuple(symbols), np.concatenate(parts), first.partial)


def newest_rows(batch: QuoteBatch, count: int) -> QuoteBatch:
    """The newest rows, `count` in all, of every symbol as many; the others are left out."""
    groups = Groups.of(batch.rows["symbol"].astype(np.intp))
    each = max(count // max(len(groups.numbers), 1), 1)
    back = np.repeat(groups.first + groups.lengths, groups.lengths) - np.arange(len(batch))
    return batch[np.sort(groups.order[back <= each])]


def _places(table: dict[str, int] | dict[TickLabel, int], values: Sequence[object]) -> np.ndarray:
    known: dict[object, int] = table  # type: ignore[assignment]  # either kind of key
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int32)
