"""The guardian judged by what it wrote last: whether it watches, and what it had to halt."""

from typing import Final

from app.repositories.paging import Row

SILENT_SECONDS: Final = 15.0
"It writes every second."


def problems(row: Row | None) -> list[str]:
    """What is wrong with it or through it, in sentences; none where it was never started."""
    if row is None or row["state"].get("is_stopped"):
        return []
    if row["age_seconds"] > SILENT_SECONDS:
        return [f"The guardian has been silent for {row['age_seconds']:.0f} s."]
    found: list[str] = []
    for one in row["state"]["accounts"]:
        if one["state"] == "halted":
            found.append(f"The guardian halted {one['account']}: {one['reason']}.")
        if one["problem"]:
            found.append(f"The guardian cannot reach the broker of {one['account']}.")
        elif one["broker_up"] is False and one["at_risk"]:
            found.append(f"The guardian is not connected to the broker of {one['account']}.")
    return found


def sentence(row: Row | None) -> str:
    """What it does, while nothing is wrong."""
    if row is None:
        return "No guardian runs; `tradewright guardian` starts it."
    if row["state"].get("is_stopped"):
        return "The guardian was stopped."
    return f"The guardian watches: {len(row['state']['accounts'])} accounts."


def figures(row: Row | None) -> dict[str, float]:
    """Names as in `monitoring.titles.TITLES`."""
    if row is None:
        return {"guardian_up": 0.0, "guardian_halted": 0.0}
    accounts = row["state"]["accounts"]
    is_up = row["age_seconds"] <= SILENT_SECONDS and not row["state"].get("is_stopped")
    return {
        "guardian_up": float(is_up),
        "guardian_halted": float(sum(1 for one in accounts if one["state"] == "halted")),
    }
