"""Executions: a filterable list."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Reader, Tables
from app.api.schemas.base import Page
from app.api.schemas.executions import ExecutionOut, ExecutionQuery

router = APIRouter(prefix="/api/executions", tags=["executions"], dependencies=[READ])


@router.get("")
async def list_executions(
    query: Annotated[ExecutionQuery, Query()], read: Reader, tables: Tables
) -> Page[ExecutionOut]:
    """Fills, newest first."""
