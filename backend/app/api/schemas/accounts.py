"""Accounts: money, state, limits and who trades for them."""

from pydantic import Field

from app.api.schemas.base import Fraction, In, Instant, Money, Out, Quantity, Reason
from app.domain.deployments import AccountMode, TradingState


class EngineOut(Out):
    """The engine that holds the account's lease."""

    is_running: bool = Field(description="A lease is held and its heartbeat is fresh.")
    holder: str | None = Field(default=None, examples=["core-4211"])
    heartbeat_at: Instant | None = None


class ArmingOut(Out):
    """Whether an account of real money may trade. Once armed it stays so until it is disarmed."""

    is_allowed: bool = Field(
        description="TRADEWRIGHT_LIVE_TRADING is on; otherwise nobody can arm it."
    )
    armed_at: Instant | None = Field(default=None, description="null: it may not trade.")
    armed_by: str | None = Field(default=None, examples=["ada@example.com"])
    asks_for_number: bool = Field(
        description="Arming wants its number at the broker typed; otherwise our id."
    )


class AccountOut(Out):
    """An account, marked at the newest prices we know."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Simulation"])
    broker: str = Field(examples=["paper"])
    mode: AccountMode
    dataset: str = Field(examples=["simulated"])
    is_simulated: bool = Field(description="Its market is not real: say so wherever it is shown.")
    currency: str = Field(examples=["USD"])
    trading_state: TradingState
    trading_state_reason: str | None = None
    engine: EngineOut
    arming: ArmingOut | None = Field(description="null: it trades no real money.")
    initial_cash: Money
    cash: Money
    equity: Money
    buying_power: Money = Field(description="What may still be bought under the exposure limit.")
    day_pnl: Money = Field(description="Equity now minus equity at the session's start.")
    day_pnl_fraction: Fraction = Field(description="day_pnl ÷ equity at the session's start.")
    realized_pnl: Money
    unrealized_pnl: Money
    exposure: Money = Field(description="Sum of absolute market values.")
    exposure_fraction: Fraction
    peak_equity: Money
    drawdown: Fraction = Field(description="Fall from the highest equity; 0.05 means 5 %.")
    open_orders: int = Field(examples=[2])
    open_positions: int = Field(examples=[3])
    running_deployments: int = Field(examples=[2])
    market_at: Instant | None = Field(
        default=None, description="The account's own clock: the end of its newest slice."
    )


class EquityPointOut(Out):
    """The account after one session or hour, or now."""

    at: Instant
    equity: Money
    cash: Money
    exposure: Money


class EquityOut(Out):
    """The equity curve, oldest first."""

    account_id: int = Field(examples=[1])
    items: list[EquityPointOut]
    next_cursor: None = None


class LimitUseOut(Out):
    """A limit with its present use."""

    name: str = Field(examples=["max_portfolio_exposure"])
    title: str = Field(examples=["Portfolio exposure"])
    limit: Quantity | None = Field(default=None, examples=["0.8"])
    value: Quantity | None = Field(default=None, examples=["0.42"])
    use: Fraction | None = Field(
        default=None, description="value ÷ limit; 1 is full.", examples=["0.525"]
    )
    unit: str = Field(description="fraction, orders or money.", examples=["fraction"])
    subject: str | None = Field(
        default=None, description="The symbol or sector with the highest use.", examples=["AAPL"]
    )
    scope: str | None = Field(
        default=None, description="Null: the account's own limit.", examples=["symbol:AAPL"]
    )


class LimitUseListOut(Out):
    """Every limit that can be measured now."""

    account_id: int = Field(examples=[1])
    items: list[LimitUseOut]
    next_cursor: None = None


class StateChangeIn(In):
    """Why trading is reduced or resumed."""

    reason: Reason


class HaltIn(In):
    """`flatten` also closes every position, which is the only trading a halt allows."""

    reason: Reason
    flatten: bool = False


class ArmIn(In):
    """The account's number, typed by the person who lets it trade real money."""

    account: str = Field(
        min_length=1,
        max_length=64,
        description="Its number at the broker, or our id where none is set.",
        examples=["U1234567"],
    )


class ArmedOut(Out):
    """Whether an account may trade real money."""

    account_id: int = Field(examples=[3])
    name: str = Field(examples=["Real"])
    armed_at: Instant | None = Field(description="null: it may not.")
    armed_by: str | None = Field(examples=["ada@example.com"])
    trading_state: TradingState = Field(
        description="Its own latch: disarming halts; arming does not resume."
    )
