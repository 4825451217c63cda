"""Judging an account by its pulse: how long it has been silent, stuck, without data, or losing."""

from decimal import Decimal
from typing import Final

from app.core.guardian import GuardianOptions
from app.domain.deployments import TradingState
from app.domain.pulse import Pulse

REARM_SECONDS: Final = 5.0
LONGEST_LOOK_SECONDS: Final = 2.0
"More than this between two looks was our own sleep, or the machine's: it proves nothing."


class Watch:
    """What is known of one account. Time is counted in looks of our own, never by two clocks."""

    def __init__(self, options: GuardianOptions) -> None:
        self.pulse: Pulse | None = None
        self.silent = self.stuck = self.dark = 0.0
        "Seconds without a pulse, without being at work, and without data."
        self.tripped: str | None = None
        "Why the account was halted; None while it may trade."
        self._options = options
        self._well = 0.0
        self._began: tuple[Decimal | None, Decimal] | None = None
        "A session's start, and the loss that was accepted by resuming in it."

    def look(self, pulse: Pulse | None, elapsed: float) -> str | None:
        """Take in the newest pulse; the reason to halt, when there is one and it is news.

        `elapsed`: seconds since the last look.
        """
        passed = min(max(elapsed, 0.0), LONGEST_LOOK_SECONDS)
        known, self.pulse = self.pulse, pulse or self.pulse
        self._count(known, passed)
        if self.tripped is not None:
            self._rearm(passed)
            return None
        reason = self._reason()
        if reason is not None:
            self.tripped = reason
        return reason

    def trip(self, reason: str) -> None:
        """Somebody else saw why; it is not found a second time."""
        self.tripped = reason

    def _count(self, known: Pulse | None, passed: float) -> None:
        pulse = self.pulse
        if pulse is None:
            return
        is_news = known is None or known.at != pulse.at
        self.silent = 0.0 if is_news or pulse.is_stopped else self.silent + passed
        is_idle = not pulse.is_ready or pulse.step_seconds > self._options.heartbeat_seconds
        self.stuck = self.stuck + passed if is_idle and not pulse.is_stopped else 0.0
        has_data = known is None or known.data_at != pulse.data_at
        is_wanted = pulse.is_live and pulse.is_open and not pulse.is_stopped
        self.dark = 0.0 if has_data or not is_wanted else self.dark + passed

    def _reason(self) -> str | None:
        pulse, options = self.pulse, self._options
        if pulse is None or pulse.is_stopped or not pulse.is_at_risk:
            return None
        if self.silent > options.heartbeat_seconds:
            return f"its engine has been silent for {self.silent:.0f} s"
        if self.stuck > options.hang_seconds:
            return f"its engine has not been at work for {self.stuck:.0f} s"
        if options.data_seconds and self.dark > options.data_seconds + pulse.bar_seconds:
            return f"no bar has come for {self.dark:.0f} s while the market is open"
        loss = pulse.loss - self._accepted(pulse)
        if options.max_loss and loss >= Decimal(str(options.max_loss)):
            return f"the session has lost {pulse.loss:.1%} of its equity"
        return None

    def _accepted(self, pulse: Pulse) -> Decimal:
        """The loss with which a person resumed in this session: only what comes on top counts."""
        if self._began is None or self._began[0] != pulse.day_start:
            return Decimal(0)
        return self._began[1]

    def _rearm(self, passed: float) -> None:
        """A person resumed, and the engine lives for some time: watch again.

        An engine that has just woken up has not heard of its halt yet.
        """
        pulse = self.pulse
        is_well = self.silent < 2 * LONGEST_LOOK_SECONDS and self.stuck == 0
        is_active = pulse is not None and pulse.trading_state is TradingState.ACTIVE
        self._well = self._well + passed if is_well and is_active else 0.0
        if pulse is not None and self._well > REARM_SECONDS:
            self.tripped, self._well = None, 0.0
            self.dark = 0.0
            self._began = pulse.day_start, pulse.loss
