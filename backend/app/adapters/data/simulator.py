"""A market that never was: seeded, with regimes, overnight gaps and a U-shaped day.

Every session of every symbol follows from (seed, symbol, day) alone, so that a stream can begin
anywhere and two runs see the same market. Daily bars are made of the minutes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.adapters.clients.stored_bars import paced
from app.core.errors import InvalidInput
from app.core.options import Options
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, Floats, concatenate, to_ns
from app.marketdata.calendar import Session, TradingCalendar, trading_calendar
from app.marketdata.pacing import Pace
from app.marketdata.ports import Feed, ProviderSetup
from app.marketdata.slices import in_time_order

BEGINNING: Final = date(2015, 1, 1)
"No session is simulated before this day."
ANCHOR: Final = date(2026, 1, 2)
"The day on which prices stand about where the table below puts them."

_DRIFT: Final = 0.08 / 252
_PULL: Final = 0.997
"How much of yesterday's distance from the trend is left today: prices stay believable for ever."
_GAP_SHARE: Final = 0.3
"Part of a day's move that happens overnight."
_CENT: Final = 0.01


class SimulatorOptions(Options):
    """The simulated market."""

    model_config = SettingsConfigDict(env_prefix="SIMULATOR_")

    seed: int = Field(default=7, ge=0, description="Another seed, another market")
    missing_minutes: float = Field(
        default=0.0, ge=0, lt=1, description="Share of minutes without a bar, as in thin trading"
    )
    start: date = Field(
        default=date(2025, 6, 2), ge=BEGINNING, description="First day of a fresh simulated market"
    )


@dataclass(frozen=True, slots=True)
class Character:
    """How a symbol behaves: price at the anchor, beta to the market, own daily volatility."""

    price: float
    beta: float
    volatility: float
    volume: float


CHARACTERS: Final = {
    "AAPL": Character(270, 1.1, 0.011, 48e6),
    "GOOGL": Character(300, 1.1, 0.013, 32e6),
    "AMZN": Character(230, 1.2, 0.013, 42e6),
    "MSFT": Character(490, 1.0, 0.010, 22e6),
    "NVDA": Character(185, 1.7, 0.019, 190e6),
    "META": Character(660, 1.3, 0.015, 14e6),
    "AVGO": Character(350, 1.5, 0.018, 25e6),
    "SPY": Character(680, 1.0, 0.001, 72e6),
    "QQQ": Character(615, 1.2, 0.003, 52e6),
}

_REGIMES: Final = ((0.0004, 0.006), (0.0012, 0.008), (-0.0012, 0.013), (-0.0004, 0.021))
"Mean and volatility of the market's daily return: calm, rally, slump, storm."
_CHANGES: Final = np.cumsum(
    [
        [0.96, 0.025, 0.012, 0.003],
        [0.04, 0.94, 0.015, 0.005],
        [0.03, 0.02, 0.93, 0.02],
        [0.05, 0.02, 0.05, 0.88],
    ],
    axis=1,
)


class Market:
    """Prices of every session since BEGINNING, computed once a symbol and year."""

    def __init__(self, seed: int, missing: float, calendar: TradingCalendar) -> None:
        self._seed = seed
        self._missing = missing
        self._calendar = calendar
        self._days: dict[int, list[date]] = {}
        self._market: dict[int, tuple[Floats, Floats]] = {}
        self._closes: dict[tuple[str, int], Floats] = {}
        self._regime_after: dict[int, int] = {}

    def minutes(self, symbol: str, session: Session) -> BarBatch:
        """The minute bars of one session."""
        starts, ends = self._calendar.grid(session, Timeframe.M1)
        rng = self._rng(symbol, session.day)
        path, volatility = self._path(symbol, session, len(starts), rng)
        opens = _cents(path[:-1] * np.exp(rng.normal(0, volatility * 0.1)))
        opens[0], closes = _cents(path[:1])[0], _cents(path[1:])
        reach = np.abs(rng.normal(0, volatility * 0.6, (2, len(starts))))
        batch = BarBatch.of(
            symbol,
            Timeframe.M1,
            starts,
            ends,
            open=opens,
            high=np.maximum(_cents(np.maximum(opens, closes) * (1 + reach[0])), closes),
            low=np.minimum(_cents(np.minimum(opens, closes) * (1 - reach[1])), closes),
            close=closes,
            volume=self._volumes(symbol, path, rng),
        )
        kept = rng.random(len(starts)) >= self._missing
        kept[[0, -1]] = True  # the day keeps its open and its close
        return batch[kept]

    # ------------------------------------------------------------------------- the day

    def _path(
        self, symbol: str, session: Session, minutes: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Prices at the open and after each minute, and each minute's volatility."""
        character = character_of(symbol)
        before, after = self._close_before(symbol, session), self._close_on(symbol, session)
        move = np.log(after / before)
        opened = before * np.exp(_GAP_SHARE * move + rng.normal(0, 0.2 * character.volatility))
        shape = _u_shape(minutes)
        regime = self._day_of_market(session.day)[1]
        # everybody's noise comes from one generator, so that symbols move together
        shared = self._rng("", session.day).normal(size=minutes) * regime * character.beta
        own = rng.normal(size=minutes) * character.volatility
        steps = (shared + own) * np.sqrt(shape / minutes)
        walk = np.cumsum(steps)
        elapsed = np.cumsum(shape) / shape.sum()
        bridge = walk - elapsed * walk[-1] + elapsed * np.log(after / opened)
        volatility = np.hypot(regime * character.beta, character.volatility)
        path = opened * np.exp(np.concatenate([[0.0], bridge]))
        return path, volatility * np.sqrt(shape / minutes)

    def _volumes(self, symbol: str, path: Floats, rng: np.random.Generator) -> Floats:
        minutes = len(path) - 1
        moved = np.abs(np.diff(np.log(path)))
        excitement = 1 + 2 * moved / (moved.mean() + 1e-12)
        share = _u_shape(minutes) * excitement * rng.lognormal(0, 0.35, minutes)
        total = character_of(symbol).volume * rng.lognormal(0, 0.2)
        volumes: Floats = np.maximum(np.round(total * share / share.sum()), 1)
        return volumes

    # ----------------------------------------------------------------- from day to day

    def _close_on(self, symbol: str, session: Session) -> float:
        year = session.day.year
        return float(self._closes_of(symbol, year)[self._position(session.day)])

    def _close_before(self, symbol: str, session: Session) -> float:
        position, year = self._position(session.day), session.day.year
        if position:
            return float(self._closes_of(symbol, year)[position - 1])
        if year > BEGINNING.year:
            return float(self._closes_of(symbol, year - 1)[-1])
        return self._trend(symbol, BEGINNING)

    def _closes_of(self, symbol: str, year: int) -> Floats:
        """Closes of a year: a trend, and a distance from it that market and symbol push about."""
        if (symbol, year) not in self._closes:
            character = character_of(symbol)
            trend = np.array([self._trend(symbol, day) for day in self._days_of(year)])
            own = self._rng(symbol, date(year, 1, 1), "year").normal(0, character.volatility, 366)
            market, _ = self._market_of(year)
            distance = self._distance_before(symbol, year)
            distances = np.empty(len(trend))
            for i, push in enumerate((character.beta * market + own[: len(market)]).tolist()):
                distance = _PULL * distance + push
                distances[i] = distance
            self._closes[symbol, year] = trend * np.exp(distances)
        return self._closes[symbol, year]

    def _distance_before(self, symbol: str, year: int) -> float:
        if year <= BEGINNING.year:
            return 0.0
        last = self._days_of(year - 1)[-1]
        return float(np.log(self._closes_of(symbol, year - 1)[-1] / self._trend(symbol, last)))

    def _trend(self, symbol: str, day: date) -> float:
        years = (day - ANCHOR).days / 365.25
        return float(character_of(symbol).price * np.exp(_DRIFT * 252 * years))

    def _market_of(self, year: int) -> tuple[Floats, Floats]:
        """The market's daily returns (around zero) and volatilities of a year."""
        if year not in self._market:
            first = year <= BEGINNING.year
            if not first:
                self._market_of(year - 1)
            regime = 0 if first else self._regime_after[year - 1]
            rng = self._rng("", date(year, 1, 1), "year")
            draws, noise = rng.random(366), rng.normal(size=366)
            returns, volatilities = [], []
            for i in range(len(self._days_of(year))):
                regime = int(np.searchsorted(_CHANGES[regime], draws[i] * _CHANGES[regime][-1]))
                mean, volatility = _REGIMES[regime]
                returns.append(mean + volatility * noise[i])
                volatilities.append(volatility)
            self._regime_after[year] = regime
            self._market[year] = (np.array(returns), np.array(volatilities))
        return self._market[year]

    def _day_of_market(self, day: date) -> tuple[float, float]:
        returns, volatilities = self._market_of(day.year)
        position = self._position(day)
        return float(returns[position]), float(volatilities[position])

    def _position(self, day: date) -> int:
        return self._days_of(day.year).index(day)

    def _days_of(self, year: int) -> list[date]:
        if year not in self._days:
            first, last = (datetime(y, 1, 1, tzinfo=UTC) for y in (year, year + 1))
            sessions = self._calendar.sessions(to_ns(first), to_ns(last))
            self._days[year] = [session.day for session in sessions if session.day.year == year]
        return self._days[year]

    def _rng(self, symbol: str, day: date, what: str = "day") -> np.random.Generator:
        text = f"{self._seed}|{symbol}|{day}|{what}".encode()
        key = np.frombuffer(hashlib.sha256(text).digest()[:16], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key))


