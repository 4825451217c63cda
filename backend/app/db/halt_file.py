"""The halt that needs no database: a file by account, which wire gates look for."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from app.core.clock import now

_PREFIX: Final = "halt-"


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """Why an account was halted, when, and by which incident."""

    reason: str = "halted by a file without a reason"
    at: datetime | None = None
    incident: str = ""
    "Part of the ids of the orders that belong to it, so that none is made twice."


class HaltFile:
    """`run/halt-ACCOUNT` in the home. That it is there halts; what it says is for people."""

    def __init__(self, home: Path, account_id: int) -> None:
        self.account_id = account_id
        self.path = home / "run" / f"{_PREFIX}{account_id}"

    def is_there(self) -> bool:
        """One call of the system, some microseconds: fit to be asked right before the wire."""
        try:
            self.path.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True  # what cannot be looked at must not be taken for permission
        return True

    def read(self) -> Halt | None:
        """What it says; None when there is none."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Halt)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            return Halt()

    def write(self, halt: Halt) -> None:
        """Halt; an empty file does too, so a full disk cannot hinder it. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with suppress(OSError):
                os.write(descriptor, msgspec.json.encode(halt))
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _settle(self.path.parent)

    def remove(self) -> None:
        """Lift it. Raises OSError when it cannot be."""
        self.path.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Let a new name survive a crash of the machine."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def halted(home: Path) -> Iterator[int]:
    """Accounts that a file halts."""
    with suppress(OSError):
        for path in sorted((home / "run").glob(f"{_PREFIX}*")):
            number = path.name.removeprefix(_PREFIX)
            if number.isdigit():
                yield int(number)


def new_halt(reason: str) -> Halt:
    """A halt of this instant, with an incident of its own."""
    at = now()
    return Halt(reason=reason, at=at, incident=at.strftime("%y%m%d%H%M%S"))


def halt_now(file: HaltFile, reason: str) -> Halt:
    """Halt an account by its file, unless it is already; the halt that holds. Raises OSError."""
    known = file.read()
    if known is not None and known.incident:
        return known
    halt = new_halt(reason)
    file.write(halt)
    return halt
