"""Live feeds judged: which accounts get their bars, from whom, and how late."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from app.repositories.paging import Row

WRITTEN_SECONDS: Final = 30.0
"A state that is older was written by a process that is gone."
LATE_SECONDS: Final = 60.0
"Bars that come so long after their end are late."
BARS_WAITING: Final = 1_000
WAITING: Final = 100_000
"Prints and quotes that may wait for the database."

Problem = tuple[bool, str]
"Whether nobody serves the account, and a sentence."


def problems(rows: Iterable[Row]) -> list[Problem]:
    """What is wrong with the feeds of live accounts; empty while all is well, or markets closed."""
    found: list[Problem] = []
    for _, chain in groupby(rows, key=lambda row: row["account_id"]):
        found += _of_account(list(chain))
    return found


def figures(rows: Iterable[Row]) -> dict[str, float]:
    """Sums over all live feeds; names as in `monitoring.metrics.TITLES`."""
    fresh = [row for row in rows if row["age_seconds"] <= WRITTEN_SECONDS]
    reports = [row["report"] for row in fresh]
    states = [row["state"] for row in fresh]
    up = [row["report"] for row in fresh if row["state"] == "up"]
    lags = [report["lag_seconds"] for report in up if report["lag_seconds"] is not None]
    return {
        "feeds_up": float(states.count("up")),
        "feeds_down": float(states.count("down") + states.count("refused")),
        "feed_symbols": float(_count(up, "serving")),
        "feed_symbols_silent": float(_count(up, "silent")),
        "feed_lag_seconds": max(lags, default=0.0),
        "feed_reconnects_total": float(_sum(reports, "reconnects")),
        "feed_bars_total": float(_sum(reports, "bars")),
        "feed_queue": float(_sum(reports, "queue")),
        "feed_waiting": float(max((report["waiting"] for report in reports), default=0)),
        "feed_quotes_shed_total": float(_sum(reports, "shed")),
        "feed_rows_refused_total": float(_sum(reports, "refused")),
    }


def _of_account(chain: Sequence[Row]) -> list[Problem]:
    name = chain[0]["account"]
    if min(row["age_seconds"] for row in chain) > WRITTEN_SECONDS:
        return []  # no engine runs it: that is said elsewhere
    states = {row["state"] for row in chain}
    found = [
        (False, f"{row['provider']} is {row['state']} for {name}: {row['report']['problem']}")
        for row in chain
        if row["state"] in ("down", "refused")
    ]
    if found and not states & {"up", "closed", "connecting"}:
        found = [(True, f"Nobody serves {name}. {sentence}") for _, sentence in found]
    for row in chain:
        if row["state"] == "up":
            found += [(False, sentence) for sentence in _slow(row)]
    return found


def _slow(row: Mapping[str, Any]) -> list[str]:
    report, who = row["report"], f"{row['provider']} for {row['account']}"
    found = []
    if (report["lag_seconds"] or 0) > LATE_SECONDS:
        found.append(f"Bars of {who} come {report['lag_seconds']:.0f} s late.")
    if report["silent"]:
        found.append(f"No bars of {', '.join(report['silent'])} from {who}.")
    if report["waiting"] > BARS_WAITING:
        found.append(f"{report['waiting']} bars of {row['account']} wait to be stored.")
    if report["queue"] > WAITING:
        found.append(f"{report['queue']} prints and quotes of {who} wait to be stored.")
    return found


def _count(reports: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(len(report[name]) for report in reports)


def _sum(reports: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(report[name] for report in reports)
