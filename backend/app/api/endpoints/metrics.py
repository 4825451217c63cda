"""Figures over time, as the worker measured them every minute."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from app.api.deps import READ, Db
from app.api.schemas.metrics import (
    MetricHistoryOut,
    MetricHistoryQuery,
    MetricNamesOut,
    Resolution,
)
from app.core.clock import now
from app.core.errors import InvalidInput
from app.monitoring.titles import LABELLED, TITLES
from app.repositories import metrics

router = APIRouter(prefix="/api/metrics", tags=["monitoring"])
USUAL: Final = timedelta(hours=6)
_SPANS: Final = {
    Resolution.RAW: 0,
    Resolution.FIVE_MINUTES: metrics.FIVE_MINUTES,
    Resolution.HOUR: metrics.HOUR,
}
_WEEK: Final = timedelta(days=7)


@router.get("", dependencies=[READ])
async def list_metric_names(db: Db) -> MetricNamesOut:
    """What /api/metrics/history can be asked for."""
    return MetricNamesOut(items=await metrics.names(db))


@router.get("/history", dependencies=[READ])
async def get_metric_history(
    query: Annotated[MetricHistoryQuery, Query()], db: Db
) -> MetricHistoryOut:
    """One figure; kept as measured for days, by five minutes for months, by the hour for years."""
    end = query.end or now()
    start = query.start or end - USUAL
    if start >= end:
        raise InvalidInput(
            "The time ends before it begins.", field="start", remedy="Send a start before end."
        )
    resolution = _resolution(query.resolution, start, end)
    rows = await metrics.history(db, query.name, start, end, _SPANS[resolution], query.limit + 1)
    title, _, unit = TITLES.get(query.name, (LABELLED.get(query.name, query.name), "", ""))
    return MetricHistoryOut.model_validate(
        {
            "name": query.name,
            "title": title,
            "unit": unit,
            "resolution": resolution,
            "items": rows[: query.limit],
            "is_cut": len(rows) > query.limit,
        }
    )


def _resolution(wanted: str, start: datetime, end: datetime) -> Resolution:
    if wanted != "auto":
        return Resolution(wanted)
    if end - start <= USUAL:
        return Resolution.RAW
    return Resolution.FIVE_MINUTES if end - start <= _WEEK else Resolution.HOUR
