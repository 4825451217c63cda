"""Connections to real brokers judged: which accounts can trade, and what is unexplained."""

from collections.abc import Iterable
from typing import Final

from app.repositories.paging import Row

WRITTEN_SECONDS: Final = 30.0
"A state that is older was written by a process that is gone; that is said elsewhere."


def problems(rows: Iterable[Row]) -> list[str]:
    """What keeps accounts at real brokers from trading, in sentences; empty while all is well."""
    found: list[str] = []
    for row in rows:
        if row["age_seconds"] > WRITTEN_SECONDS:
            continue
        report, who = row["report"], f"{row['broker']} for {row['account']}"
        if row["state"] != "up":
            until = row["planned_until"]
            note = f" until {until:%H:%M} UTC, as planned" if until else ""
            found.append(f"{who} is {row['state']}{note}: {row['reason'] or 'no answer yet'}.")
        elif not report["is_reconciled"]:
            found.append(f"{who} is not reconciled yet: nothing is sent but cancels.")
        found += [f"{row['account']}: {one}" for one in report["differences"]]
    return found


def figures(rows: Iterable[Row]) -> dict[str, float]:
    """Sums over all accounts at real brokers; names as in `monitoring.titles.TITLES`."""
    fresh = [row for row in rows if row["age_seconds"] <= WRITTEN_SECONDS]
    up = [row for row in fresh if row["state"] == "up"]
    reports = [row["report"] for row in fresh]
    return {
        "brokers_up": float(len(up)),
        "brokers_down": float(len(fresh) - len(up)),
        "brokers_reconciled": float(sum(1 for one in reports if one["is_reconciled"])),
        "reconciliation_differences": float(sum(len(one["differences"]) for one in reports)),
        "orders_in_flight": float(sum(one["in_flight"] for one in reports)),
    }
