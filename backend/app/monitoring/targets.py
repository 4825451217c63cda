"""The service targets of live data: what was measured, held against what was promised."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from app.core.quality import QualityOptions
from app.domain.deployments import LIVE_DATASET
from app.repositories import bar_series, metrics
from app.repositories.paging import Db

NOTED: Final = timedelta(seconds=60)
"What the feed's process noted of itself before that is no longer so."
PREFIX: Final = "live_"
State = Literal["met", "missed", "unknown"]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One promise and how it is kept."""

    name: str
    title: str
    value: float | None
    "None where nothing live has been seen."
    limit: float
    unit: str
    better: Literal["higher", "lower"]
    state: State
    detail: str


class _Promise(msgspec.Struct, frozen=True):
    name: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    limit: Callable[[QualityOptions], float]
    sentence: str


_PROMISES: Final = (
    _Promise(
        "completeness", "Live bars that are there", "share", "higher",
        lambda options: options.completeness,
        "{value:.4%} of the expected live bars are there or explained.",
    ),
    _Promise(
        "freshness", "From the end of a live bar to its arrival", "s", "lower",
        lambda options: options.freshness_seconds,
        "The newest live bars came {value:.1f} s after their end.",
    ),
    _Promise(
        "bad_rows", "Live rows that were refused", "share", "lower",
        lambda options: options.bad_rows,
        "{value:.4%} of the live rows were refused since the feed began.",
    ),
    _Promise(
        "write_p95", "Storing live rows, 95th percentile", "ms", "lower",
        lambda options: options.write_ms,
        "95 of 100 writes of live rows took at most {value:.1f} ms.",
    ),
)  # fmt: skip


async def measured(db: Db, now: datetime) -> dict[str, float]:
    """What is known now, by the names of the targets; what nobody has measured is left out."""
    found: dict[str, float] = {}
    share = await bar_series.completeness(db, LIVE_DATASET)
    if share is not None:
        found["completeness"] = share
    noted = await metrics.each_noted(db, PREFIX, now - NOTED)
    for name, key in (("freshness", "live_lag_seconds"), ("write_p95", "live_write_ms_p95")):
        if noted.get(key):
            found[name] = max(noted[key])
    rows = sum(noted.get("live_rows_total", []))
    if rows:
        found["bad_rows"] = sum(noted.get("live_rows_refused_total", [])) / rows
    return found


def held(values: Mapping[str, float], options: QualityOptions) -> list[Target]:
    """Every target with what was measured."""
    return [_held(promise, values.get(promise.name), options) for promise in _PROMISES]


def _held(promise: _Promise, value: float | None, options: QualityOptions) -> Target:
    limit = promise.limit(options)
    state: State = "unknown"
    detail = "Nothing live has been seen."
    if value is not None:
        is_met = value >= limit if promise.better == "higher" else value <= limit
        state = "met" if is_met else "missed"
        detail = promise.sentence.format(value=value)
    return Target(
        name=promise.name,
        title=promise.title,
        value=value,
        limit=limit,
        unit=promise.unit,
        better=promise.better,
        state=state,
        detail=detail,
    )


def figures(targets: list[Target]) -> dict[str, float]:
    """For Prometheus and the engine page; names as in `monitoring.titles.TITLES`."""
    known = {f"data_{one.name}": one.value for one in targets if one.value is not None}
    missed = sum(one.state == "missed" for one in targets)
    return {**known, "data_targets_missed": float(missed)}
