"""American options: the European price and what the right to exercise early adds to it.

The quadratic approximation of Barone-Adesi and Whaley (Journal of Finance, 1987) with the
correction of Ju and Zhong ("An approximate formula for pricing American options", Journal of
Derivatives, 1999): columns in, columns out, against trees of thousands of nodes for each contract.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np

from app.marketdata import black_scholes
from app.marketdata.batch import Flags, Floats
from app.marketdata.black_scholes import Greeks, Terms, distances
from app.marketdata.normal import cdf, pdf

_STEPS: Final = 60
_CLOSE: Final = 1e-9
_FARTHEST: Final = 12.0
"Logarithm of the largest ratio between strike and boundary that is looked for."
_SOLVED: Final = 1e-8
_BUMP: Final = 1e-3
"Relative step of the differences, far above rounding and far below what bends the price."


@dataclass(frozen=True, slots=True, eq=False)
class _Boundary:
    """Where a contract is exercised at once, and the shape of the premium before it."""

    spot: Floats
    exponent: Floats
    premium: Floats
    "At the boundary."
    square: Floats
    linear: Floats

    def __getitem__(self, index: Any) -> "_Boundary":  # noqa: ANN401 - whatever indexes an array
        return _Boundary(*(getattr(self, one.name)[index] for one in fields(self)))


def may_be_early(terms: Terms) -> Flags:
    """Contracts whose early exercise can pay: calls on what pays dividends, puts where money earns
    interest. The others are worth what Europeans are."""
    early: Flags = np.where(terms.is_call, terms.dividend_yield, terms.rate) > 0
    return early


def price(terms: Terms, volatility: Floats) -> Floats:
    """Worth a share today; the terms must be sound and the volatility above zero."""
    worth = black_scholes.price(terms, volatility)
    rows = np.flatnonzero(may_be_early(terms))
    if len(rows):
        part, sigma = terms[rows], volatility[rows]
        edge = _boundary(part, sigma)
        exercised = part.sign * (part.spot - part.strike)
        added, *_ = _premium(part, edge)
        held = np.maximum(worth[rows] + added, exercised)
        worth[rows] = np.where(_is_beyond(part, edge), exercised, held)
    return worth


def greeks(terms: Terms, volatility: Floats) -> Greeks:
    """Sensitivities: delta and gamma in closed form, the others by central differences.

    NaN where the volatility is. Beyond the boundary the contract moves as the share does.
    """
    found = black_scholes.greeks(terms, volatility)
    rows = np.flatnonzero(may_be_early(terms) & ~np.isnan(volatility))
    if not len(rows):
        return found
    part, sigma = terms[rows], volatility[rows]
    edge = _boundary(part, sigma)
    _, slope, bend = _premium(part, edge)
    beyond = _is_beyond(part, edge)
    found.delta[rows] = np.where(beyond, part.sign, found.delta[rows] + slope)
    found.gamma[rows] = np.where(beyond, 0.0, found.gamma[rows] + bend)
    found.theta[rows], found.vega[rows], found.rho[rows] = _differences(part, sigma)
    return found


def implied_volatility(terms: Terms, prices: Floats) -> Floats:
    """The volatility at which each contract is worth its price; NaN where there is none.

    None: terms that are not sound, a price at or below what exercise pays, or so high that no
    European is worth it. The European answer is the start, and too high: it has to explain what
    early exercise adds.
    """
    found = black_scholes.implied_volatility(terms, prices)
    exercised = terms.sign * (terms.spot - terms.strike)
    with np.errstate(invalid="ignore"):
        found[~(prices - exercised > black_scholes.LEAST_TIME_VALUE * terms.strike)] = np.nan
        rows = np.flatnonzero(may_be_early(terms) & ~np.isnan(found))
    if len(rows):
        found[rows] = _solved(terms[rows], prices[rows], found[rows])
    return found


# ------------------------------------------------------------------------------ the premium


def _is_beyond(terms: Terms, edge: _Boundary) -> Flags:
    beyond: Flags = terms.sign * (terms.spot - edge.spot) >= 0
    return beyond


def _premium(terms: Terms, edge: _Boundary) -> tuple[Floats, Floats, Floats]:
    """What early exercise adds before the boundary, and its first and second change with spot."""
    apart = np.log(terms.spot / edge.spot)
    chi = apart * (edge.square * apart + edge.linear)
    with np.errstate(all="ignore"):
        rest = 1.0 / (1.0 - chi)
        added = edge.premium * np.exp(edge.exponent * apart) * rest
        turn = 2.0 * edge.square * apart + edge.linear
        growth = edge.exponent + turn * rest
        bend = 2.0 * edge.square * rest + (turn * rest) ** 2
        slope = added * growth / terms.spot
        curve = added * (growth * growth - growth + bend) / terms.spot**2
    sound = np.isfinite(added) & (added > 0) & np.isfinite(curve)
    return tuple(np.where(sound, one, 0.0) for one in (added, slope, curve))  # type: ignore[return-value]  # three, as above


def _boundary(terms: Terms, volatility: Floats) -> _Boundary:
    """The critical price by Newton's steps, and Ju and Zhong's coefficients there."""
    variance = volatility**2
    drift = 2.0 * (terms.rate - terms.dividend_yield) / variance - 1.0
    pull = 2.0 / variance * _per_decay(terms.rate, terms.years)
    root = np.sqrt(drift**2 + 4.0 * pull)
    exponent = 0.5 * (terms.sign * root - drift)
    edge = _critical(terms, volatility, exponent)
    there = replace(terms, spot=edge)
    decay = np.exp(-terms.rate * terms.years)
    premium = np.maximum(
        terms.sign * (edge - terms.strike) - black_scholes.price(there, volatility), 0.0
    )
    aging = -black_scholes.greeks(there, volatility).theta * 2.0 / (variance * decay)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(premium > 0, aging / premium, 0.0)
    return _Boundary(
        spot=edge,
        exponent=exponent,
        premium=premium,
        square=-0.5 * decay * (pull / root) ** 2,
        linear=-decay * terms.sign / root * (relative + pull - (pull / root) ** 2),
    )


def _per_decay(rate: Floats, years: Floats) -> Floats:
    """rate / (1 - exp(-rate * years)), and its limit 1 / years where nothing decays."""
    decayed = -np.expm1(-rate * years)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rate / decayed
    return np.where(np.abs(rate * years) < 1e-12, 1.0 / years, ratio)


def _critical(terms: Terms, volatility: Floats, exponent: Floats) -> Floats:
    """Where holding is worth exactly what exercise pays, as steps of u = |log(spot / strike)|."""
    low, high = np.zeros(len(terms)), np.full(len(terms), _FARTHEST)
    answer = np.clip(1.5 * volatility * np.sqrt(terms.years), 1e-3, 0.5 * _FARTHEST)
    open_rows = np.arange(len(terms))
    for _ in range(_STEPS):
        now = answer[open_rows]
        gap, slope = _gap(terms[open_rows], volatility[open_rows], exponent[open_rows], now)
        is_low = gap < 0
        low[open_rows] = np.where(is_low, now, low[open_rows])
        high[open_rows] = np.where(is_low, high[open_rows], now)
        with np.errstate(all="ignore"):
            following = now - gap / slope
        outside = ~((following > low[open_rows]) & (following < high[open_rows]))
        following[outside] = 0.5 * (low[open_rows] + high[open_rows])[outside]
        answer[open_rows] = following
        open_rows = open_rows[np.abs(following - now) > _CLOSE * (1.0 + now)]
        if not len(open_rows):
            break
    edge: Floats = terms.strike * np.exp(terms.sign * answer)
    return edge


def _gap(
    terms: Terms, volatility: Floats, exponent: Floats, apart: Floats
) -> tuple[Floats, Floats]:
    """By how much exercise beats holding at a distance, a strike, and how that changes with it."""
    sign = terms.sign
    spot = terms.strike * np.exp(sign * apart)
    there = replace(terms, spot=spot)
    d1, d2 = distances(there, volatility)
    fade = np.exp(-terms.dividend_yield * terms.years)
    owned = fade * cdf(sign * d1)
    european = sign * (spot * owned - terms.discounted_strike * cdf(sign * d2))
    gap = sign * (spot - terms.strike) - european - sign * spot * (1.0 - owned) / exponent
    bend = fade * pdf(d1) / (exponent * volatility * np.sqrt(terms.years))
    slope = sign * (1.0 - 1.0 / exponent) * (1.0 - owned) + bend
    return gap / terms.strike, slope * sign * spot / terms.strike


# ------------------------------------------------------------------------------ by numbers


def _differences(terms: Terms, volatility: Floats) -> tuple[Floats, Floats, Floats]:
    """Theta, vega and rho: six prices of every contract, in one batch."""
    count = len(terms)
    day = np.minimum(_BUMP * terms.years, 1.0 / 365.0)
    bump = _BUMP * volatility
    basis = np.full(count, _BUMP)
    moved = (
        (replace(terms, years=terms.years - day), volatility),
        (replace(terms, years=terms.years + day), volatility),
        (terms, volatility + bump),
        (terms, volatility - bump),
        (replace(terms, rate=terms.rate + basis), volatility),
        (replace(terms, rate=terms.rate - basis), volatility),
    )
    whole = Terms(
        *(np.concatenate([getattr(one, f.name) for one, _ in moved]) for f in fields(Terms))
    )
    worth = price(whole, np.concatenate([sigma for _, sigma in moved])).reshape(6, count)
    return (
        (worth[0] - worth[1]) / (2.0 * day),
        (worth[2] - worth[3]) / (2.0 * bump),
        (worth[4] - worth[5]) / (2.0 * basis),
    )


def _solved(terms: Terms, wanted: Floats, start: Floats) -> Floats:
    """Secant steps between bounds that close in (Illinois): safe where the price is flat."""
    low, high = np.full(len(terms), black_scholes.LOWEST_VOLATILITY), start.copy()
    below = price(terms, low) - wanted
    above = price(terms, high) - wanted
    answer = np.where(below < 0, high, np.nan)
    open_rows = np.flatnonzero((below < 0) & (above > _SOLVED * wanted))
    side = np.zeros(len(terms), dtype=np.int8)
    slope = black_scholes.vega(terms, start)
    with np.errstate(all="ignore"):
        first = start - above / slope
    trial = np.where((first > low) & (first < high), first, 0.5 * (low + high))
    for _ in range(_STEPS):
        if not len(open_rows):
            break
        now = trial[open_rows]
        miss = price(terms[open_rows], now) - wanted[open_rows]
        answer[open_rows] = now
        is_low = miss < 0
        rows_low, rows_high = open_rows[is_low], open_rows[~is_low]
        # a bound that stays for the second time counts half, or it would stay for ever
        above[rows_low[side[rows_low] < 0]] *= 0.5
        below[rows_high[side[rows_high] > 0]] *= 0.5
        side[rows_low], side[rows_high] = -1, 1
        low[rows_low], below[rows_low] = now[is_low], miss[is_low]
        high[rows_high], above[rows_high] = now[~is_low], miss[~is_low]
        done = (np.abs(miss) <= _SOLVED * wanted[open_rows]) | (
            high[open_rows] - low[open_rows] < _CLOSE
        )
        open_rows = open_rows[~done]
        trial[open_rows] = _between(low, below, high, above)[open_rows]
    return answer


def _between(low: Floats, below: Floats, high: Floats, above: Floats) -> Floats:
    """Where the straight line between the bounds crosses zero."""
    with np.errstate(all="ignore"):
        crossing = low + (high - low) * below / (below - above)
    middle: Floats = 0.5 * (low + high)
    return np.where((crossing > low) & (crossing < high), crossing, middle)
