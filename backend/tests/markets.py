"""Random markets and strategies for the laws: everything follows from one seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from app.domain.limits import UNLIMITED, Limits
from app.domain.market import Timeframe
from app.domain.matching import FREE, FillModel
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.research.backtest import BacktestResult, run_backtest
from app.strategies.base import BaseStrategy, Columns, Opinion, Row, Strategy
from app.strategies.sma_cross import SmaCross
from tests.panels import PANELS

CALENDAR = trading_calendar("XNYS")
FIRST = int(1.7e18)


def random_batches(
    seed: int, timeframe: Timeframe, length: int, symbols: int, *, wild: float = 0.01
) -> list[BarBatch]:
    """Random walks with gaps at the open, missing bars and thin volume, on real sessions."""
    random = np.random.default_rng(seed)
    starts: list[int] = []
    ends: list[int] = []
    for session in CALENDAR.sessions(FIRST, FIRST + 10**17):
        grid = CALENDAR.grid(session, timeframe)
        starts += grid[0].tolist()
        ends += grid[1].tolist()
        if len(starts) >= length:
            break
    start, end = np.array(starts[:length]), np.array(ends[:length])
    return [_batch(random, f"S{i}", timeframe, start, end, wild) for i in range(symbols)]


def _batch(
    random: np.random.Generator,
    symbol: str,
    timeframe: Timeframe,
    start: np.ndarray[Any, Any],
    end: np.ndarray[Any, Any],
    wild: float,
) -> BarBatch:
    n = len(start)
    close = np.round(50 * np.exp(np.cumsum(random.normal(0, wild, n))), 3)
    opened = np.concatenate([close[:1], close[:-1]]) * np.exp(random.normal(0, wild / 3, n))
    high = np.maximum(opened, close) * np.exp(np.abs(random.normal(0, wild / 2, n)))
    low = np.minimum(opened, close) * np.exp(-np.abs(random.normal(0, wild / 2, n)))
    volume = np.round(random.exponential(3000, n))
    batch = BarBatch.of(
        symbol, timeframe, start, end, open=opened, high=high, low=low, close=close, volume=volume
    )
    return batch[random.random(n) > random.choice([0.0, 0.1])]


@dataclass
class Levels(Strategy):
    """By columns, with prices: long or short away from a mean, no opinion near it."""

    length: int = 5
    stop: float = 0.01
    profit: float = 0.02

    @property
    def lookback(self) -> int:
        return self.length

    def prepare(self, bars: Columns) -> Columns:
        close = bars["close"]
        mean = np.convolve(close, np.ones(self.length) / self.length)[: len(close)]
        away = close / mean - 1
        exposure = np.select([away > 0.004, away < -0.004], [0.7, -0.7], np.nan)
        side = np.sign(exposure)
        return {
            "mean": mean,
            "exposure": exposure,
            "stop_loss": close * (1 - side * self.stop),
            "take_profit": np.where(close > mean * 1.01, np.nan, close * (1 + side * self.profit)),
        }


@dataclass
class Ratchet(Levels):
    """Its stop trails: sometimes from a price on, sometimes from where the position began."""

    def prepare(self, bars: Columns) -> Columns:
        found = dict(super().prepare(bars))
        close = bars["close"]
        found["stop_loss"] = np.where(np.diff(close, prepend=0) > 0, found["stop_loss"], np.nan)
        return found | {"stop_trail": close * self.stop}


@dataclass
class Peak:
    best: float = 0.0
    bars: int = 0


@dataclass
class Trailing(Strategy):
    """By row, with memory: long on strength, out when it has fallen from its best since."""

    fall: float = 0.01
    memory: Peak = field(default_factory=Peak, init=False)

    @property
    def lookback(self) -> int:
        return 3

    def prepare(self, bars: Columns) -> Columns:
        close = bars["close"]
        return {"change": np.diff(close, prepend=close[:1]), "price": close}

    def decide(self, row: Row, held: float) -> float | Opinion | None:
        self.memory.bars += 1
        price = row["price"]
        if held <= 0:
            self.memory.best = price
            if self.memory.bars % 7 == 0:
                return None
            return Opinion(1.0, stop_loss=price * 0.98) if row["change"] > 0 else 0.0
        self.memory.best = max(self.memory.best, price)
        return 0.0 if price < self.memory.best * (1 - self.fall) else 0.5 + 0.5 * (held > 0.4)


@dataclass
class Fragile(Levels):
    """Gives up on thin bars: in `prepare` below `dry`, in `decide` below `thin`."""

    thin: float = 60.0
    dry: float = 0.0

    def prepare(self, bars: Columns) -> Columns:
        if (bars["volume"] < self.dry).any():
            raise ArithmeticError("too dry")
        return super().prepare(bars)

    def decide(self, row: Row, held: float) -> float | Opinion | None:
        if row["volume"] < self.thin:
            raise RuntimeError("too thin")
        return super().decide(row, held)


@dataclass
class Brittle(Levels):
    """Decides by columns, which cannot be made of bars without volume."""

    def prepare(self, bars: Columns) -> Columns:
        if (bars["volume"] < 20).any():
            raise ArithmeticError("too dry")
        return super().prepare(bars)


STRATEGIES: Mapping[str, type[BaseStrategy]] = {
    "sma_cross": SmaCross,
    "levels": Levels,
    "ratchet": Ratchet,
    "trailing": Trailing,
    "fragile": Fragile,
    "brittle": Brittle,
    **PANELS,
}
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "sma_cross": {"fast": 2, "slow": 5, "short": True},
    "levels": {},
    "ratchet": {},
    "trailing": {},
    "fragile": {},
    "brittle": {},
    **{name: {} for name in PANELS},
}


def make_strategy(name: str, parameters: Mapping[str, Any]) -> BaseStrategy:
    return STRATEGIES[name](**parameters)


TIGHT = Limits(
    max_concurrent_orders=2,
    max_position_size=Decimal("0.2"),
    max_portfolio_exposure=Decimal("0.5"),
    default_stop_loss=Decimal("0.01"),
    max_daily_loss=Decimal("0.01"),
    max_drawdown=Decimal("0.05"),
    max_orders_per_minute=3,
    allow_short=True,
    settled_cash_only=True,
)
FALLING = msgspec.structs.replace(UNLIMITED, max_drawdown=Decimal("0.004"))
SMALL = Limits(
    max_day_trades=1, day_trade_equity=Decimal(10) ** 6, max_daily_notional=Decimal(30_000)
)
LIMITS: Sequence[Limits] = (
    Limits(allow_short=True), TIGHT, Limits(), UNLIMITED, FALLING, SMALL
)  # fmt: skip
THIN = FillModel(volume_cap=Decimal("0.02"), slippage_bps=Decimal(5))
SLOW = FillModel(latency_seconds=Decimal(90))
MOODY = FillModel(reject_rate=Decimal("0.2"))
MODELS: Sequence[FillModel] = (FillModel(), FREE, THIN, SLOW, MOODY)


def random_backtest(
    batches: Sequence[BarBatch],
    strategy: str = "sma_cross",
    *,
    limits: Limits = TIGHT,
    model: FillModel = THIN,
    visit_all: bool = False,
    **given: Any,
) -> BacktestResult:
    return run_backtest(
        strategy,
        strategies=make_strategy,
        parameters=PARAMETERS[strategy],
        bars=batches,
        timeframe=batches[0].timeframe,
        calendar=CALENDAR,
        limits=limits,
        model=model,
        visit_all=visit_all,
        **given,
    )
