"""A child process tells its parent how far it is: a line a step, on a pipe that only they have."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from app.core.environment import variable

VARIABLE: Final = "TRADEWRIGHT_PROGRESS_FD"
"The pipe's number, given by the parent that opened it."
Tell = Callable[[int, int], None]
"""So many of so many are done."""


def teller() -> Tell | None:
    """What tells a parent that listens; None where there is none."""
    given = variable(VARIABLE)
    if not given.isdigit():
        return None
    pipe = int(given)

    def tell(done: int, total: int) -> None:
        with suppress(OSError):  # the parent has gone, or was never there
            os.write(pipe, f"{done} {total}\n".encode())

    return tell


def told(line: bytes) -> tuple[int, int] | None:
    """What a line says; None for one that says nothing."""
    parts = line.split()
    if len(parts) != len(("done", "total")) or not all(part.isdigit() for part in parts):
        return None
    return int(parts[0]), int(parts[1])
