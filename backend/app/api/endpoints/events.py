"""Events: the journal, as committed."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, Answer, CurrentCaller, Db
from app.api.schemas.base import Page
from app.api.schemas.events import EventOut, EventQuery
from app.repositories import events

router = APIRouter(prefix="/api/events", tags=["events"], dependencies=[READ])


@router.get("")
async def list_events(
    query: Annotated[EventQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[EventOut]:
    """Newest first; with `stream`, `after_seq` and `order=asc` it reads a stream without a gap."""
    wanted = events.EventFilter(accounts=caller.visible, **query.narrowed())
    return await answer(EventOut, query, events.listing(db, wanted))
