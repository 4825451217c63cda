"""Denials: a filterable list."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Answer, CurrentCaller, Db
from app.api.schemas.base import Page
from app.api.schemas.risk_violations import RiskViolationOut, RiskViolationQuery
from app.repositories import risk_violations

router = APIRouter(prefix="/api/risk-violations", tags=["risk-violations"], dependencies=[READ])


@router.get("")
async def list_risk_violations(
    query: Annotated[RiskViolationQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[RiskViolationOut]:
    """Orders that our limits denied, newest first."""
    wanted = risk_violations.RiskViolationFilter(accounts=caller.visible, **query.narrowed())
    return await answer(RiskViolationOut, query, risk_violations.listing(db, wanted))
