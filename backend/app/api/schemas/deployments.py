"""Deployments: strategies at work on an account."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.base import (
    Fraction,
    In,
    Instant,
    Money,
    MoneyIn,
    Out,
    PageQuery,
    Reason,
    SymbolIn,
)
from app.api.schemas.commands import CommandOut
from app.domain.deployments import DeploymentState
from app.domain.events import Severity
from app.domain.market import Timeframe


class DeploymentOut(Out):
    """A strategy with parameters, symbols, timeframe and capital, on an account."""

    id: int = Field(examples=[3])
    account_id: int = Field(examples=[1])
    strategy: str = Field(examples=["sma_cross"])
    name: str | None = Field(default=None, examples=["SMA cross on two funds"])
    parameters: dict[str, Any] = Field(examples=[{"fast": 10, "slow": 30}])
    symbols: list[str] = Field(examples=[["SPY", "IBM"]])
    timeframe: Timeframe
    capital: Money | None = Field(
        default=None, description="Null: what the account's limits allow."
    )
    state: DeploymentState
    state_reason: str | None = Field(default=None, examples=["stopped by ada"])
    ledger: str = Field(examples=["d3"])
    created_at: Instant
    started_at: Instant | None = None
    stopped_at: Instant | None = None
    realized_pnl: Money = Field(description="Of all its positions, costs included.")
    unrealized_pnl: Money
    equity: Money | None = Field(default=None, description="capital + both; null without capital.")
    trades: int = Field(description="Round trips closed.", examples=[12])
    open_positions: int = Field(examples=[1])


class DeploymentIn(In):
    """Parameters are checked against the strategy's schema; missing ones take their default."""

    account_id: int | None = Field(
        default=None, description="Null: the only account, where there is one.", examples=[1]
    )
    strategy: str = Field(min_length=1, max_length=100, examples=["sma_cross"])
    parameters: dict[str, Any] = Field(default={}, examples=[{"fast": 10, "slow": 30}])
    symbols: Annotated[list[SymbolIn], Field(min_length=1, max_length=200)] = Field(
        examples=[["SPY", "IBM"]]
    )
    timeframe: Timeframe = Timeframe.M1
    capital: MoneyIn | None = None
    name: str | None = Field(default=None, max_length=100, examples=["SMA cross on two funds"])
    start: bool = Field(default=True, description="Start it at once.")


class DeploymentCreatedOut(Out):
    """The deployment, and what became of starting it (null when `start` was false)."""

    deployment: DeploymentOut
    command: CommandOut | None = None


class DeploymentChangeIn(In):
    """Why a deployment is paused or started again."""

    reason: Reason = "asked by a person"


class DeploymentStopIn(In):
    """`flatten` also sells (or buys back) what the deployment holds."""

    reason: Reason = "asked by a person"
    flatten: bool = False


class StrategyEventOut(Out):
    """One line of a deployment's log."""

    id: int = Field(examples=[77])
    deployment_id: int = Field(examples=[3])
    event_type: str = Field(examples=["warmed_up"])
    severity: Severity
    message: str = Field(examples=["Warmed up with 31 bars of SPY"])
    metadata: dict[str, Any] = Field(default_factory=dict)
    at: Instant


class PerformancePointOut(Out):
    """Cumulative result after one more closed trade."""

    at: Instant
    pnl: Money = Field(description="Sum of all closed trades up to here.")


class PerformanceOut(Out):
    """Figures over the closed trades of a deployment, costs included."""

    deployment_id: int = Field(examples=[3])
    trades: int = Field(examples=[12])
    wins: int = Field(examples=[7])
    losses: int = Field(examples=[5])
    win_rate: Fraction | None = Field(default=None, examples=["0.5833"])
    realized_pnl: Money = Field(
        description="Of all positions, those still open included, costs deducted."
    )
    unrealized_pnl: Money
    commission: Money
    gross_profit: Money
    gross_loss: Money
    profit_factor: Fraction | None = Field(
        default=None, description="Gross profit ÷ gross loss; null without losses."
    )
    average_pnl: Money | None = None
    best_pnl: Money | None = None
    worst_pnl: Money | None = None
    max_drawdown: Money = Field(description="Largest fall of the cumulative result.")
    curve: list[PerformancePointOut]


class DeploymentPreviewIn(In):
    """What one would deploy: nothing is created."""

    account_id: int | None = None
    strategy: str = Field(min_length=1, max_length=100, examples=["sma_cross"])
    parameters: dict[str, Any] = Field(default={}, examples=[{"fast": 10, "slow": 30}])
    symbols: Annotated[list[SymbolIn], Field(max_length=200)] = Field(examples=[["SPY"]])
    timeframe: Timeframe = Timeframe.M1


class SeriesPreviewOut(Out):
    """What is stored for one of the symbols."""

    symbol: str = Field(examples=["SPY"])
    bars: int = Field(examples=[12240])
    first_start: Instant | None = None
    last_start: Instant | None = None
    first_opinion_at: Instant | None = Field(
        default=None, description="Start of the first stored bar with an opinion; null: too few."
    )


class DeploymentPreviewOut(Out):
    """ "12 240 bars, first opinion after 30"."""

    parameters: dict[str, Any] = Field(examples=[{"fast": 10, "slow": 30}])
    lookback: int = Field(examples=[30])
    series: list[SeriesPreviewOut]


class DeploymentQuery(PageQuery):
    """Newest first."""

    account_id: int | None = Field(default=None, examples=[1])
    state: list[DeploymentState] = Field(default=[], description="Any of these.")
    strategy: str | None = Field(default=None, max_length=100)


class StrategyEventQuery(PageQuery):
    """Newest first."""

    severity: list[Severity] = Field(default=[], description="Any of these.")
