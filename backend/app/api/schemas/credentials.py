"""Keys of vendors: what is known about them, and never a value."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from app.api.schemas.base import In, Instant, Out
from app.services.credentials import LONGEST


class CredentialOut(Out):
    """One key: where its value comes from."""

    name: str = Field(description="Its variable.", examples=["ALPACA_API_KEY"])
    provider: str = Field(examples=["alpaca"])
    source: Literal["environment", "stored"] | None = Field(
        description="What is in use: the environment (or .env, or a Docker secret) goes before what"
        " is stored; null: neither has it.",
        examples=["stored"],
    )
    is_stored: bool = Field(examples=[True])
    key_id: str | None = Field(
        description="The vault's key that sealed it.", examples=["9f2c41d0aa17"]
    )
    updated_at: Instant | None


class CredentialListOut(Out):
    """Every key that Tradewright knows of; short enough for one page."""

    items: list[CredentialOut]
    next_cursor: None = None


class CredentialIn(In):
    """A value to keep sealed; it is never shown again."""

    value: Annotated[SecretStr, Field(min_length=1, max_length=LONGEST, examples=["PK3F…"])]
