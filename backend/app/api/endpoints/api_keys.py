"""API keys of the caller: list, make, revoke."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import READ, Auth, CurrentCaller, Once, Tables
from app.api.schemas.api_keys import ApiKeyCreatedOut, ApiKeyIn, ApiKeyOut
from app.api.schemas.base import Page, PageQuery

router = APIRouter(prefix="/api/api-keys", tags=["api-keys"], dependencies=[READ])


@router.get("")
async def list_api_keys(
    query: Annotated[PageQuery, Query()], caller: CurrentCaller, tables: Tables
) -> Page[ApiKeyOut]:
    """One's own keys, newest first, revoked ones included."""


@router.post("", status_code=201)
async def create_api_key(
    body: ApiKeyIn, caller: CurrentCaller, auth: Auth, once: Once
) -> ApiKeyCreatedOut:
    """Make a key; this answer alone carries it. Needs a signed-in person, not another key."""


@router.delete("/{key_id}", status_code=204)
async def revoke_api_key(
    key_id: Annotated[str, Path(max_length=64, examples=["k7f3a9c2"])],
    caller: CurrentCaller,
    auth: Auth,
) -> None:
    """Revoke a key, at once."""
