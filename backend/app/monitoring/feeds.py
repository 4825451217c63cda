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
OPTIONS_WAITING: Final = 25_000
"Half of what may wait of a provider's option quotes."

Problem = tuple[bool, str]
"Whether nobody serves the account, and a sentence."


def problems(rows: Iterable[Row]) -> list[Problem]:
    """What is wrong with the feeds of live accounts; empty while all is well, or markets closed."""
    found: list[Problem] = []
    for _, chain in groupby(rows, key=lambda row: row["account_id"]):
        bars, options = _parted(chain)
        found += _of_account(bars)
        found += [(False, sentence) for row in options for sentence in _of_options(row)]
    return found


def figures(rows: Iterable[Row]) -> dict[str, float]:
    """Sums over all live feeds; names as in `monitoring.titles.TITLES`."""
    fresh, options = _parted(row for row in rows if row["age_seconds"] <= WRITTEN_SECONDS)
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
        "feed_prints_late_total": float(_sum(reports, "late")),
        "feed_bars_remade_total": float(_sum(reports, "remade")),
        **_option_figures(options),
    }


def _option_figures(rows: Sequence[Row]) -> dict[str, float]:
    reports = [row["report"] for row in rows]
    up = [row["report"] for row in rows if row["state"] == "up"]
    return {
        "option_feeds_up": float(len(up)),
        "option_contracts": float(_count(up, "symbols")),
        "option_quotes_total": float(_sum(reports, "quotes")),
        "option_quotes_stored_total": float(_sum(reports, "stored")),
        "option_quotes_shed_total": float(_sum(reports, "shed")),
        "option_rows_refused_total": float(_sum(reports, "refused")),
        "option_reconnects_total": float(_sum(reports, "reconnects")),
        "option_queue": float(_sum(reports, "queue")),
    }


def _parted(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Those who bring bars, and those who bring quotes of options."""
    bars: list[Row] = []
    options: list[Row] = []
    for row in rows:
        (options if row["report"].get("kind") == "options" else bars).append(row)
    return bars, options


def _of_options(row: Row) -> list[str]:
    """Without options an account trades on: nothing of this is worse than that they lack."""
    report = row["report"]
    if row["age_seconds"] > WRITTEN_SECONDS:
        return []
    if row["state"] in ("down", "refused"):
        return [f"{row['provider']} is {row['state']} for {row['account']}: {report['problem']}"]
    found = [f"Options of {row['account']}: {report['problem']}"] if report["problem"] else []
    if report["queue"] > OPTIONS_WAITING:
        found.append(f"{report['queue']} quotes of options of {row['account']} wait to be stored.")
    return found


def _of_account(chain: Sequence[Row]) -> list[Problem]:
    if not chain:
        return []
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
    nobody = set.intersection(*(set(row["report"]["unknown"]) for row in chain))
    if nobody:
        found.append((False, f"No provider of {name} knows {', '.join(sorted(nobody))}."))
    return found


def _slow(row: Mapping[str, Any]) -> list[str]:
    report, who = row["report"], f"{row['provider']} for {row['account']}"
    found = []
    if (report["lag_seconds"] or 0) > LATE_SECONDS:
        found.append(f"Bars of {who} come {report['lag_seconds']:.0f} s late.")
    if report["silent"]:
        found.append(f"No bars of {', '.join(report['silent'])} from {who}.")
    if report["is_database_away"]:
        found.append(f"Prints and quotes of {who} cannot be stored: the database does not answer.")
    if report["waiting"] > BARS_WAITING:
        found.append(f"{report['waiting']} bars of {row['account']} wait to be stored.")
    if report["queue"] > WAITING:
        found.append(f"{report['queue']} prints and quotes of {who} wait to be stored.")
    return found


def _count(reports: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(len(report[name]) for report in reports)


def _sum(reports: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(report[name] for report in reports)
