"""Positions: a filterable list."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Reader, Tables
from app.api.schemas.base import Page
from app.api.schemas.positions import PositionOut, PositionQuery

router = APIRouter(prefix="/api/positions", tags=["positions"], dependencies=[READ])


@router.get("")
async def list_positions(
    query: Annotated[PositionQuery, Query()], read: Reader, tables: Tables
) -> Page[PositionOut]:
    """What each ledger holds, by symbol."""
