"""When jobs are due: by cron in a time zone, or so many minutes from a market's open or close."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol
from zoneinfo import ZoneInfo

import msgspec
from croniter import croniter

from app.core.errors import InvalidInput
from app.core.options import Options
from app.core.system_config import current
from app.jobs.hours import hours

NEW_YORK: Final = "XNYS"
_YEARS_AHEAD: Final = 3
_LONGEST: Final = timedelta(days=2)
"No session is longer."


class Schedule(Protocol):
    """Anything that knows its next instant."""

    def after(self, instant: datetime) -> datetime:
        """The first time strictly after `instant`, in UTC."""
        ...

    @property
    def words(self) -> str:
        """As a person reads it."""
        ...


class Cron(msgspec.Struct, frozen=True):
    """A cron expression of five fields in the wall clock of a zone.

    When clocks go forward, an hour that does not exist runs at the first minute that does; when
    they go back, what names its hours runs at the first of the two, and what runs every hour at
    both.
    """

    expression: str
    zone: str = "UTC"

    def after(self, instant: datetime) -> datetime:
        """The first time strictly after `instant`, in UTC."""
        times = croniter(self.expression, instant.astimezone(ZoneInfo(self.zone)))
        while True:
            at: datetime = times.get_next(datetime)
            if not (at.fold and self._names_hours):
                return at.astimezone(UTC)

    @property
    def words(self) -> str:
        """As a person reads it."""
        return f"{self.expression} ({self.zone})"

    @property
    def _names_hours(self) -> bool:
        return "*" not in self.expression.split()[1]


class Daily(msgspec.Struct, frozen=True):
    """Each day at the time of day that a setting says, in the wall clock of a zone.

    People may change it while the system runs: the next look goes by the new one.
    """

    options: type[Options]
    field: str
    zone: str = "UTC"

    def after(self, instant: datetime) -> datetime:
        """The first time strictly after `instant`, in UTC."""
        return self._cron.after(instant)

    @property
    def words(self) -> str:
        """As a person reads it."""
        return self._cron.words

    @property
    def _cron(self) -> Cron:
        hours, _, minutes = str(getattr(current(self.options), self.field)).partition(":")
        return Cron(f"{int(minutes)} {int(hours)} * * *", self.zone)


class AtMarket(msgspec.Struct, frozen=True):
    """`minutes` after (before, when negative) each session's open or close, half days included."""

    edge: Literal["open", "close"]
    minutes: int = 0
    exchange: str = NEW_YORK

    def after(self, instant: datetime) -> datetime:
        """The first time strictly after `instant`, in UTC."""
        offset = timedelta(minutes=self.minutes)
        place = 0 if self.edge == "open" else 1
        first = (instant - offset - _LONGEST).year
        for year in range(first, first + _YEARS_AHEAD):
            for session in hours(self.exchange, year):
                at = session[place] + offset
                if at > instant:
                    return at
        raise InvalidInput(f"The calendar of {self.exchange} knows no session after {instant}.")

    @property
    def words(self) -> str:
        """As a person reads it."""
        if not self.minutes:
            return f"at the {self.edge} of {self.exchange}"
        side = "after" if self.minutes > 0 else "before"
        return f"{abs(self.minutes)} min {side} the {self.edge} of {self.exchange}"
