"""Backups judged: is there a recent one, and was it proved by a restore."""

from datetime import datetime, timedelta
from typing import Final

from app.repositories.paging import Row

OLD: Final = timedelta(hours=26)
"One comes every day, and takes its time."


def problems(row: Row | None, now: datetime) -> list[str]:
    """What is wrong, in sentences; a platform that is younger than a day owes none yet."""
    if row is None:
        return []
    found: list[str] = []
    finished, since = row["finished_at"], row["signed_up_at"]
    if row["has_failed"]:
        found.append("The newest backup failed.")
    if finished is None:
        if since is not None and now - since > OLD:
            found.append("No backup has ever been made.")
    elif now - finished > OLD:
        found.append(f"The newest backup is {_hours(now - finished)} hours old.")
    if finished is not None and row["verified_at"] is None:
        found.append("No backup has been proved by a restore.")
    return found


def sentence(row: Row | None, now: datetime) -> str:
    """While nothing is wrong."""
    if row is None or row["finished_at"] is None:
        return "No backup is due yet."
    proved = _hours(now - row["verified_at"])
    return f"The newest is {_hours(now - row['finished_at'])} hours old, the last proof {proved}."


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.0f}"
