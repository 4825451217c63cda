"""What became of a request to an engine."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.deps import READ, CurrentCaller, Db
from app.api.outcomes import command_out
from app.api.schemas.commands import CommandOut
from app.repositories import commands

router = APIRouter(prefix="/api/commands", tags=["commands"], dependencies=[READ])


@router.get("/{command_id}")
async def get_command(
    command_id: Annotated[int, Path(ge=1, le=2**53, examples=[41])], caller: CurrentCaller, db: Db
) -> CommandOut:
    """Where an answer 202 points to."""
    return command_out(await commands.get(db, command_id, caller.visible))
