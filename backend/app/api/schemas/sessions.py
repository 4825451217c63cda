"""Browser sessions: where one is signed in."""

from pydantic import Field

from app.api.schemas.base import Instant, Out


class SessionOut(Out):
    """One signed-in browser."""

    id: int = Field(examples=[12])
    created_at: Instant
    last_seen_at: Instant
    expires_at: Instant
    address: str | None = Field(default=None, examples=["127.0.0.1"])
    user_agent: str | None = Field(default=None, examples=["Firefox on Linux"])
    is_current: bool = Field(description="True for the session that asks.")
