"""Settings that change while the system runs: read, change, history."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import ADMIN, READ, Config, CurrentCaller, Reader, Tables
from app.api.schemas.base import Page
from app.api.schemas.config import (
    ConfigEntryOut,
    ConfigHistoryOut,
    ConfigHistoryQuery,
    ConfigListOut,
    ConfigValueIn,
)

router = APIRouter(prefix="/api/config", tags=["config"])
Key = Annotated[str, Path(max_length=100, examples=["max_position_size"])]


@router.get("", dependencies=[READ])
async def list_config(config: Config) -> ConfigListOut:
    """Every setting with value, default and bounds."""


@router.get("/history", dependencies=[READ])
async def list_config_history(
    query: Annotated[ConfigHistoryQuery, Query()], read: Reader, tables: Tables
) -> Page[ConfigHistoryOut]:
    """Who changed what, newest first."""


@router.get("/{key}", dependencies=[READ])
async def get_config(key: Key, config: Config) -> ConfigEntryOut:
    """One setting."""


@router.put("/{key}", dependencies=[ADMIN])
async def set_config(
    key: Key, body: ConfigValueIn, caller: CurrentCaller, config: Config
) -> ConfigEntryOut:
    """Check and store a value; running engines take it at once."""
