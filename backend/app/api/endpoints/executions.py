"""Executions: a filterable list."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Answer, CurrentCaller, Db
from app.api.schemas.base import Page
from app.api.schemas.executions import ExecutionOut, ExecutionQuery
from app.repositories import executions

router = APIRouter(prefix="/api/executions", tags=["executions"], dependencies=[READ])


@router.get("")
async def list_executions(
    query: Annotated[ExecutionQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[ExecutionOut]:
    """Fills, newest first."""
    wanted = executions.ExecutionFilter(accounts=caller.visible, **query.narrowed())
    return await answer(ExecutionOut, query, executions.listing(db, wanted))
