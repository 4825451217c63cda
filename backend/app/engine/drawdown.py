"""The drawdown latch: once the fall from the peak reaches its limit, only a person ends it."""

from datetime import datetime

from app.domain.deployments import TradingState
from app.domain.events import TradingHalted
from app.engine import controls
from app.engine.desk import Desk


def watch(desk: Desk, at: datetime) -> None:
    """After new prices: remember the peak, and latch when the account has fallen too far from it.

    The latch is the trading state `reducing`, which is journaled, stored and read by the wire gate:
    it survives a restart, whatever the prices do, and `resume` is what ends it.
    """
    book = desk.book
    book.raise_peak()
    if book.is_drawn_down or not book.has_fallen:
        return
    if book.trading_state is TradingState.HALTED:
        return  # whoever resumes measures from there
    was_reducing = book.trading_state is TradingState.REDUCING
    fall = (book.peak - book.equity) / book.peak
    reason = (
        f"drawdown {fall:.2%} from the peak of {book.peak:.2f};"
        f" the limit is {book.limits.max_drawdown or 0:.2%}"
    )
    book.is_drawn_down = True
    controls.restrict(desk, reason, "risk", at)
    if was_reducing:  # for another reason, which may go by itself: this one does not
        state = TradingState.REDUCING
        desk.emit(TradingHalted(state=state, reason=reason, actor="risk", at=at))
