"""What became of a request to an engine."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.deps import READ, Reader
from app.api.schemas.commands import CommandOut

router = APIRouter(prefix="/api/commands", tags=["commands"], dependencies=[READ])


@router.get("/{command_id}")
async def get_command(command_id: Annotated[int, Path(examples=[41])], read: Reader) -> CommandOut:
    """Where an answer 202 points to."""
