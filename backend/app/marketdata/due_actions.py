"""Which corporate actions take effect with a session: what engines are told before its bars."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from app.domain.corporate_actions import ActionKind, action_id_of
from app.domain.events import CorporateActionDue
from app.marketdata.adjustments import due_session
from app.marketdata.calendar import TradingCalendar
from app.marketdata.ports import Action

_ORDER: Final = {
    kind: number
    for number, kind in enumerate(
        (
            ActionKind.SPLIT,  # a dividend of the same day is told in new shares
            ActionKind.DIVIDEND,
            ActionKind.SPIN_OFF,
            ActionKind.MERGER,
            ActionKind.SYMBOL_CHANGE,
            ActionKind.DELISTING,
        )
    )
}


class Schedule:
    """Actions by the session with which they take effect: ex-date, or when they became known."""

    def __init__(self, actions: Iterable[Action], calendar: TradingCalendar) -> None:
        due = [(_day(action, calendar), action) for action in actions]
        found = [(day, action) for day, action in due if day is not None]
        self._due = sorted(found, key=lambda one: (one[0], one[1].symbol, _ORDER[_kind(one[1])]))
        self._days = [day for day, _ in self._due]
        self._on_time = {id(action): _on_time(action, calendar) for _, action in self._due}
        self.symbols: Final = frozenset(action.symbol for _, action in self._due)

    def due(self, after: date | None, session: date, at: datetime) -> list[CorporateActionDue]:
        """What is due after session `after` (None: with `session` alone) up to `session`.

        `at`: when that opens.
        """
        first = bisect_right(self._days, after) if after else self._first_of(session)
        wanted = self._due[first : bisect_right(self._days, session)]
        return [self._event(day, action, session, at) for day, action in wanted]

    def _first_of(self, session: date) -> int:
        return bisect_right(self._days, date.fromordinal(session.toordinal() - 1))

    def _event(self, day: date, action: Action, session: date, at: datetime) -> CorporateActionDue:
        on_time = self._on_time[id(action)]
        return CorporateActionDue(
            action_id=action_id_of(action.symbol, action.kind, action.ex_date),
            symbol=action.symbol,
            kind=action.kind,
            ex_date=action.ex_date,
            session=session,
            at=at,
            ratio=action.ratio,
            amount=action.amount,
            currency=action.currency,
            new_symbol=action.new_symbol,
            is_late=on_time is not None and on_time < day,
        )


def _kind(action: Action) -> ActionKind:
    return ActionKind(action.kind)


def _day(action: Action, calendar: TradingCalendar) -> date | None:
    session = due_session(action, calendar)
    return None if session is None else session.day


def _on_time(action: Action, calendar: TradingCalendar) -> date | None:
    """When it would have been due, had it been known in time."""
    return _day(Action(symbol=action.symbol, kind=action.kind, ex_date=action.ex_date), calendar)
