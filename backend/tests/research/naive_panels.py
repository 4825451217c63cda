"""pairs and rotation on minutes, calculated a second time: from their descriptions, plain loops.

Nothing here imports the product. There is a row for each minute at which a bar of any symbol ended;
what has no bar counts with its last close. Shares = exposure x part of the capital / last close on
the cent, rounded toward zero, whenever an exposure changes; everything fills at the open of the
symbol's next bar, free of charge.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from tests.research.naive import CENT, NEW_YORK, ZERO, Minute

Move = tuple[datetime, str, Decimal, Decimal]
"""When, of what, how many shares (signed), at which price."""


@dataclass
class Account:
    """Symbols by name, what is wanted and what is held of each."""

    bars: Mapping[str, Sequence[Minute]]
    part: Decimal
    moves: list[Move] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held = dict.fromkeys(self.bars, ZERO)
        self.target = dict.fromkeys(self.bars, ZERO)
        self.opinion = dict.fromkeys(self.bars, 0.0)
        self.close: dict[str, Decimal] = {}

    def run(self, rule: "Pairs | Rotation") -> "Account":
        by_end: dict[datetime, dict[str, Minute]] = {}
        for symbol, minutes in self.bars.items():
            for minute in minutes:
                by_end.setdefault(minute.end, {})[symbol] = minute
        for end in sorted(by_end):
            for symbol, bar in sorted(by_end[end].items()):
                self.meet(symbol, bar)
                self.close[symbol] = bar.close
            self.want(rule.wanted(end, by_end[end], self))
        return self

    def meet(self, symbol: str, bar: Minute) -> None:
        missing = self.target[symbol] - self.held[symbol]
        if missing:
            self.held[symbol] += missing
            self.moves.append((bar.start, symbol, missing, _on_cent(bar.open)))

    def want(self, wanted: Mapping[str, float]) -> None:
        for symbol, exposure in wanted.items():
            if exposure != self.opinion[symbol] and symbol in self.close:
                self.opinion[symbol] = exposure
                shares = Decimal(exposure) * self.part / _on_cent(self.close[symbol])
                self.target[symbol] = shares.to_integral_value(ROUND_DOWN)


@dataclass
class Pairs:
    """The pair (first, second) in the words of its description."""

    first: str
    second: str
    length: int
    entry: float
    exit: float
    patience: int
    spreads: list[float] = field(default_factory=list)
    side: int = 0
    alone: int = 0
    waits: bool = False

    def wanted(
        self, end: datetime, bars: Mapping[str, Minute], account: Account
    ) -> dict[str, float]:
        if len(account.close) < 2:
            return {}
        ratio = float(account.close[self.first]) / float(account.close[self.second])
        self.spreads.append(math.log(ratio))
        last = self.spreads[-self.length :]
        if len(last) < self.length or statistics.pstdev(last) == 0:
            return {}
        z = (last[-1] - statistics.fmean(last)) / statistics.pstdev(last)
        self.judge(z, account)
        return {self.first: self.side, self.second: -self.side}

    def judge(self, z: float, account: Account) -> None:
        if abs(z) <= self.exit:
            self.waits = False
        if self.side:
            lonely = (account.held[self.first] == 0) != (account.held[self.second] == 0)
            self.alone = self.alone + 1 if lonely else 0
            if self.alone > self.patience:
                self.side, self.alone, self.waits = 0, 0, abs(z) > self.exit
            elif (self.side > 0 and z >= -self.exit) or (self.side < 0 and z <= self.exit):
                self.side, self.alone = 0, 0
        elif not self.waits and abs(z) >= self.entry:
            self.side = -1 if z > 0 else 1


@dataclass
class Rotation:
    """Holds the symbol whose daily close has risen most over `length` sessions."""

    length: int
    days: dict[str, dict[date, Decimal]] = field(default_factory=dict)

    def wanted(
        self, end: datetime, bars: Mapping[str, Minute], account: Account
    ) -> dict[str, float]:
        for symbol, bar in bars.items():
            day = bar.start.astimezone(NEW_YORK).date()
            self.days.setdefault(symbol, {})[day] = bar.close
        strength = {symbol: self.strength(symbol, end) for symbol in account.bars}
        known = {symbol: value for symbol, value in strength.items() if value is not None}
        if not known:
            return {}
        best = max(known, key=lambda symbol: known[symbol])
        return {symbol: float(symbol == best and known[best] > 0) for symbol in account.bars}

    def strength(self, symbol: str, end: datetime) -> float | None:
        now = end.astimezone(NEW_YORK)
        is_over = now.time() >= time(16, 0)
        closes = [
            close
            for day, close in sorted(self.days.get(symbol, {}).items())
            if is_over or day != now.date()
        ]
        if len(closes) <= self.length:
            return None
        return float(closes[-1]) / float(closes[-1 - self.length]) - 1


def _on_cent(price: Decimal) -> Decimal:
    return price.quantize(CENT, ROUND_HALF_EVEN)
