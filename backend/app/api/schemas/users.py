"""People who may sign in."""

from pydantic import Field

from app.api.schemas.auth import Email, Password
from app.api.schemas.base import In, Instant, Out, SecretIn
from app.domain.users import Role


class UserOut(Out):
    """A person."""

    id: int = Field(examples=[1])
    email: str = Field(examples=["ada@example.com"])
    name: str | None = Field(default=None, examples=["Ada"])
    role: Role
    is_active: bool = True
    account_ids: list[int] = Field(
        default_factory=list,
        description="Accounts to see and trade; an admin has all.",
        examples=[[1]],
    )
    has_second_factor: bool = False
    created_at: Instant
    last_sign_in_at: Instant | None = None


class UserIn(SecretIn):
    """A new person; they can change the password after signing in."""

    email: Email
    password: Password
    name: str | None = Field(default=None, max_length=100, examples=["Grace"])
    role: Role = Role.VIEWER
    account_ids: list[int] = Field(
        default=[], max_length=1000, description="Accounts to see and trade; an admin has all."
    )


class UserChangeIn(In):
    """Only what is given changes. Deactivating ends every session and key of the person."""

    role: Role | None = None
    is_active: bool | None = None
    name: str | None = Field(default=None, max_length=100)
    account_ids: list[int] | None = Field(default=None, max_length=1000)
