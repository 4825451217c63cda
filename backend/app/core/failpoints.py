"""Named points at which tests let the process die as if the power had gone; nothing otherwise.

`TRADEWRIGHT_FAILPOINT=after_submitted_commit:3` kills the process, with no chance to clean up, when
that point is reached for the third time. It is read once, when the process starts.
"""

import os
import signal
from enum import StrEnum
from typing import Final

from app.core.environment import variable
from app.core.errors import ConfigurationError

VARIABLE: Final = "TRADEWRIGHT_FAILPOINT"


class Point(StrEnum):
    """Every durable boundary of the order path."""

    BEFORE_INTENT_COMMIT = "before_intent_commit"
    AFTER_INTENT_COMMIT = "after_intent_commit"
    BEFORE_SUBMITTED_COMMIT = "before_submitted_commit"
    AFTER_SUBMITTED_COMMIT = "after_submitted_commit"
    AFTER_WIRE = "after_wire"
    "The broker has answered a submit, and nobody has written it down."
    AFTER_ANSWER_COMMIT = "after_answer_commit"
    BEFORE_CANCEL = "before_cancel"
    AFTER_CANCEL = "after_cancel"
    BEFORE_REPLACE = "before_replace"
    AFTER_REPLACE = "after_replace"
    BEFORE_APPEND = "before_append"
    AFTER_APPEND = "after_append"


class Armed:
    """One point that is to be reached so many times."""

    def __init__(self, wanted: str) -> None:
        name, _, times = wanted.partition(":")
        if name not in set(Point) or not (times or "1").isdigit() or times == "0":
            raise ConfigurationError(
                f"{VARIABLE}={wanted!r} names no failpoint.",
                remedy=f"Use NAME or NAME:TIMES with one of {', '.join(Point)}.",
            )
        self.point, self.left = Point(name), int(times or 1)

    def reach(self, point: Point) -> None:
        """One step nearer to the end, or the end."""
        if point is self.point:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


def arm(wanted: str, environment: str) -> Armed | None:
    """What the variable asks for. Raises ConfigurationError in production, or for nonsense."""
    if not wanted:
        return None
    if environment == "production":
        raise ConfigurationError(
            f"{VARIABLE} is set, and ENVIRONMENT is production: the process would kill itself.",
            remedy=f"Unset {VARIABLE}.",
        )
    return Armed(wanted)


armed: Final = arm(variable(VARIABLE), variable("ENVIRONMENT"))
"""None, always, but in tests."""


def failpoint(point: Point) -> None:
    """The process dies here when it was told to."""
    if armed is not None:
        armed.reach(point)
