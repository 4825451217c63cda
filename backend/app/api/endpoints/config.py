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
    ConfigValueIn,
)
from app.repositories import config as rows

router = APIRouter(prefix="/api/config", tags=["config"])
Key = Annotated[str, Path(max_length=100, examples=["max_position_size"])]


@router.get("", dependencies=[READ])
async def list_config(config: Config) -> ConfigListOut:
    """Every setting with value, default and bounds."""
    return ConfigListOut.model_validate({"items": await config.entries()})


@router.get("/history", dependencies=[READ])
async def list_config_history(
    query: Annotated[ConfigHistoryQuery, Query()], db: Db, answer: Answer
) -> Page[ConfigHistoryOut]:
    """Who changed what, newest first."""
    return await answer(ConfigHistoryOut, query, rows.history(db, query.key))


@router.get("/{key}", dependencies=[READ])
async def get_config(key: Key, config: Config) -> ConfigEntryOut:
    """One setting."""
    return ConfigEntryOut.model_validate(await config.entry(key))


@router.put("/{key}", dependencies=[ADMIN])
async def set_config(
    key: Key, body: ConfigValueIn, caller: CurrentCaller, config: Config
) -> ConfigEntryOut:
    """Check and store a value; running engines take it at once."""
    return ConfigEntryOut.model_validate(await config.change(caller, key, body.value, body.reason))