def character_of(symbol: str) -> Character:
    """The table's, or one made up from the symbol's letters."""
    if symbol in CHARACTERS:
        return CHARACTERS[symbol]
    first, second, *_ = hashlib.sha256(symbol.encode()).digest()
    return Character(20 + first * 1.5, 0.7 + second / 256, 0.014, 5e6 + second * 1e5)


def _u_shape(minutes: int) -> Floats:
    """Busy at the open and at the close, quiet at noon; the mean is 1."""
    position = np.linspace(-1, 1, minutes) if minutes > 1 else np.zeros(1)
    shape: Floats = 0.6 + 1.2 * position**2 + 1.5 * np.exp(-np.arange(minutes) / 8)
    shape /= shape.mean()
    return shape


def _cents(prices: Floats) -> Floats:
    return np.maximum(np.round(prices, 2), _CENT)


class Adapter:
    """The simulated market as a provider: history of any past, and a stream at `speed`."""

    name = "simulator"

    def __init__(self, setup: ProviderSetup, options: SimulatorOptions | None = None) -> None:
        self._setup = setup
        self._options = options or SimulatorOptions()
        self._calendar = trading_calendar(setup.exchange)
        self._market = Market(self._options.seed, self._options.missing_minutes, self._calendar)

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        first = self._calendar.session_at(to_ns(start))
        begin = first.open if first else to_ns(start)
        sessions = self._calendar.sessions(max(begin, _beginning()), to_ns(end))
        days = [self._bars(symbol, timeframe, session) for session in sessions]
        whole = concatenate([BarBatch.empty(symbol, timeframe), *days])
        return whole.between(to_ns(start), to_ns(end))

    async def stream(
        self, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None = None
    ) -> Feed:
        """Never ends by itself. Without `after` it begins at the first session from `start` on."""
        items = self._items(symbols, timeframe, after)
        async for item in paced(items, Pace(self._setup.speed, self._calendar), self._setup.clock):
            yield item

    async def close(self) -> None:
        """Nothing stays open."""

    def _items(
        self, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None
    ) -> Iterator[SliceOpened | BarBatch]:
        start = self._options.start
        fresh = to_ns(datetime(start.year, start.month, start.day, tzinfo=UTC)) - 1
        seen = max(to_ns(after) if after else fresh, _beginning())
        session = self._calendar.session_at(seen) or self._calendar.next_session(seen)
        while True:
            days = [self._bars(symbol, timeframe, session) for symbol in symbols]
            yield from in_time_order([day[day.end > seen] for day in days], self._calendar)
            session = self._calendar.next_session(session.open)

    def _bars(self, symbol: str, timeframe: Timeframe, session: Session) -> BarBatch:
        if timeframe is Timeframe.S1:
            raise InvalidInput(
                "The simulated market has no bars of one second.",
                field="timeframe",
                remedy="Use 1m or longer.",
            )
        minutes = self._market.minutes(symbol, session)
        if timeframe is Timeframe.M1:
            return minutes
        return aggregate(minutes, timeframe, self._calendar, session.close)


def _beginning() -> int:
    return to_ns(datetime(BEGINNING.year, BEGINNING.month, BEGINNING.day, tzinfo=UTC))
