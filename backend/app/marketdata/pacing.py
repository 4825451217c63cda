"""Market time made to pass faster or slower than real time; closed hours pass at once."""

from app.domain.market import SliceOpened
from app.marketdata.batch import BarBatch, to_ns
from app.marketdata.calendar import Session, TradingCalendar

_NS = 1_000_000_000


class Pace:
    """Tells how long to wait before something of the market may be shown. Looks at no clock."""

    def __init__(self, speed: float | None, calendar: TradingCalendar) -> None:
        """`speed` market seconds a second; None or 0 never waits."""
        self._speed = speed or 0.0
        self._calendar = calendar
        self._session: Session | None = None
        self._market = 0
        self._real = 0.0

    def wait(self, item: SliceOpened | BarBatch, now: float) -> float:
        """Seconds to wait before showing `item`; `now` is a monotonic clock in seconds."""
        if self._speed <= 0:
            return 0.0
        at = to_ns(item.at) if isinstance(item, SliceOpened) else int(item.end[-1])
        session = self._session
        if session is None or not session.open <= at <= session.close:
            return self._begin(at, now)
        passed = (at - self._market) / _NS / self._speed
        return max(0.0, self._real + passed - now)

    def _begin(self, at: int, now: float) -> float:
        """Another session, or closed hours: the market is here without delay."""
        session = self._calendar.session_at(at)
        regular = session is not None and session.open <= at <= session.close
        self._session = session if regular else None
        self._market, self._real = at, now
        return 0.0
