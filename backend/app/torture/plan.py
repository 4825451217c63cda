"""What dies next, and when: drawn from a seed, so that a run can be asked for again."""

from enum import StrEnum
from random import Random
from typing import Final

import msgspec

from app.core.failpoints import Point

EARLY_SHARE: Final = 0.1
POINT_SHARE: Final = 0.6
POSTGRES_SHARE: Final = 0.08
REDIS_SHARE: Final = 0.05
MOST_REACHED: Final = 4
LONGEST: Final = 0.8
"Seconds that a process lives after it recovered, where nothing but chance ends it."
RARE: Final = frozenset(
    {Point.BEFORE_CANCEL, Point.AFTER_CANCEL, Point.BEFORE_REPLACE, Point.AFTER_REPLACE}
)
"Points that are not reached with every bar: the first time is enough."


class Victim(StrEnum):
    """What is killed with SIGKILL."""

    APP = "app"
    POSTGRES = "postgres"
    REDIS = "redis"


class Kill(msgspec.Struct, frozen=True):
    """One death: at a named point of the order path, early in a recovery, or at any moment."""

    victim: Victim
    point: Point | None = None
    times: int = 1
    after: float = 0.0
    is_early: bool = False
    "While the process still recovers."

    @property
    def is_special(self) -> bool:
        """Whether a process has to be started for it."""
        return self.is_early or self.point is not None

    @property
    def failpoint(self) -> str:
        """As the environment of the process says it; empty for none."""
        return "" if self.point is None else f"{self.point}:{self.times}"


def draw(chance: Random, only: Victim | None = None) -> Kill:
    """The next death."""
    victim = only or _victim(chance)
    after = chance.random() * LONGEST
    if victim is not Victim.APP:
        return Kill(victim, after=after)
    manner = chance.random()
    if manner < EARLY_SHARE:
        return Kill(victim, after=after, is_early=True)
    if manner < EARLY_SHARE + POINT_SHARE:
        point = chance.choice(list(Point))
        most = 1 if point in RARE else MOST_REACHED
        return Kill(victim, point=point, times=chance.randint(1, most), after=after)
    return Kill(victim, after=after)


def _victim(chance: Random) -> Victim:
    drawn = chance.random()
    if drawn < POSTGRES_SHARE:
        return Victim.POSTGRES
    return Victim.REDIS if drawn < POSTGRES_SHARE + REDIS_SHARE else Victim.APP
