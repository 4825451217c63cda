"""What a drill asks of a running system: a small file in the home, which ends by itself."""

import json
import os
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

SETTING: Final = "drills"
"Among a paper account's broker settings: whether faults may be asked for."


class Drill(StrEnum):
    """The faults that can be drilled."""

    GATEWAY_RESTART = "gateway-restart"
    STORM = "429-storm"
    MUTE_FEED = "mute-feed"
    DUPLICATE_FILL = "duplicate-fill"
    DATABASE_LOSS = "database-loss"


EXPLAINED: Final = {
    Drill.GATEWAY_RESTART: "The connection to the broker is gone, and its news are lost meanwhile.",
    Drill.STORM: "The broker answers every request with 429.",
    Drill.MUTE_FEED: "The account's live feeds stay connected, and say nothing.",
    Drill.DUPLICATE_FILL: "The broker tells its newest fills again, three times each.",
    Drill.DATABASE_LOSS: "PostgreSQL dies by kill -9.",
}


def ask(home: Path, account_id: int, drill: Drill, seconds: float) -> Path:
    """From now on, for so long, unless `stop` comes first."""
    path = _path(home, account_id)
    wanted = {"drill": drill.value, "until": time.monotonic() + seconds}
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(wanted))
    draft.replace(path)
    return path


def stop(home: Path, account_id: int) -> None:
    """No fault any more."""
    _path(home, account_id).unlink(missing_ok=True)


def asked(home: Path, account_id: int) -> Drill | None:
    """The fault that is to be shown now. One that nobody has stopped in time is over."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(_path(home, account_id).read_text())
        if time.monotonic() < float(found["until"]):
            return Drill(found["drill"])
    return None


def _path(home: Path, account_id: int) -> Path:
    return home / "run" / f"drill-{account_id}.json"
