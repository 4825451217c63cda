"""The trading engine at a glance, and its controls."""

from pydantic import Field

from app.api.schemas.base import In, Instant, Out, Reason
from app.api.schemas.health import HealthStatus
from app.domain.deployments import TradingState


class EngineHealthOut(Out):
    """Public: status only."""

    status: HealthStatus
    score: int = Field(ge=0, le=100, examples=[98])
    components: dict[str, HealthStatus]
    trading_state: TradingState
    at: Instant


class MetricOut(Out):
    """One figure now."""

    name: str = Field(examples=["orders_open"])
    title: str = Field(examples=["Open orders"])
    group: str = Field(
        description="system, trading, events, data, api or failures.", examples=["trading"]
    )
    value: float = Field(examples=[2])
    unit: str = Field(examples=["orders"])


class MetricListOut(Out):
    """Every figure of the engine page."""

    items: list[MetricOut]
    next_cursor: None = None
    at: Instant


class ScopeStateOut(Out):
    """The latch of all accounts, or of one."""

    scope: str = Field(description="`all` or `account:1`.", examples=["all"])
    state: TradingState
    epoch: int = Field(description="Grows with every change.", examples=[3])
    confirmed_epoch: int | None = Field(
        default=None, description="Newest epoch that the account's wire gate obeys."
    )
    reason: str | None = None
    actor: str | None = Field(default=None, examples=["ada@example.com"])
    latched_at: Instant | None = None


class TradingStateOut(Out):
    """What may be sent now: the strictest of the latch for all and each account's own."""

    state: TradingState
    reason: str | None = None
    actor: str | None = None
    since: Instant | None = None
    scopes: list[ScopeStateOut]


class EmergencyStopIn(In):
    """Halts every account, or one. Never limited by anything but its own generous rate."""

    reason: Reason = "emergency stop"
    flatten: bool = Field(
        default=False, description="Also close every position; protective orders are then canceled."
    )
    account_id: int | None = Field(default=None, description="Null: all accounts.", examples=[None])


class ControlIn(In):
    """Reduce or resume every account, or one."""

    reason: Reason
    account_id: int | None = Field(default=None, description="Null: all accounts.", examples=[None])


class ControlOut(Out):
    """200: latched and confirmed by every engine; 202: latched, somebody has not confirmed yet."""

    state: TradingState
    latched_at: Instant
    confirmed: list[int] = Field(description="Accounts whose wire gate obeys.", examples=[[1]])
    unconfirmed: list[int] = Field(description="Accounts that have not answered.", examples=[[]])
    commands: list[int] = Field(description="Ids for /api/commands/{id}.", examples=[[42]])
    canceled_orders: int | None = Field(
        default=None, description="Working orders asked to be canceled, once known."
    )
    milliseconds: float = Field(description="From the request to the latch's commit and answer.")
