"""Prices of before a split or a dividend, as they compare with those after it. Pure.

Raw columns are what was traded and what money is counted in. Adjusted ones are in the shares of one
session, looking back: an action multiplies the rows before its ex-date, and only for sessions that
could know of it. So what is seen at a row never changes later.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.core.clock import to_ns
from app.domain.corporate_actions import ActionKind, ratio_of
from app.domain.events import CorporateActionDue
from app.marketdata.batch import PRICES, BarBatch
from app.marketdata.calendar import Session, TradingCalendar
from app.marketdata.ports import Action

Array = NDArray[np.float64]
Columns = Mapping[str, Array]
_YEARS_NS: Final = 10 * 366 * 86_400 * 10**9
_WEEKS_NS: Final = 21 * 86_400 * 10**9
_CASH: Final = frozenset({ActionKind.DIVIDEND, ActionKind.SPIN_OFF})


@dataclass(frozen=True, slots=True, order=True)
class Adjustment:
    """What one action does to the rows before it. Sessions are ordinals of their days."""

    ex: int
    "Rows of earlier sessions are adjusted."
    amount: float
    "Cash a share; 0 for none. Of two actions of a day the split comes first."
    ratio: float
    "New shares for one old; 1 for none."
    since: int
    "The first session that sees it: the one of the ex-date, or later where it became known later."

    def repeats(self, other: "Adjustment") -> bool:
        """Whether it tells of the same action, perhaps with another figure."""
        return (self.ex, self.amount > 0) == (other.ex, other.amount > 0)

    def factor(self, close: float) -> float:
        """What prices before it are multiplied with; `close`: the last before, in new shares.

        A split divides; of a dividend the day before loses its share: 1 - amount / close. More
        cash than the share was worth says nothing, and changes nothing.
        """
        paid = self.amount / close if 0 < self.amount < close else 0.0
        return (1.0 - paid) / self.ratio


def adjustment_of(action: Action | CorporateActionDue, since: date) -> Adjustment | None:
    """What `action` does to columns from session `since` on; None when nothing."""
    ratio = float(ratio_of(action.ratio)) if action.ratio and action.kind == "split" else 1.0
    amount = float(action.amount) if action.amount and action.kind in _CASH else 0.0
    if ratio == 1.0 and not amount:
        return None
    return Adjustment(action.ex_date.toordinal(), amount, ratio, since.toordinal())


def due_session(action: Action, calendar: TradingCalendar) -> Session | None:
    """The first session on or after the ex-date that opens when the action is known."""
    known = to_ns(action.known_at) if action.known_at is not None else 0
    first = calendar.session_on(action.ex_date)
    if first is not None and first.open >= known:
        return first
    midday = (action.ex_date.toordinal() - date(1970, 1, 1).toordinal()) * 86_400 * 10**9
    begin = max(midday, known)
    for span in (_WEEKS_NS, _YEARS_NS):
        for session in calendar.sessions(begin, begin + span):
            if session.day >= action.ex_date:
                return session
    return None


def adjustments(actions: Iterable[Action], calendar: TradingCalendar) -> list[Adjustment]:
    """Those of the actions that change columns, by ex-date."""
    found = []
    for action in actions:
        session = due_session(action, calendar)
        one = None if session is None else adjustment_of(action, session.day)
        if one is not None:
            found.append(one)
    return sorted(found)


def rebased(columns: Columns, known: Sequence[Adjustment], session: float) -> Columns:
    """Bars in the shares of `session`, by the adjustments that it may know; the same if by none.

    `columns` have the `session` of each row, rising; the close before an ex-date is the last row
    before it, so that rows appended later change none of the earlier ones.
    """
    sessions = columns["session"]
    if not len(sessions):
        return columns
    wanted = [one for one in known if one.since <= session and sessions[0] < one.ex <= sessions[-1]]
    if not wanted:
        return columns
    found = dict(columns)
    price, volume = np.ones(len(sessions)), np.ones(len(sessions))
    for ex, together in groupby(wanted, key=lambda one: one.ex):
        rows = int(np.searchsorted(sessions, ex))
        close = float(columns["close"][rows - 1])
        for one in together:
            price[:rows] *= one.factor(close)
            volume[:rows] *= one.ratio
            close /= one.ratio
    for name in PRICES:
        found[name] = columns[name] * price
    found["volume"] = columns["volume"] * volume
    return found


def turning_sessions(known: Iterable[Adjustment]) -> list[int]:
    """Sessions from which on rows before them are seen otherwise."""
    return sorted({one.since for one in known})


def segments(sessions: Array, first: int, last: int, turns: Sequence[int]) -> Iterator[int]:
    """Rows in (first, last) with which a session begins that knows of more than those before."""
    if first >= last:
        return
    begin, end = sessions[first], sessions[last - 1]
    for turn in turns[bisect_left(turns, begin + 1) : bisect_left(turns, end + 1)]:
        yield first + int(np.searchsorted(sessions[first:last], turn))


# ---------------------------------------------------------------------------- splits alone

SplitSteps = tuple[NDArray[np.int64], Array]
"When shares changed, and the factor of prices before the first, the second … and after the last."


def split_steps(actions: Iterable[Action], calendar: TradingCalendar) -> SplitSteps:
    """The splits among `actions`, whenever they became known: into the newest shares."""
    steps: list[tuple[int, float]] = []
    for action in actions:
        if action.kind == "split" and action.ratio is not None:
            unknowing = Action(symbol=action.symbol, kind="split", ex_date=action.ex_date)
            session = due_session(unknowing, calendar)
            if session is not None:
                steps.append((session.day_start, 1 / float(ratio_of(action.ratio))))
    steps.sort()
    factors = np.ones(len(steps) + 1)
    for index in range(len(steps) - 1, -1, -1):
        factors[index] = factors[index + 1] * steps[index][1]
    return np.array([at for at, _ in steps], np.int64), factors


def factors_at(steps: SplitSteps, start: NDArray[np.int64]) -> Array:
    """What prices at each instant are multiplied with."""
    found: Array = steps[1][np.searchsorted(steps[0], start, side="right")]
    return found


# ----------------------------------------------------------------------------- whole series


@dataclass(frozen=True, slots=True)
class Factor:
    """What rows before the session of `ex` are multiplied with."""

    ex: date
    price: float
    volume: float


def factors(actions: Iterable[Action], closes: Mapping[date, float]) -> list[Factor]:
    """One a date, oldest first. `closes`: the raw close before each ex-date that pays cash."""
    found: list[Factor] = []
    ordered = sorted(actions, key=lambda one: (one.ex_date, one.amount is not None))
    for ex, together in groupby(ordered, key=lambda one: one.ex_date):
        close, price, volume = closes.get(ex, 0.0), 1.0, 1.0
        for action in together:
            one = adjustment_of(action, ex)
            if one is not None:
                price *= one.factor(close)
                volume *= one.ratio
                close /= one.ratio
        if (price, volume) != (1.0, 1.0):
            found.append(Factor(ex, price, volume))
    return found


def adjusted(batch: BarBatch, found: Iterable[Factor], calendar: TradingCalendar) -> BarBatch:
    """The same bars in the shares of after all these factors."""
    rows: Any = batch.rows.copy()
    days = calendar.ordinals(batch.start)
    for one in found:
        before = days < one.ex.toordinal()
        for name in (*PRICES, "vwap"):
            rows[name][before] *= one.price
        rows["volume"][before] *= one.volume
    return BarBatch(batch.symbol, batch.timeframe, rows)
