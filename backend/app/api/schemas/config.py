"""Limits and other settings that change while the system runs."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import In, Instant, Out, PageQuery


class ConfigEntryOut(Out):
    """One setting with its bounds."""

    key: str = Field(examples=["max_position_size"])
    category: str = Field(
        description="limits, alerts, log, sessions, rates, backups, retention, monitoring, quality"
        " or notifications.",
        examples=["limits"],
    )
    scope: str = Field(default="all", examples=["deployment:3"])
    value: Any = Field(description="Decimals are strings.", examples=["0.05"])
    default: Any = Field(examples=["0.05"])
    fallback: Any = Field(
        description="What applies where nothing is stored: of the environment, else the profile,"
        " else the default.",
        examples=["0.05"],
    )
    source: Literal["default", "profile", "environment", "stored"] = Field(
        description="Where the value comes from.", examples=["default"]
    )
    variable: str | None = Field(
        description="The environment variable that says it, where there is one.",
        examples=["LOG_LEVEL"],
    )
    description: str = Field(examples=["Largest absolute value of one symbol …"])
    value_schema: dict[str, Any] = Field(
        description="JSON schema of the value.", examples=[{"type": "string", "format": "decimal"}]
    )
    updated_at: Instant | None = None
    updated_by: str | None = Field(default=None, examples=["ada@example.com"])


class ConfigListOut(Out):
    """Every setting; it is short enough for one page."""

    items: list[ConfigEntryOut]
    next_cursor: None = None


class ConfigValueIn(In):
    """A new value, checked before it is stored; running processes take it at once."""

    value: Any = Field(
        description="null takes back what is stored, of settings that are no limits.",
        examples=["0.04"],
    )
    reason: str | None = Field(default=None, max_length=500, examples=["smaller positions"])
    scope: str = Field(
        default="all",
        max_length=64,
        description="all, account:1, deployment:3 or symbol:AAPL; the tightest of them holds.",
        examples=["all"],
    )


class ScopedValueOut(Out):
    """What an account, a deployment or a symbol is limited to beyond all."""

    scope: str = Field(examples=["symbol:AAPL"])
    key: str = Field(examples=["max_position_size"])
    value: Any = Field(examples=["0.02"])
    updated_at: Instant | None = None
    updated_by: str | None = None


class ScopedListOut(Out):
    """Every value of a scope that is not all; short enough for one page."""

    items: list[ScopedValueOut]
    next_cursor: None = None


class RollbackIn(In):
    """Why a change is taken back."""

    reason: str | None = Field(default=None, max_length=500, examples=["too tight"])


class ConfigChangeIn(ConfigValueIn):
    """A key and its new value."""

    key: str = Field(min_length=1, max_length=100, examples=["max_position_size"])


class ConfigHistoryOut(Out):
    """One change of a setting."""

    id: int = Field(examples=[4])
    scope: str = Field(default="all", examples=["all"])
    key: str = Field(examples=["max_position_size"])
    before: Any = Field(examples=["0.05"])
    after: Any = Field(examples=["0.04"])
    actor: str = Field(examples=["ada@example.com"])
    reason: str | None = None
    at: Instant


class ConfigListQuery(In):
    """Which settings."""

    category: str | None = Field(default=None, max_length=40, examples=["retention"])


class ConfigHistoryQuery(PageQuery):
    """Newest first."""

    key: str | None = Field(default=None, max_length=100, examples=["max_position_size"])
