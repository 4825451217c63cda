"""Events: the journal, as committed."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query

from app.api.deps import READ, Answer, CurrentCaller, Db
from app.api.schemas.base import Page
from app.api.schemas.events import CausationOut, EventOut, EventQuery
from app.core.errors import NotFound
from app.domain.users import Caller
from app.repositories import events

router = APIRouter(prefix="/api/events", tags=["events"], dependencies=[READ])


@router.get("")
async def list_events(
    query: Annotated[EventQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[EventOut]:
    """Newest first; with `stream`, `after_seq` and `order=asc` it reads a stream without a gap."""
    wanted = events.EventFilter(accounts=caller.visible, **query.narrowed())
    return await answer(EventOut, query, events.listing(db, wanted))


@router.get("/{stream}/{seq}/causation")
async def get_causation(
    stream: Annotated[str, Path(max_length=64, examples=["account:1"])],
    seq: Annotated[int, Path(ge=1, le=2**53, examples=[120])],
    caller: CurrentCaller,
    db: Db,
) -> CausationOut:
    """What led to the event, and everything that followed from it."""
    _check_visible(caller, stream)
    found = await events.causation(db, stream, seq)
    return CausationOut.model_validate(msgspec.structs.asdict(found))


def _check_visible(caller: Caller, stream: str) -> None:
    """Somebody else's stream is answered like one that does not exist."""
    visible = caller.visible
    if visible is None or stream == "system":
        return
    if stream not in {f"account:{account}" for account in visible}:
        raise NotFound(f"There is no stream {stream!r}.", remedy="See GET /api/accounts.")
