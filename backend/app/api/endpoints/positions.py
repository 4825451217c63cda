"""Positions: a filterable list."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Answer, CurrentCaller, Db
from app.api.schemas.base import Page
from app.api.schemas.positions import PositionOut, PositionQuery
from app.repositories import positions

router = APIRouter(prefix="/api/positions", tags=["positions"], dependencies=[READ])


@router.get("")
async def list_positions(
    query: Annotated[PositionQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[PositionOut]:
    """What each ledger holds, by symbol."""
    wanted = positions.PositionFilter(accounts=caller.visible, **query.narrowed())
    return await answer(PositionOut, query, positions.listing(db, wanted))
