"""People who may sign in: for admins."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import ADMIN, CurrentCaller, Once, Tables, Users
from app.api.schemas.base import Page, PageQuery
from app.api.schemas.users import UserChangeIn, UserIn, UserOut

router = APIRouter(prefix="/api/users", tags=["users"], dependencies=[ADMIN])
UserId = Annotated[int, Path(examples=[2])]


@router.get("")
async def list_users(query: Annotated[PageQuery, Query()], tables: Tables) -> Page[UserOut]:
    """Everybody, oldest first."""


@router.post("", status_code=201)
async def create_user(body: UserIn, caller: CurrentCaller, users: Users, once: Once) -> UserOut:
    """Let another person sign in."""


@router.patch("/{user_id}")
async def change_user(
    user_id: UserId, body: UserChangeIn, caller: CurrentCaller, users: Users
) -> UserOut:
    """Change role or name, or deactivate; the last admin stays one."""
