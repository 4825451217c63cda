"""Pulses in the home: each engine writes its file every second, the guardian reads them all."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from app.domain.pulse import Pulse

_PREFIX: Final = "pulse-"


def _path(home: Path, account_id: int) -> Path:
    return home / "run" / f"{_PREFIX}{account_id}.json"


def write(home: Path, pulse: Pulse) -> None:
    """Replace the account's file, whole or not at all. Raises OSError when it cannot."""
    path = _path(home, pulse.account_id)
    fresh = path.with_suffix(f".{os.getpid()}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(pulse))
    fresh.replace(path)


def read(home: Path, account_id: int) -> Pulse | None:
    """The last pulse of an account; None when there is none that can be read."""
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(_path(home, account_id).read_bytes(), type=Pulse)
    return None


def listed(home: Path) -> list[Pulse]:
    """Every account's, by id."""
    found: list[Pulse] = []
    with suppress(OSError):
        for path in (home / "run").glob(f"{_PREFIX}*.json"):
            with suppress(OSError, msgspec.DecodeError):
                found.append(msgspec.json.decode(path.read_bytes(), type=Pulse))
    return sorted(found, key=lambda pulse: pulse.account_id)
