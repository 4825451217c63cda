"""Panel strategies for the laws: anchored sums tell where columns began, holes are told apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.strategies.base import Array, Columns, Opinion
from app.strategies.panel import Answer, Panel, PanelRow, PanelStrategy


@dataclass
class Leader(PanelStrategy):
    """By columns: long what has risen most, short the rest, no opinion at holes; with stops."""

    length: int = 3
    days: int = 1
    timeframes = ("1d",)

    @property
    def lookback(self) -> int:
        return self.length

    @property
    def lookbacks(self) -> Mapping[str, int]:
        return {"1d": self.days}

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        strength = np.stack([self.strength(panel, symbol) for symbol in panel.symbols])
        best = np.nanmax(np.where(np.isnan(strength), -9.0, strength), axis=0)
        return {
            symbol: self.columns_of(panel, symbol, strength[i], best)
            for i, symbol in enumerate(panel.symbols)
        }

    def strength(self, panel: Panel, symbol: str) -> Array:
        close = panel[symbol]["close"]
        before = np.concatenate([np.full(self.length, np.nan), close])[: len(close)]
        return close / before - 1

    def columns_of(self, panel: Panel, symbol: str, strength: Array, best: Array) -> Columns:
        view, daily = panel[symbol], panel[symbol, "1d"]
        exposure = np.where(strength == best, 1.0, np.where(strength < best - 0.004, -0.5, 0.0))
        is_hole = ~view.is_new & (view["volume"] > 1500)
        return {
            "own": view.aligned(np.cumsum(view.bars["close"])),
            "days": daily.aligned(np.cumsum(daily.bars["volume"])),
            "session": panel.session,
            "exposure": np.where(np.isnan(strength) | is_hole, np.nan, exposure),
            "stop_loss": view["close"] * (1 - 0.01 * np.sign(exposure)),
        }


@dataclass
class Turn:
    """Whose turn it is, and how many rows have been seen."""

    whose: int = 0
    rows: int = 0


@dataclass
class Relay(PanelStrategy):
    """By row, with memory: hands the position on when its holder has fallen."""

    memory: Turn = field(default_factory=Turn, init=False)

    @property
    def lookback(self) -> int:
        return 2

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        closes = {symbol: panel[symbol]["close"] for symbol in panel.symbols}
        return {s: {"change": np.diff(c, prepend=c[:1])} for s, c in closes.items()}

    def decide(self, row: PanelRow, held: Mapping[str, float]) -> Mapping[str, Answer]:
        self.memory.rows += 1
        symbols = list(row)
        now = symbols[self.memory.whose % len(symbols)]
        if row[now]["change"] < 0 or (held[now] == 0 and self.memory.rows % 5 == 0):
            self.memory.whose += 1
        if self.memory.rows % 7 == 0:
            return {}
        after = symbols[self.memory.whose % len(symbols)]
        wanted: dict[str, Answer] = {symbol: 0.0 for symbol in symbols if symbol != after}
        close = row[after]["close"]
        stop = close * 0.98 if close == close else None
        return {**wanted, after: Opinion(0.5 + 0.5 * (held[after] > 0.4), stop_loss=stop)}


@dataclass
class Squeamish(Relay):
    """Gives up on thin bars: in `prepare` below `dry`, in `decide` below `thin`."""

    thin: float = 60.0
    dry: float = 10.0

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        if any((panel[symbol].bars["volume"] < self.dry).any() for symbol in panel.symbols):
            raise ArithmeticError("too dry")
        return super().prepare(panel)

    def decide(self, row: PanelRow, held: Mapping[str, float]) -> Mapping[str, Answer]:
        if any(one["volume"] < self.thin for one in row.values()):
            raise RuntimeError("too thin")
        return super().decide(row, held)


@dataclass
class Parched(Leader):
    """Decides by columns, which cannot be made of bars without volume."""

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        if any((panel[symbol].bars["volume"] < 20).any() for symbol in panel.symbols):
            raise ArithmeticError("too dry")
        return super().prepare(panel)


@dataclass
class Stray(Relay):
    """Sometimes answers what no panel may: something that is no mapping, or a strange symbol."""

    def decide(self, row: PanelRow, held: Mapping[str, float]) -> Mapping[str, Answer]:
        said = super().decide(row, held)
        if self.memory.rows == 40:
            return None  # type: ignore[return-value]  # what user code may do
        return {**said, "XYZ": 1.0} if self.memory.rows == 30 else said


@dataclass
class Asked:
    """How often."""

    times: int = 0


@dataclass
class Seesaw(PanelStrategy):
    """Wants (close - 100) / 10 of the first of two symbols, and the opposite of the other.

    Above 120 it has no opinion. `odd`: the row at which it answers with a strange symbol; with a
    minus, with no mapping at all.
    """

    parts: int = 2
    odd: int = 0
    memory: Asked = field(default_factory=Asked, init=False)

    def check_symbols(self, symbols: Sequence[str]) -> str | None:
        return None if len(symbols) == 2 else f"It takes two, not {len(symbols)}."

    def shares(self, symbols: int) -> int:
        return self.parts

    @property
    def lookback(self) -> int:
        return 1

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        close = panel[panel.symbols[0]]["close"]
        wanted = np.where(close > 120, np.nan, np.round((close - 100) / 10, 3))
        return {
            s: {"exposure": wanted * side} for s, side in zip(panel.symbols, (1, -1), strict=True)
        }

    def decide(self, row: PanelRow, held: Mapping[str, float]) -> Mapping[str, Answer]:
        self.memory.times += 1
        assert held.keys() == row.keys()
        said = super().decide(row, held)
        if self.memory.times == -self.odd:
            return None  # type: ignore[return-value]  # what user code may do
        return {**said, "XYZ": 1.0} if self.memory.times == self.odd else said


PANELS: Mapping[str, type[PanelStrategy]] = {
    "leader": Leader,
    "relay": Relay,
    "squeamish": Squeamish,
    "parched": Parched,
    "stray": Stray,
}
