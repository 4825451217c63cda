"""Events: the journal, as committed."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Reader, Tables
from app.api.schemas.base import Page
from app.api.schemas.events import EventOut, EventQuery

router = APIRouter(prefix="/api/events", tags=["events"], dependencies=[READ])


@router.get("")
async def list_events(
    query: Annotated[EventQuery, Query()], read: Reader, tables: Tables
) -> Page[EventOut]:
    """Newest first; with `stream`, `after_seq` and `order=asc` it reads a stream without a gap."""
