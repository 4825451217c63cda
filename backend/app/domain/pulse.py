"""What a running engine says of itself every second, so that its silence can be noticed."""

from datetime import datetime
from decimal import Decimal

import msgspec

from app.domain.deployments import AccountMode, TradingState

ZERO = Decimal(0)


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """One account's engine at one instant. Of one that is not ready, what it last was."""

    account_id: int
    account: str
    broker: str
    mode: AccountMode
    at: datetime
    "The machine's time; only that it changes counts, clocks may step."
    is_ready: bool = False
    "Recovered, reconciled and at work; False from its start until then."
    is_stopped: bool = False
    "Ended because somebody asked: its silence means nothing."
    step_seconds: float = 0.0
    "How long the step under way has taken so far."
    trading_state: TradingState = TradingState.ACTIVE
    held: dict[str, dict[str, Decimal]] = {}
    "By ledger and symbol the signed quantity, without zeros."
    open_orders: int = 0
    is_live: bool = False
    "Whether its market is the real one, so that the age of data means something."
    data_at: datetime | None = None
    "End of the last slice that was handled."
    bar_seconds: float = 60.0
    is_open: bool = False
    "Whether a session of its exchange is open."
    equity: Decimal | None = None
    day_start: Decimal | None = None
    "Equity at the start of the session."

    @property
    def is_at_risk(self) -> bool:
        """Whether something could be lost while nobody looks: positions, or orders under way."""
        return self.open_orders > 0 or any(self.held.values())

    @property
    def loss(self) -> Decimal:
        """What the session has lost so far, as a fraction of what it began with; 0 for a gain."""
        if self.equity is None or not self.day_start or self.day_start <= 0:
            return ZERO
        return max(ZERO, (self.day_start - self.equity) / self.day_start)
