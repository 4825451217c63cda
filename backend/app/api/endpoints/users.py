"""People who may sign in: for admins."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import ADMIN, FRESH_ADMIN, Answer, CurrentCaller, Db, Users
from app.api.idempotency import Once
from app.api.schemas.base import Page, PageQuery
from app.api.schemas.users import UserChangeIn, UserIn, UserOut
from app.repositories import users as people

router = APIRouter(prefix="/api/users", tags=["users"], dependencies=[ADMIN])
UserId = Annotated[int, Path(ge=1, le=2**53, examples=[2])]


@router.get("")
async def list_users(query: Annotated[PageQuery, Query()], db: Db, answer: Answer) -> Page[UserOut]:
    """Everybody, oldest first."""
    return await answer(UserOut, query, people.listing(db))


@router.post("", status_code=201, dependencies=[FRESH_ADMIN])
async def create_user(body: UserIn, caller: CurrentCaller, users: Users, once: Once) -> UserOut:
    """Let another person sign in."""
    found = UserOut.model_validate(
        await users.add(
            caller.actor,
            body.email,
            body.password.get_secret_value(),
            body.name,
            body.role,
            body.account_ids,
            once.claim,
        )
    )
    await once.answer(201, found.model_dump(mode="json"))
    return found


@router.patch("/{user_id}", dependencies=[FRESH_ADMIN])
async def change_user(
    user_id: UserId, body: UserChangeIn, caller: CurrentCaller, users: Users
) -> UserOut:
    """Change role, name or accounts, or deactivate; the last admin stays one."""
    return UserOut.model_validate(
        await users.change(
            caller.actor, user_id, body.role, body.is_active, body.name, body.account_ids
        )
    )
