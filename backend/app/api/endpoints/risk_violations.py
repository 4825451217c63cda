"""Denials: a filterable list."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Reader, Tables
from app.api.schemas.base import Page
from app.api.schemas.risk_violations import RiskViolationOut, RiskViolationQuery

router = APIRouter(prefix="/api/risk-violations", tags=["risk-violations"], dependencies=[READ])


@router.get("")
async def list_risk_violations(
    query: Annotated[RiskViolationQuery, Query()], read: Reader, tables: Tables
) -> Page[RiskViolationOut]:
    """Orders that our limits denied, newest first."""
