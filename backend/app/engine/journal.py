"""A journal in memory, with a running hash: for backtests and tests."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Final, cast

from app.domain.events import (
    BarLate,
    CashMoved,
    ClockTicked,
    DeploymentFailed,
    Event,
    OrderDenied,
    OrderFilled,
    PositionAdjusted,
    SessionClosed,
    SessionOpened,
    SliceClosed,
    TradeClosed,
    TradeVoided,
    encode_all,
)
from app.domain.executions import Execution
from app.domain.portfolio import Trade
from app.domain.ports import Entry

_BATCH: Final = 1000
_TOLD: Final = frozenset(
    {
        OrderFilled,
        TradeClosed,
        TradeVoided,
        OrderDenied,
        DeploymentFailed,
        PositionAdjusted,
        CashMoved,
    }
)
TIME: Final = frozenset({SliceClosed, ClockTicked, SessionOpened, SessionClosed, BarLate})
"""Inputs that only say that time went on. A backtest skips those that change nothing."""


class MemoryJournal:
    """Remembers decision events (all but `TIME`, unless `keeps_time`) and their hash.

    Executions, trades, what corporate actions did, failures and the number of denials by code are
    always kept; with `keeps_events=False` the other events leave only the hash and the count, for
    long backtests.
    """

    def __init__(self, *, keeps_events: bool = True, keeps_time: bool = False) -> None:
        self.keeps_events, self.keeps_time = keeps_events, keeps_time
        self._passed_over = frozenset() if keeps_time else TIME
        self.entries: list[Entry] = []
        self.executions: list[Execution] = []
        self.trades: list[Trade] = []
        self.adjustments: list[PositionAdjusted | CashMoved] = []
        self.failures: list[DeploymentFailed] = []
        self.denials: Counter[str] = Counter()
        self.count = 0
        self._digest = hashlib.sha256()
        self._unhashed: list[Event] = []

    async def append(self, entries: Sequence[Entry]) -> int:
        """Remember `entries`; the sequence number of the last. `cause` stays as given."""
        unhashed, before = self._unhashed, len(self._unhashed)
        for entry in entries:
            event = entry.event
            kind = type(event)
            if kind in self._passed_over:
                continue
            unhashed.append(event)
            if kind in _TOLD:
                self._tell(event)
            if self.keeps_events:
                self.entries.append(entry)
        self.count += len(unhashed) - before
        if len(unhashed) > _BATCH:
            self._hash()
        return self.count

    def _tell(self, event: Event) -> None:
        if isinstance(event, OrderFilled):
            self.executions.append(event.execution)
        elif isinstance(event, TradeClosed):
            self.trades.append(event.trade)
        elif isinstance(event, TradeVoided):
            self.trades = [one for one in self.trades if one.trade_id != event.trade_id]
        elif isinstance(event, OrderDenied):
            self.denials[event.code] += 1
        elif isinstance(event, PositionAdjusted | CashMoved):
            self.adjustments.append(event)
        else:
            self.failures.append(cast("DeploymentFailed", event))

    def _hash(self) -> None:
        # In batches: hashing many bytes at once costs far less than many times a few.
        self._digest.update(encode_all(self._unhashed))
        self._unhashed.clear()

    @property
    def events(self) -> list[Event]:
        return [entry.event for entry in self.entries]

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical bytes of all remembered events, in order."""
        self._hash()
        return self._digest.hexdigest()
