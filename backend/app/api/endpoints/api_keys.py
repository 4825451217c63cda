"""API keys of the caller: list, make, revoke."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import FRESH_READ, NO_LESSER_KEY, READ, Answer, CurrentCaller, Db, Keys
from app.api.idempotency import Once
from app.api.schemas.api_keys import ApiKeyCreatedOut, ApiKeyIn, ApiKeyOut
from app.api.schemas.base import Page, PageQuery
from app.repositories import api_keys
from app.services.keys import KeyWish

router = APIRouter(prefix="/api/api-keys", tags=["api-keys"], dependencies=[READ])


@router.get("")
async def list_api_keys(
    query: Annotated[PageQuery, Query()], caller: CurrentCaller, db: Db, answer: Answer
) -> Page[ApiKeyOut]:
    """One's own keys, newest first, revoked ones included."""
    return await answer(ApiKeyOut, query, api_keys.listing(db, caller.user_id))


@router.post("", status_code=201, dependencies=[FRESH_READ])
async def create_api_key(
    body: ApiKeyIn, caller: CurrentCaller, keys: Keys, once: Once
) -> ApiKeyCreatedOut:
    """Make a key; this answer alone carries it. Needs a person after a fresh check, no key."""
    wish = KeyWish(
        name=body.name,
        scopes=frozenset(body.scopes),
        expires_at=body.expires_at,
        addresses=tuple(body.addresses),
        notional_cap=body.notional_cap,
    )
    row, key = await keys.create(caller.actor, caller.user_id, caller.role, wish, once.claim)
    found = ApiKeyCreatedOut.model_validate({**row, "key": key})
    # The answer that is kept for repeats must not hold the secret.
    await once.answer(201, {**found.model_dump(mode="json"), "key": ""})
    return found


@router.delete("/{key_id}", status_code=204, dependencies=[NO_LESSER_KEY])
async def revoke_api_key(
    key_id: Annotated[str, Path(max_length=64, examples=["k7f3a9c2"])],
    caller: CurrentCaller,
    keys: Keys,
) -> None:
    """Revoke a key, at once. Needs a person, or a key with the scope admin."""
    await keys.revoke(caller.actor, caller.user_id, key_id)
