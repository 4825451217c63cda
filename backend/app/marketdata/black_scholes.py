"""European options after Black, Scholes and Merton: prices, greeks and implied volatilities."""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from app.marketdata.batch import Flags, Floats
from app.marketdata.normal import cdf, pdf

HIGHEST_VOLATILITY: Final = 20.0
LOWEST_VOLATILITY: Final = 1e-4
"Solutions are looked for between 0.01 % and 2000 % a year."
LEAST_TIME_VALUE: Final = 1e-9
"Share of the strike: a price this close to what exercise pays says nothing about volatility."
_STEPS: Final = 60
_CLOSE: Final = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What a price follows from beside volatility: columns of equal length.

    `years` until expiry; `rate` and `dividend_yield` continuously compounded, a year.
    """

    spot: Floats
    strike: Floats
    years: Floats
    rate: Floats
    dividend_yield: Floats
    is_call: Flags

    def __getitem__(self, index: Any) -> "Terms":  # noqa: ANN401 - whatever indexes an array
        """The rows chosen by a mask, a slice or positions."""
        return Terms(*(getattr(self, one.name)[index] for one in fields(self)))

    def __len__(self) -> int:
        return len(self.spot)

    @property
    def sign(self) -> Floats:
        """1 for calls, -1 for puts."""
        return np.where(self.is_call, 1.0, -1.0)

    @property
    def forward_spot(self) -> Floats:
        """Today's worth of the share at expiry: without the dividends until then."""
        return self.spot * np.exp(-self.dividend_yield * self.years)

    @property
    def discounted_strike(self) -> Floats:
        return self.strike * np.exp(-self.rate * self.years)

    @property
    def are_sound(self) -> Flags:
        """Rows of finite numbers with spot, strike and time above zero."""
        columns = (self.spot, self.strike, self.years, self.rate, self.dividend_yield)
        finite = np.isfinite(np.stack(columns)).all(axis=0)
        with np.errstate(invalid="ignore"):
            above: Flags = finite & (self.spot > 0) & (self.strike > 0) & (self.years > 0)
        return above


@dataclass(frozen=True, slots=True, eq=False)
class Greeks:
    """How a price moves, a share: delta and gamma a dollar of the underlying, the rest a unit.

    `theta` is a year's (negative: time costs), `vega` per 1.00 of volatility, `rho` per 1.00 of
    the rate. NaN where the volatility is.
    """

    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats
    rho: Floats

    @classmethod
    def unknown(cls, count: int) -> "Greeks":
        return cls(*(np.full(count, np.nan) for _ in fields(cls)))


def price(terms: Terms, volatility: Floats) -> Floats:
    """Worth a share today; the terms must be sound."""
    d1, d2 = distances(terms, volatility)
    sign = terms.sign
    worth: Floats = sign * (
        terms.forward_spot * cdf(sign * d1) - terms.discounted_strike * cdf(sign * d2)
    )
    return np.maximum(worth, 0.0)


def distances(terms: Terms, volatility: Floats) -> tuple[Floats, Floats]:
    """d1 and d2: how many deviations forward and strike lie apart."""
    deviation = volatility * np.sqrt(terms.years)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.log(terms.forward_spot / terms.discounted_strike) / deviation
    middle = np.nan_to_num(middle, nan=0.0, posinf=1e3, neginf=-1e3)
    return middle + 0.5 * deviation, middle - 0.5 * deviation


def vega(terms: Terms, volatility: Floats) -> Floats:
    """Change of the price per 1.00 of volatility."""
    d1, _ = distances(terms, volatility)
    change: Floats = terms.forward_spot * pdf(d1) * np.sqrt(terms.years)
    return change


def greeks(terms: Terms, volatility: Floats) -> Greeks:
    """Sensitivities in closed form; NaN where the volatility is NaN."""
    d1, d2 = distances(terms, volatility)
    sign, root = terms.sign, np.sqrt(terms.years)
    density = terms.forward_spot * pdf(d1)
    owned, owed = terms.forward_spot * cdf(sign * d1), terms.discounted_strike * cdf(sign * d2)
    carried = sign * (terms.dividend_yield * owned - terms.rate * owed)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = Greeks(
            delta=sign * owned / terms.spot,
            gamma=density / (terms.spot**2 * volatility * root),
            theta=carried - density * volatility / (2.0 * root),
            vega=density * root,
            rho=sign * owed * terms.years,
        )
    unknown = np.isnan(volatility)
    for column in (found.delta, found.gamma, found.theta, found.vega, found.rho):
        column[unknown] = np.nan
    return found


def implied_volatility(terms: Terms, prices: Floats) -> Floats:
    """The volatility at which each contract is worth its price; NaN where there is none.

    None: terms that are not sound, a price at or below what exercise at expiry pays, or at or above
    the share (call) or the strike (put). The out-of-the-money twin is solved, by put-call parity:
    its price is all time value.
    """
    found = np.full(len(terms), np.nan)
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero(terms.are_sound & (prices > 0))
    if not len(rows):
        return found
    part = terms[rows]
    forward, strike = part.forward_spot, part.discounted_strike
    value = prices[rows] - np.maximum(part.sign * (forward - strike), 0.0)
    solvable = (value > LEAST_TIME_VALUE * strike) & (value < np.minimum(forward, strike))
    twins = Terms(
        part.spot, part.strike, part.years, part.rate, part.dividend_yield, forward <= strike
    )
    found[rows[solvable]] = _solved(twins[solvable], value[solvable])
    return found


def _solved(terms: Terms, wanted: Floats) -> Floats:
    """Newton's steps in the logarithm of the price, kept between bounds that close in.

    They begin where the price bends (Manaster and Koehler 1982); the logarithm is concave there, so
    that small prices converge as well as large ones.
    """
    apart = np.abs(np.log(terms.forward_spot / terms.discounted_strike))
    low, high = np.full(len(terms), LOWEST_VOLATILITY), np.full(len(terms), HIGHEST_VOLATILITY)
    guess = np.clip(np.sqrt(2.0 * apart / terms.years), 0.05, 5.0)
    answer = guess.copy()
    open_rows = np.arange(len(terms))
    for _ in range(_STEPS):
        rest = terms[open_rows]
        goal, now = wanted[open_rows], guess[open_rows]
        worth = price(rest, now)
        is_low = worth < goal
        low[open_rows] = np.where(is_low, now, low[open_rows])
        high[open_rows] = np.where(is_low, high[open_rows], now)
        following = _newton(now, worth, goal, vega(rest, now))
        outside = ~((following > low[open_rows]) & (following < high[open_rows]))
        following[outside] = 0.5 * (low[open_rows] + high[open_rows])[outside]
        answer[open_rows] = guess[open_rows] = following
        moving = np.abs(following - now) > _CLOSE * (1.0 + now)
        open_rows = open_rows[moving]
        if not len(open_rows):
            break
    at_bound = (answer < 1.01 * LOWEST_VOLATILITY) | (answer > 0.99 * HIGHEST_VOLATILITY)
    answer[at_bound] = np.nan
    return answer


def _newton(now: Floats, worth: Floats, goal: Floats, slope: Floats) -> Floats:
    with np.errstate(all="ignore"):
        step = np.log(goal / worth) * worth / slope
    following: Floats = now + step
    return following
