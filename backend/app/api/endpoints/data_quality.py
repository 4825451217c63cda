"""Data quality: verdicts, gaps and their repair, coverage, refused records, targets."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.api.deps import READ, Answer, Db, guard, parts_of
from app.api.schemas.base import Page
from app.api.schemas.data_quality import (
    CoverageOut,
    CoverageQuery,
    GapOut,
    GapQuery,
    QualitySummaryOut,
    RefusedOut,
    RefusedQuery,
    RepairIn,
    RepairOut,
    SeriesQualityOut,
    SeriesQualityQuery,
)
from app.core.quality import QualityOptions
from app.domain.users import Scope
from app.monitoring import targets
from app.repositories import bar_series, data_gaps, quarantine
from app.services import coverage, data_quality

router = APIRouter(prefix="/api/data-quality", tags=["data-quality"])
DATA = guard(Scope.DATA)
Dataset = Annotated[str | None, Query(max_length=100, examples=["live"])]


@router.get("", dependencies=[READ])
async def list_series_quality(
    query: Annotated[SeriesQualityQuery, Query()], request: Request, db: Db, answer: Answer
) -> Page[SeriesQualityOut]:
    """Every stored series with its verdict; with `verdict` a page may be shorter than `limit`."""
    fetch = bar_series.listing(db, query.dataset, query.symbol, query.timeframe)
    now = parts_of(request).clock.now()
    pages = data_quality.described_pages(fetch, query.verdict, now)
    return await answer(SeriesQualityOut, query, pages)


@router.get("/summary", dependencies=[READ])
async def get_quality_summary(
    request: Request, db: Db, dataset: Dataset = None
) -> QualitySummaryOut:
    """Series by verdict, gaps by state, and the targets of live data."""
    now = parts_of(request).clock.now()
    found = await data_quality.summary(db, dataset, now)
    held = targets.held(await targets.measured(db, now), QualityOptions())
    return QualitySummaryOut.model_validate({**found, "targets": held})


@router.get("/gaps", dependencies=[READ])
async def list_gaps(query: Annotated[GapQuery, Query()], db: Db, answer: Answer) -> Page[GapOut]:
    """The ledger of gaps with what providers said, the newest first."""
    fetch = data_gaps.listing(
        db, query.dataset, query.symbol, query.timeframe, query.state, query.start, query.end
    )
    return await answer(GapOut, query, fetch)


@router.get("/coverage", dependencies=[READ])
async def get_coverage(query: Annotated[CoverageQuery, Query()], db: Db) -> CoverageOut:
    """One value a session: expected and found bars, at most three years (35 days of seconds)."""
    found = await coverage.coverage(
        db, query.dataset, query.symbol, query.timeframe, (query.start, query.end)
    )
    return CoverageOut.model_validate(found)


@router.get("/quarantine", dependencies=[READ])
async def list_refused(
    query: Annotated[RefusedQuery, Query()], db: Db, answer: Answer
) -> Page[RefusedOut]:
    """Records that were refused, with the rules they broke, the newest first."""
    fetch = quarantine.listing(
        db, query.dataset, query.symbol, query.kind, query.reason, query.start, query.end
    )
    return await answer(RefusedOut, query, fetch)


@router.post("/repair", status_code=202, dependencies=[DATA])
async def repair_gaps(db: Db, body: RepairIn) -> RepairOut:
    """Have providers asked about open gaps of live series now; watch `gaps` for what comes of it.

    Imported, replayed and simulated data sets are never touched.
    """
    queued = await data_quality.ask_again(db, body.symbol, body.timeframe, body.ids)
    detail = f"Providers are asked about {queued} gaps, one after the other."
    return RepairOut(queued=queued, detail=detail)
