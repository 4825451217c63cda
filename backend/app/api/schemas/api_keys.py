"""API keys: long-lived access for programs."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import AwareInstant, In, Instant, Money, MoneyIn, Out
from app.domain.users import Scope


class ApiKeyOut(Out):
    """A key without its secret, which is shown only once."""

    id: str = Field(description="The middle part of the key.", examples=["k7f3a9c2"])
    name: str = Field(examples=["notebook"])
    scopes: list[Scope]
    created_at: Instant
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None
    addresses: list[str] = Field(
        default_factory=list,
        description="Networks it may come from; empty: any.",
        examples=[["203.0.113.7/32"]],
    )
    notional_cap: Money | None = Field(default=None, description="Largest value of one order.")


class ApiKeyCreatedOut(ApiKeyOut):
    """The only answer that carries the key."""

    key: str = Field(
        description="`Authorization: Bearer tw_…`; it cannot be shown again.",
        examples=["tw_k7f3a9c2_Zm9vYmFy…"],
    )


class ApiKeyIn(In):
    """A key can do at most what its owner's role can."""

    name: str = Field(min_length=1, max_length=100, examples=["notebook"])
    scopes: Annotated[list[Scope], Field(min_length=1, examples=[["read", "trade"]])]
    expires_at: AwareInstant | None = None
    addresses: list[Annotated[str, Field(max_length=60)]] = Field(
        default=[],
        max_length=50,
        description="Addresses or networks it may come from; empty: any.",
        examples=[["203.0.113.7", "10.0.0.0/8"]],
    )
    notional_cap: MoneyIn | None = Field(
        default=None,
        description="Largest value of one order, at the highest of its prices and the newest known"
        " one. Such a key may send explicit orders only, no exposures and no deployments.",
    )
