"""Commands: the one way to ask an engine for something, and what became of it."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from app.api.schemas.base import Instant, Out, Quantity


class CommandState(StrEnum):
    """pending: not yet answered; succeeded; failed: see `code` and `detail`."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class DenialOut(Out):
    """Which limit said no, and by how much."""

    code: str = Field(examples=["position_limit"])
    detail: str = Field(examples=["AAPL would be 7.2 % of equity; the limit is 5 %."])
    limit: Quantity | None = Field(default=None, examples=["0.05"])
    value: Quantity | None = Field(default=None, examples=["0.072"])


class CommandOut(Out):
    """A request to the engine of one account, and its outcome."""

    id: int = Field(examples=[41])
    account_id: int = Field(examples=[1])
    kind: str = Field(examples=["order_place"])
    state: CommandState
    payload: dict[str, Any] = Field(examples=[{"symbol": "AAPL", "side": "buy"}])
    result: dict[str, Any] | None = Field(
        default=None, examples=[{"client_order_id": "1-manual-41-entry-1"}]
    )
    denial: DenialOut | None = Field(
        default=None, description="Set when our risk engine denied what was asked."
    )
    client_order_id: str | None = Field(
        default=None, description="The order that came of it, where one did."
    )
    actor: str = Field(examples=["user:1"])
    created_at: Instant
    completed_at: Instant | None = None
