"""Dead letters: events that a handler of the bus gave up on, and their way back."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import ADMIN, READ, Answer, CurrentCaller, Db, DeadLetters
from app.api.schemas.base import Page
from app.api.schemas.dead_letters import DeadLetterOut, DeadLetterQuery, RedriveIn, RedriveOut
from app.repositories import handler_deliveries

router = APIRouter(prefix="/api/dead-letters", tags=["events"])


@router.get("", dependencies=[READ])
async def list_dead_letters(
    query: Annotated[DeadLetterQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[DeadLetterOut]:
    """Newest first."""
    fetch = handler_deliveries.dead_letters(db, accounts=caller.visible, **query.narrowed())
    return await answer(DeadLetterOut, query, fetch)


@router.post("/redrive", dependencies=[ADMIN])
async def redrive_dead_letters(
    body: RedriveIn, caller: CurrentCaller, dead_letters: DeadLetters
) -> RedriveOut:
    """Let them be tried again, as if for the first time. Audited."""
    counts = await dead_letters.redrive(
        caller.actor, caller.user_id, body.handler, body.stream, body.seq
    )
    return RedriveOut(redriven=sum(counts.values()), handlers=counts)
