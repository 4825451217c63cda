"""Where one is signed in."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import NO_LESSER_KEY, READ, Answer, Auth, CurrentCaller, Db
from app.api.schemas.base import Page, PageQuery
from app.api.schemas.sessions import SessionOut
from app.core.clock import now
from app.repositories import sessions
from app.repositories.paging import Rows
from app.services.access import idle

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=[READ])


@router.get("")
async def list_sessions(
    query: Annotated[PageQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[SessionOut]:
    """One's own live sessions, newest first."""
    at = now()
    fetch = sessions.listing(db, caller.user_id, at, at - idle())

    async def marked(limit: int, cursor: str | None) -> Rows:
        rows = await fetch(limit, cursor)
        for row in rows.items:
            row["is_current"] = caller.via == "session" and caller.credential == str(row["id"])
        return rows

    return await answer(SessionOut, query, marked)


@router.delete("/{session_id}", status_code=204, dependencies=[NO_LESSER_KEY])
async def revoke_session(
    session_id: Annotated[int, Path(ge=1, le=2**53, examples=[12])],
    caller: CurrentCaller,
    auth: Auth,
) -> None:
    """Sign out one browser, at once. Needs a person, or a key with the scope admin."""
    await auth.revoke_session(caller, session_id)


@router.delete("", status_code=204, dependencies=[NO_LESSER_KEY])
async def revoke_other_sessions(caller: CurrentCaller, auth: Auth) -> None:
    """Sign out everywhere else. Needs a person, or a key with the scope admin."""
    await auth.revoke_other_sessions(caller)
