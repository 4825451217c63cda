"""When a live feed is expected to say something: the sessions of the calendar and a little more."""

from datetime import datetime
from typing import Final

from app.core.clock import to_ns
from app.marketdata.calendar import Session, TradingCalendar

TAIL_SECONDS: Final = 120.0
"Connections stay so long after the close, for the last bars and their corrections."
_NS: Final = 1_000_000_000


class Hours:
    """Hours of one exchange. Outside of them a feed rests: no connections, no alerts."""

    def __init__(
        self, calendar: TradingCalendar, lead_seconds: float, *, extended_hours: bool = False
    ) -> None:
        self._calendar = calendar
        self._lead = int(lead_seconds * _NS)
        self._extended = extended_hours

    def is_open(self, at: datetime) -> bool:
        """Whether connections are wanted: from a little before the open to a little after close."""
        now = to_ns(at)
        ahead = self._session(now + self._lead)
        if ahead is not None and self._first(ahead) <= now + self._lead and now < self._last(ahead):
            return True
        behind = self._session(now - int(TAIL_SECONDS * _NS))
        return behind is not None and self._is_inside(behind, now - int(TAIL_SECONDS * _NS))

    def is_trading(self, at: datetime) -> bool:
        """Whether the exchange is open, so that silence means something."""
        now = to_ns(at)
        session = self._session(now)
        return session is not None and session.open <= now < session.close

    def is_extended(self, at: datetime) -> bool:
        """Whether bars are wanted although the session is not open: silence may mean nothing."""
        now = to_ns(at)
        session = self._session(now)
        return session is not None and self._is_inside(session, now) and not self.is_trading(at)

    def trading_seconds(self, at: datetime) -> float:
        """Seconds since the open; 0 while the exchange is closed."""
        now = to_ns(at)
        session = self._session(now)
        if session is None or not session.open <= now < session.close:
            return 0.0
        return (now - session.open) / _NS

    def _session(self, ts: int) -> Session | None:
        return self._calendar.session_at(ts)

    def _is_inside(self, session: Session, ts: int) -> bool:
        return self._first(session) <= ts < self._last(session)

    def _first(self, session: Session) -> int:
        return session.day_start if self._extended else session.open

    def _last(self, session: Session) -> int:
        return session.day_end if self._extended else session.close
