"""What the volume says. Sums would never end, so they start anew with each session."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from app.indicators.declaration import Group, Pane, indicator
from app.indicators.library import ta_lib
from app.indicators.memory import SESSION
from app.indicators.rows import Array


def by_session(function: Callable[..., Array], *columns: Array, session: Array) -> Array:
    """`function` on each session's rows alone; a session ends where `session` changes.

    Summed session by session, never by subtracting two long sums: so a value does not depend on
    where the columns begin.
    """
    result = np.full(len(session), np.nan)
    for part in session_slices(session):
        result[part] = function(*(column[part] for column in columns))
    return result


def session_slices(session: Array) -> Iterator[slice]:
    """The rows of each session, in order."""
    if len(session) == 0:
        return
    edges = [0, *(np.flatnonzero(np.diff(session)) + 1).tolist(), len(session)]
    yield from map(slice, edges[:-1], edges[1:])


def _vwap(typical: Array, volume: Array) -> Array:
    traded = np.cumsum(volume)
    mean = np.full(len(traded), np.nan)
    np.divide(np.cumsum(typical * volume), traded, out=mean, where=traded > 0)
    return mean


@indicator(group=Group.VOLUME, pane=Pane.OVERLAY, memory=SESSION)
def vwap(high: Array, low: Array, close: Array, volume: Array, session: Array) -> Array:
    """Volume-weighted average price.

    The mean of the typical price, (high + low + close) / 3, since the session began, each bar
    weighted by its volume. NaN until something was traded. For bars shorter than a session.
    """
    return by_session(_vwap, (high + low + close) / 3, volume, session=session)


@indicator(group=Group.VOLUME, memory=SESSION)
def obv(close: Array, volume: Array, session: Array) -> Array:
    """On-balance volume.

    Volume since the session began, added on a rise and subtracted on a fall of the close; the first
    bar counts as a rise. For bars shorter than a session.
    """
    return by_session(partial(ta_lib, "OBV"), close, volume, session=session)
