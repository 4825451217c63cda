"""The worker judged by what it wrote last: jobs, alerts and handlers depend on it."""

from collections.abc import Iterable
from typing import Final

from app.repositories.paging import Row

SILENT_SECONDS: Final = 15.0
"It writes every two seconds."
START_SECONDS: Final = 60.0
"So long after our own start nobody misses one that was never heard of."


def problems(rows: Iterable[Row], waited: float) -> list[str]:
    """What is wrong, in a sentence; `waited` is how long we have been there ourselves."""
    found = [row for row in rows if not row["state"].get("is_stopped")]
    if any(row["age_seconds"] <= SILENT_SECONDS for row in found):
        return []
    if found:
        age = min(row["age_seconds"] for row in found)
        return [f"The worker has been silent for {age:.0f} s: no alerts, jobs or backups."]
    if waited > START_SECONDS:
        return ["No worker runs: no alerts, jobs or backups. `tradewright worker` starts it."]
    return []


def sentence(rows: Iterable[Row]) -> str:
    """While nothing is wrong."""
    alive = [row for row in rows if row["age_seconds"] <= SILENT_SECONDS]
    count = sum(not row["state"].get("is_stopped") for row in alive)
    return f"Workers at work: {count}." if count else "No worker has been heard of yet."
