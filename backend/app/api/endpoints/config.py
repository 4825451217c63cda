"""Settings that change while the system runs: read, change, history."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import ADMIN, READ, Answer, Config, CurrentCaller, Db
from app.api.schemas.base import Page
from app.api.schemas.config import (
    ConfigEntryOut,
    ConfigHistoryOut,
    ConfigHistoryQuery,
    ConfigListOut,
    ConfigListQuery,
    ConfigValueIn,
    RollbackIn,
    ScopedListOut,
)
from app.repositories import config as rows

router = APIRouter(prefix="/api/config", tags=["config"])
Key = Annotated[str, Path(max_length=100, examples=["max_position_size"])]


@router.get("", dependencies=[READ])
async def list_config(query: Annotated[ConfigListQuery, Query()], config: Config) -> ConfigListOut:
    """Every setting with value, source, default and bounds; or those of a category."""
    return ConfigListOut.model_validate({"items": await config.entries(query.category)})


@router.get("/history", dependencies=[READ])
async def list_config_history(
    query: Annotated[ConfigHistoryQuery, Query()], db: Db, answer: Answer
) -> Page[ConfigHistoryOut]:
    """Who changed what, newest first."""
    return await answer(ConfigHistoryOut, query, rows.history(db, query.key))


@router.post("/history/{change_id}/rollback", dependencies=[ADMIN])
async def rollback_config(
    change_id: int, body: RollbackIn, caller: CurrentCaller, config: Config
) -> ConfigEntryOut:
    """Set what a change had changed back to what it was; itself a change with its history."""
    found = await config.rollback(caller, change_id, body.reason)
    return ConfigEntryOut.model_validate(found)


@router.get("/scopes", dependencies=[READ])
async def list_config_scopes(config: Config) -> ScopedListOut:
    """What accounts, deployments and symbols are limited to beyond all."""
    return ScopedListOut.model_validate({"items": await config.scoped()})


@router.get("/{key}", dependencies=[READ])
async def get_config(key: Key, config: Config) -> ConfigEntryOut:
    """One setting."""
    return ConfigEntryOut.model_validate(await config.entry(key))


@router.put("/{key}", dependencies=[ADMIN])
async def set_config(
    key: Key, body: ConfigValueIn, caller: CurrentCaller, config: Config
) -> ConfigEntryOut:
    """Check and store a value; running processes take it at once."""
    found = await config.change(caller, key, body.value, body.reason, body.scope)
    return ConfigEntryOut.model_validate(found)
