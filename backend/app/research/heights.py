"""Between visited slices: where the equity was highest, and where it may have fallen too far.

Positions are constant there, so both are searches over arrays. They are in floats while money is in
decimals: what lies too close to tell is looked at again by the engine.
"""

import numpy as np
from numpy.typing import NDArray

from app.research.market import Day, Market
from app.risk.book import Book

_TOLERANCE = 1e-6
"Floats this close (relative) may be the other way round in decimals."
Floats = NDArray[np.float64]


class Heights:
    """Follows the account's equity over a market."""

    def __init__(self, market: Market, book: Book) -> None:
        self._market, self._book = market, book
        self._first = self._last = 0
        self._ranges: dict[str, tuple[float, float]] = {}
        "Least and largest price of the session, by symbol."

    def begin(self, day: Day) -> None:
        """A new session."""
        self._first, self._last, self._ranges = day.first, day.last, {}

    def fall(self, k: int, best: int) -> int:
        """The first slice in [k, best) at which the drawdown limit may be reached, else `best`."""
        book = self._book
        limit = book.limits.max_drawdown
        if limit is None or book.is_drawn_down or best <= k or not book.limits.risk_checking:
            return best
        low = high = float(book.cash)
        held = self._held()
        for symbol, quantity in held:
            least, most = self._range(symbol)
            low += min(quantity * least, quantity * most)
            high += max(quantity * least, quantity * most)
        top, keep = max(high, float(book.peak)), 1 - float(limit)
        if low > top * keep + self._room(top, held):
            return best
        path = self._path(held, k, best)
        peaks = np.maximum.accumulate(np.maximum(path, float(book.peak)))
        fell = path <= peaks * keep + self._room(top, held)
        first = int(fell.argmax())
        return k + first if fell[first] else best

    def _held(self) -> list[tuple[str, float]]:
        """Symbols, and how often a change of their price counts: contracts times multiplier."""
        book = self._book
        return [
            (symbol, float(quantity * book.instrument(symbol).multiplier))
            for symbol, quantity in book.net.items()
            if quantity
        ]

    def _range(self, symbol: str) -> tuple[float, float]:
        """Least and largest price of the symbol in this session, its mark among them."""
        found = self._ranges.get(symbol)
        if found is None:
            price, track = float(self._book.price(symbol) or 0), self._market.tracks.get(symbol)
            closes = np.array([price])
            if track is not None:
                bars = slice(track.bars_before(self._first), track.bars_before(self._last))
                closes = np.append(track.close[bars], price)
            found = self._ranges[symbol] = float(closes.min()), float(closes.max())
        return found

    def _path(self, held: list[tuple[str, float]], k: int, until: int) -> Floats:
        """The equity at each of the slices."""
        path = np.full(until - k, float(self._book.cash))
        for symbol, quantity in held:
            path += quantity * self._closes(symbol, k, until)
        return path

    def _room(self, top: float, held: list[tuple[str, float]]) -> float:
        """Money is counted on the tick grid: a path in raw closes may rank slices wrongly."""
        book = self._book
        ticks = (abs(q) * float(book.instrument(symbol).tick) for symbol, q in held)
        return _TOLERANCE * max(abs(top), 1.0) + sum(ticks)

    def peaks(self, k: int, until: int) -> list[dict[str, float]]:
        """Closes of the slices that may have had the highest equity."""
        book = self._book
        held = self._held()
        if not held or book.limits.max_drawdown is None:
            return []
        if len(held) == 1:
            symbol, quantity = held[0]
            track = self._market.tracks.get(symbol)
            if track is None:
                return []
            closes = track.close[track.bars_before(k) : track.bars_before(until)]
            # Before its first bar in these slices it is still worth its mark.
            peaks: list[dict[str, float]] = [{}] if track.bar_at(k) < 0 else []
            if len(closes):
                best = np.maximum if quantity > 0 else np.minimum
                peaks.append({symbol: float(best.reduce(closes))})
            return peaks
        return self._joint_peaks(held, k, until)

    def _joint_peaks(
        self, held: list[tuple[str, float]], k: int, until: int
    ) -> list[dict[str, float]]:
        book = self._book
        closes = {symbol: self._closes(symbol, k, until) for symbol, _ in held}
        path = np.full(until - k, float(book.cash))
        for symbol, quantity in held:
            path += quantity * closes[symbol]
        top = float(path.max())
        room = self._room(top, held)
        if top < float(book.peak) - room:
            return []
        rows = np.flatnonzero(path >= top - room)
        near = np.unique(np.stack([closes[symbol][rows] for symbol, _ in held]), axis=1)
        return [
            {symbol: float(values[i]) for (symbol, _), values in zip(held, near, strict=True)}
            for i in range(near.shape[1])
        ]

    def _closes(self, symbol: str, k: int, until: int) -> Floats:
        """The symbol's last close at each slice, its mark where it has had no bar since."""
        track = self._market.tracks.get(symbol)
        if track is None:
            return np.full(until - k, float(self._book.price(symbol) or 0))
        if track.is_complete:
            return track.close[track.first_bar + k : track.first_bar + until]
        bars = np.append(track.next_bar, track.last_bar)[k + 1 : until + 1] - 1
        mark = float(self._book.price(symbol) or 0)
        return np.where(bars >= track.bars_before(k), track.close[np.maximum(bars, 0)], mark)
