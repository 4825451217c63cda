"""Inputs from the market, the clock and people: bars, sessions, corporate actions, commands."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from app.domain.events.base import Fact
from app.domain.market import Bar, Timeframe


class SliceClosed(Fact, frozen=True, kw_only=True):
    """All bars that ended at `end`. Only bars of the `base` timeframe meet resting orders."""

    end: datetime
    session: date
    base: Timeframe
    bars: tuple[Bar, ...]
    warm_up: bool = False
    "True after an outage: indicators and marks move, nothing is decided."


class BarLate(Fact, frozen=True, kw_only=True):
    """A bar that came after its slice was closed: stored, never traded."""

    bar: Bar
    at: datetime


class BarsCorrected(Fact, frozen=True, kw_only=True):
    """Stored bars of [start, end) were replaced; what they were is in `stock_data_revisions`.

    The engine hears of it between sessions, before the first slice that may rest on them.
    """

    symbol: str
    timeframe: Timeframe
    start: datetime
    end: datetime
    bars: int
    source: str
    at: datetime


class CorporateActionDue(Fact, frozen=True, kw_only=True):
    """A corporate action takes effect, before the first slice of `session`.

    `ratio` is new shares for one old, `amount` cash a share. `is_late`: it became known only when
    its session was under way, so that nobody can say what was held of it.
    """

    action_id: str
    symbol: str
    kind: str
    ex_date: date
    session: date
    at: datetime
    ratio: Decimal | None = None
    amount: Decimal | None = None
    currency: str = "USD"
    new_symbol: str | None = None
    is_late: bool = False


class ClockTicked(Fact, frozen=True, kw_only=True):
    at: datetime


class SessionOpened(Fact, frozen=True, kw_only=True):
    session: date
    at: datetime


class SessionClosed(Fact, frozen=True, kw_only=True):
    session: date
    at: datetime


class CommandReceived(Fact, frozen=True, kw_only=True):
    """Somebody asked for something; `payload` depends on `kind` (see engine.commands)."""

    command_id: int
    kind: str
    payload: dict[str, Any]
    actor: str
    at: datetime
