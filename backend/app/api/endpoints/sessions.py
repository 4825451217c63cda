"""Where one is signed in."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import READ, Auth, CurrentCaller, Tables
from app.api.schemas.base import Page, PageQuery
from app.api.schemas.sessions import SessionOut

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=[READ])


@router.get("")
async def list_sessions(
    query: Annotated[PageQuery, Query()], caller: CurrentCaller, tables: Tables
) -> Page[SessionOut]:
    """One's own live sessions, newest first."""


@router.delete("/{session_id}", status_code=204)
async def revoke_session(
    session_id: Annotated[int, Path(examples=[12])], caller: CurrentCaller, auth: Auth
) -> None:
    """Sign out one browser, at once."""


@router.delete("", status_code=204)
async def revoke_other_sessions(caller: CurrentCaller, auth: Auth) -> None:
    """Sign out everywhere else."""
