"""Option chains as columns, and the volatilities and greeks that their prices imply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.options import ExerciseStyle, OptionContract, OptionType, style_of
from app.marketdata import american, black_scholes
from app.marketdata.batch import Flags, Floats, Nanos, Rows
from app.marketdata.black_scholes import Terms
from app.marketdata.calendar import TradingCalendar

QUOTED: Final = ("bid", "ask", "last", "volume", "open_interest", "underlying_price")
"What a source says."
VALUED: Final = ("implied_volatility", "delta", "gamma", "theta", "vega", "rho")
"What we compute from it."
OPTION: Final = np.dtype(
    [("at", "<i8"), ("contract", "<i4"), *((name, "<f8") for name in (*QUOTED, *VALUED))]
)
"""One contract at one instant. `contract` is a position in the batch's `contracts`; NaN where the
source says nothing or nothing can be computed. `theta` is a day's, `vega` and `rho` are per
percentage point: what traders read."""

_YEAR_NS: Final = 365 * 86_400_000_000_000
_DAYS: Final = 365.0
_PERCENT: Final = 100.0
_LONGEST_CLOSURE: Final = 10
"Days; exchanges have not been closed longer since 1933."


@dataclass(frozen=True, slots=True, eq=False)
class OptionBatch:
    """Rows of any number of contracts as columns."""

    contracts: tuple[OptionContract, ...]
    rows: Rows

    @classmethod
    def of(
        cls,
        contracts: Sequence[OptionContract],
        at: Nanos,
        contract: NDArray[np.integer],
        **values: Floats,
    ) -> "OptionBatch":
        """From columns; those that are not given are NaN."""
        rows = np.empty(len(at), dtype=OPTION)
        rows["at"], rows["contract"] = at, contract
        for name in (*QUOTED, *VALUED):
            rows[name] = values.pop(name, np.nan)
        if values:
            raise TypeError(f"a chain has no column {', '.join(values)}")
        return cls(tuple(contracts), rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | Flags | NDArray[np.intp]) -> "OptionBatch":
        """The rows chosen by a slice, a mask or positions, as a batch."""
        return OptionBatch(self.contracts, self.rows[index])

    def compact(self) -> "OptionBatch":
        """The same rows with no contracts but theirs: work then follows the rows."""
        used, places = np.unique(self.rows["contract"], return_inverse=True)
        if len(used) == len(self.contracts):
            return self
        rows = self.rows.copy()
        rows["contract"] = places
        return OptionBatch(tuple(self.contracts[i] for i in used.tolist()), rows)

    @property
    def prices(self) -> Floats:
        """What each contract costs a share: the middle of a two-sided quote, else the last trade.

        NaN without either. A quote without a bid says only that nobody wants it at the tick.
        """
        bid, ask, last = (self.rows[name] for name in ("bid", "ask", "last"))
        with np.errstate(invalid="ignore"):
            middle = np.where((bid > 0) & (ask >= bid), 0.5 * (bid + ask), np.nan)
            traded = np.where(last > 0, last, np.nan)
        return np.where(np.isnan(middle), traded, middle)


@dataclass(frozen=True, slots=True)
class MarketModel:
    """What money and the underlyings earn until expiry, continuously compounded, a year."""

    curve: tuple[tuple[float, float], ...] = ((0.0, 0.04),)
    "(years, rate) by rising years: straight lines between the points, flat outside."
    dividend_yields: Mapping[str, float] = field(default_factory=dict)

    def rates(self, years: Floats) -> Floats:
        """The rate until each expiry."""
        points = np.array(self.curve)
        found: Floats = np.interp(years, points[:, 0], points[:, 1])
        return found


def valued(batch: OptionBatch, calendar: TradingCalendar, model: MarketModel) -> OptionBatch:
    """The same rows with implied volatilities and greeks; NaN where the price allows none.

    Time runs in calendar days of a year of 365, to the close of the contract's last session.
    """
    rows = batch.rows.copy()
    terms, prices = _terms(batch, calendar, model), batch.prices
    styles = [style_of(one.underlying) for one in batch.contracts]
    european = np.array([style is ExerciseStyle.EUROPEAN for style in styles], dtype=np.bool_)
    is_european = european[rows["contract"]]
    for chosen, pricing in ((is_european, black_scholes), (~is_european, american)):
        if chosen.any():
            _value(rows, np.flatnonzero(chosen), terms, prices, pricing)
    return OptionBatch(batch.contracts, rows)


def expiry_close(calendar: TradingCalendar, expiry: date) -> int:
    """When a contract stops trading (ns): the close of its day, or of the session before it.

    Raises ValueError where no session lies near.
    """
    for back in range(_LONGEST_CLOSURE):
        session = calendar.session_on(expiry - timedelta(days=back))
        if session is not None:
            return session.close
    raise ValueError(f"{calendar.exchange} has no session before {expiry}")


def expiry_closes(batch: OptionBatch, calendar: TradingCalendar) -> Nanos:
    """When the contract of each row stops trading."""
    days = {one.expiry for one in batch.contracts}
    closes = {day: expiry_close(calendar, day) for day in days}
    ends = np.array([closes[one.expiry] for one in batch.contracts], dtype=np.int64)
    found: Nanos = ends[batch.rows["contract"]]
    return found


def _terms(batch: OptionBatch, calendar: TradingCalendar, model: MarketModel) -> Terms:
    rows, contracts = batch.rows, batch.contracts
    which = rows["contract"]
    strikes = np.array([float(one.strike) for one in contracts])
    calls = np.array([one.option_type is OptionType.CALL for one in contracts], dtype=np.bool_)
    yields = np.array([model.dividend_yields.get(one.underlying, 0.0) for one in contracts])
    years = (expiry_closes(batch, calendar) - rows["at"]) / _YEAR_NS
    return Terms(
        spot=np.ascontiguousarray(rows["underlying_price"]),
        strike=strikes[which],
        years=years,
        rate=model.rates(years),
        dividend_yield=yields[which],
        is_call=calls[which],
    )


def _value(
    rows: Rows, chosen: NDArray[np.intp], terms: Terms, prices: Floats, pricing: ModuleType
) -> None:
    """Fill the computed columns of the chosen rows."""
    volatility = np.full(len(rows), np.nan)
    volatility[chosen] = pricing.implied_volatility(terms[chosen], prices[chosen])
    solved = chosen[~np.isnan(volatility[chosen])]
    greeks = pricing.greeks(terms[solved], volatility[solved])
    rows["implied_volatility"][chosen] = volatility[chosen]
    for name in VALUED[1:]:
        rows[name][chosen] = np.nan
    rows["delta"][solved], rows["gamma"][solved] = greeks.delta, greeks.gamma
    rows["theta"][solved] = greeks.theta / _DAYS
    rows["vega"][solved], rows["rho"][solved] = greeks.vega / _PERCENT, greeks.rho / _PERCENT
