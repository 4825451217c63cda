"""Keys of vendors in the database: which there are, set, forget; never what they are."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.deps import ADMIN, FRESH_ADMIN, Credentials, CurrentCaller
from app.api.schemas.credentials import CredentialIn, CredentialListOut, CredentialOut

router = APIRouter(prefix="/api/credentials", tags=["credentials"], dependencies=[ADMIN])
Name = Annotated[str, Path(max_length=100, examples=["ALPACA_API_KEY"])]


@router.get("")
async def list_credentials(credentials: Credentials) -> CredentialListOut:
    """Every key that Tradewright knows of, and where its value comes from."""
    return CredentialListOut.model_validate({"items": await credentials.listing()})


@router.get("/{name}")
async def get_credential(name: Name, credentials: Credentials) -> CredentialOut:
    """One key."""
    return CredentialOut.model_validate(await credentials.entry(name))


@router.put("/{name}", dependencies=[FRESH_ADMIN])
async def set_credential(
    name: Name, body: CredentialIn, caller: CurrentCaller, credentials: Credentials
) -> CredentialOut:
    """Keep a key, sealed. Accounts take it up within seconds, or when they next connect."""
    found = await credentials.put(caller.actor, caller.user_id, name, body.value.get_secret_value())
    return CredentialOut.model_validate(found)


@router.delete("/{name}", status_code=204, dependencies=[FRESH_ADMIN])
async def delete_credential(name: Name, caller: CurrentCaller, credentials: Credentials) -> None:
    """Forget a stored key; one in the environment stays."""
    await credentials.remove(caller.actor, caller.user_id, name)
