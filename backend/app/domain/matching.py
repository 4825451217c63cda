"""How a resting order meets a bar: the fill model of backtests and of the paper broker.

A bar meets the book twice. At its first print (`opened`) market orders fill, and stops and limits
that the open gapped through: stops worse, limits better. At its end (`closed`) stops, limits and
stop-limits fill that the bar touched; when a stop and a take-profit were both touched, the stop
did. A trailing stop follows the bars that it outlives: the next bar meets it where it then stands.
An order meets only bars that start at or after its arrival.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from zlib import crc32

import msgspec

from app.domain.events import (
    BrokerReport,
    OrderAdjusted,
    OrderExpired,
    OrderFilled,
    SessionClosed,
    SliceClosed,
)
from app.domain.executions import Execution
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.market import SliceOpened, stamp
from app.domain.options import instrument_of
from app.domain.orders import AT_ONCE, STOPS, Order, OrderChange, OrderType, Side, TimeInForce
from app.domain.resting import Meeting, Resting

ZERO: Final = Decimal(0)
_FEE: Final = Decimal("0.0001")
_BASIS_POINT: Final = Decimal("0.0001")
_STAMP: Final = "%Y%m%dT%H%M%S"
_FOK: Final = TimeInForce.FOK
_AT_ONCE_TEXT: Final = "not all of it could be filled at once"
_UNUSED: Final = datetime.max.replace(tzinfo=UTC), ZERO
_WORSE_FIRST: Final = {
    OrderType.STOP: 0,
    OrderType.TRAILING_STOP: 0,
    OrderType.STOP_LIMIT: 1,
    OrderType.MARKET: 2,
    OrderType.LIMIT: 3,
}


class FillModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What trading costs on paper. The defaults are those of a retail account in US stocks."""

    commission_per_share: Decimal = Decimal("0.005")
    commission_minimum: Decimal = Decimal(1)
    "For a whole order, however many fills it takes."
    commission_max_fraction: Decimal = Decimal("0.01")
    "Never more than this share of the order's value."
    slippage_bps: Decimal = Decimal(1)
    "Market and stop fills are worse by so many hundredths of a percent; limits are never worse."
    volume_cap: Decimal | None = Decimal("0.10")
    "Largest share of a bar's volume that we may trade; at the open, of the bar before."

    latency_seconds: Decimal = ZERO
    "An order meets only prints so long after its approval, or later."
    reject_rate: Decimal = ZERO
    "Share of orders that are refused, chosen by their ids: the same ones every time. For tests."

    def refuses(self, client_order_id: str) -> bool:
        """Whether the order is one of those that `reject_rate` lets the broker refuse."""
        return bool(self.reject_rate) and crc32(client_order_id.encode()) < self.reject_rate * 2**32

    def commission(self, quantity: Decimal, value: Decimal) -> Decimal:
        """What a whole order of `quantity` shares worth `value` costs."""
        fee, most = self.commission_per_share * quantity, self.commission_max_fraction * value
        if fee < self.commission_minimum:
            fee = self.commission_minimum
        return (fee if fee < most else most).quantize(_FEE)


FREE: Final = FillModel(
    commission_per_share=ZERO, commission_minimum=ZERO, slippage_bps=ZERO, volume_cap=None
)
"""No cost, no slippage, any size."""


class Matcher:
    """A book of resting orders that bars fill. Pure: the same orders and bars, the same fills."""

    def __init__(
        self,
        model: FillModel | None = None,
        instruments: dict[str, Instrument] | None = None,
        broker: str = "paper",
    ) -> None:
        self.model = model or FillModel()
        worse = self.model.slippage_bps * _BASIS_POINT
        self._slips: Final = {Side.BUY: 1 + worse, Side.SELL: 1 - worse} if worse else {}
        self._latency: Final = timedelta(seconds=float(self.model.latency_seconds))
        self.instruments = instruments if instruments is not None else {}
        self.broker = broker
        self.resting: dict[str, Resting] = {}
        self.volumes: dict[str, float] = {}
        self.volume_factors: dict[str, float] = {}
        "New shares for one old, where the volume that is known is of the shares before a split."
        self.opened_at: dict[str, datetime] = {}
        self.used: dict[str, tuple[datetime, Decimal]] = {}
        self.closed_until: datetime | None = None
        "End of the last slice that was met: given again, it meets nobody."

    def instrument(self, symbol: str) -> Instrument:
        found = self.instruments.get(symbol)
        if found is None:
            found = self.instruments[symbol] = instrument_of(symbol)
        return found

    def add(self, order: Order) -> None:
        """Put an order into the book; one with a known id changes nothing."""
        if order.client_order_id not in self.resting:
            self.resting[order.client_order_id] = Resting(
                order=order, seen_open=self.opened_at.get(order.symbol)
            )

    def remove(self, client_order_id: str) -> bool:
        """Take an order out; False when it is not there."""
        return self.resting.pop(client_order_id, None) is not None

    def replace(self, client_order_id: str, change: OrderChange, at: datetime) -> str | None:
        """Change a resting order; fills before count. Why not, or None when it was changed."""
        resting = self.resting.get(client_order_id)
        if resting is None:
            return "the order does not rest here any more"
        if change.quantity <= resting.filled:
            return f"{resting.filled} of it are filled already"
        resting.change(change, at)
        return None

    # ------------------------------------------------------------------- the two meetings

    def opened(self, seen: SliceOpened) -> list[BrokerReport]:
        """Reports of the first prints: what the open fills."""
        reports: list[BrokerReport] = []
        opens = seen.opens
        if self.resting:
            spent: dict[str, str] = {}
            for resting in self._in_order(opens):
                symbol = resting.order.symbol
                if self._arrival(resting) > seen.at or resting.seen_open == seen.at:
                    continue
                price = self._price_at_open(resting, self.instrument(symbol).price(opens[symbol]))
                room = self._room(symbol, self._volume_before(symbol), seen.at)
                reports += self._meet(resting, price, room, seen.at, seen.at, 0, spent)
        for symbol in opens:
            self.opened_at[symbol] = seen.at
        return reports

    def closed(self, seen: SliceClosed) -> list[BrokerReport]:
        """Reports of the whole bars: what they touched on their way."""
        reports: list[BrokerReport] = []
        if self.closed_until is not None and seen.end <= self.closed_until:
            return reports
        self.closed_until = seen.end
        bars = {bar.symbol: bar for bar in seen.bars if bar.timeframe is seen.base}
        if self.resting:
            spent: dict[str, str] = {}
            for resting in self._in_order(bars):
                bar = bars[resting.order.symbol]
                if self._arrival(resting) > bar.start:
                    continue
                grid = self.instrument(bar.symbol).price
                high, low = grid(bar.high), grid(bar.low)
                price = self._price_in_bar(resting, grid(bar.open), high, low)
                room = self._room(bar.symbol, bar.volume, bar.start)
                reports += self._meet(resting, price, room, bar.start, bar.end, 1, spent)
                resting.follow(high, low)
        for bar in bars.values():
            self.volumes[bar.symbol] = bar.volume
        if self.volume_factors:
            self.volume_factors = {s: f for s, f in self.volume_factors.items() if s not in bars}
        return reports

    def session_closed(self, seen: SessionClosed) -> list[BrokerReport]:
        """Day orders made before the close expire; those made at it are for the next session."""
        reports: list[BrokerReport] = []
        for resting in list(self.resting.values()):
            order = resting.order
            if order.time_in_force is not TimeInForce.GTC and order.at < seen.at:
                del self.resting[order.client_order_id]
                reports.append(
                    OrderExpired(
                        client_order_id=order.client_order_id, reason="session closed", at=seen.at
                    )
                )
        return reports

    # ------------------------------------------------------------------ corporate actions

    def rescale(self, symbol: str, ratio: float) -> None:
        """So many new shares trade for one old: the volume of the bar before means old ones."""
        self.volume_factors[symbol] = self.volume_factors.get(symbol, 1.0) * ratio

    def adjust(self, order: OrderAdjusted) -> None:
        """What is left of a resting order, and its prices, are these now."""
        resting = self.resting.get(order.client_order_id)
        if resting is None:
            return
        before, resting.order = resting.order, adjusted(resting.order, order)
        if resting.trailed is not None and before.stop_price and order.stop_price:
            moved = resting.trailed * order.stop_price / before.stop_price
            resting.trailed = self.instrument(order.symbol).round_price(moved)

    def _volume_before(self, symbol: str) -> float | None:
        volume, factor = self.volumes.get(symbol), self.volume_factors.get(symbol)
        return volume if volume is None or factor is None else volume * factor

    # ---------------------------------------------------------------------------- restart

    def look(self, seen: SliceClosed) -> None:
        """Learn from a bar that was met before a restart: its volume, and which stops it hit."""
        self.closed_until = seen.end
        for bar in seen.bars:
            if bar.timeframe is not seen.base:
                continue
            self.volumes[bar.symbol] = bar.volume
            self.volume_factors.pop(bar.symbol, None)
            grid = self.instrument(bar.symbol).price
            high, low = grid(bar.high), grid(bar.low)
            for resting in self.resting.values():
                order = resting.order
                if order.symbol != bar.symbol or self._arrival(resting) > bar.start:
                    continue
                worst = high if order.side is Side.BUY else low
                if resting.waits and _beyond(order, worst, resting.stop):
                    resting.is_triggered = True
                resting.follow(high, low)

    def follow(self, resting: Resting, high: float, low: float) -> None:
        """The bars between two that were met, none of which touched the stop, went so far."""
        grid = self.instrument(resting.order.symbol).price
        resting.follow(grid(high), grid(low))

    def refill(self, execution: Execution) -> None:
        """Learn from a fill that was reported before a restart."""
        symbol, quantity = execution.symbol, execution.quantity
        start, meeting = meeting_of(execution.execution_id)
        self._use(symbol, start, quantity)
        if meeting == 0:
            self.opened_at[symbol] = start
        resting = self.resting.get(execution.client_order_id)
        if resting is None:
            return
        resting.last_fill = start, meeting
        resting.filled += quantity
        resting.value += quantity * execution.price * self.instrument(symbol).multiplier
        resting.charged += execution.commission
        resting.is_triggered = resting.order.type in STOPS
        if not resting.remaining:
            del self.resting[execution.client_order_id]

    def _arrival(self, resting: Resting) -> datetime:
        return (resting.changed_at or resting.order.at) + self._latency

    def _in_order(self, symbols: Iterable[str]) -> list[Resting]:
        found = [r for r in self.resting.values() if r.order.symbol in symbols]
        return sorted(found, key=_precedence) if len(found) > 1 else found

    # ----------------------------------------------------------------------------- prices

    def _slipped(self, price: Decimal, order: Order) -> Decimal:
        if not self._slips:
            return price
        return self.instrument(order.symbol).round_price(price * self._slips[order.side])

    def _price_at_open(self, resting: Resting, price: Decimal) -> Decimal | None:
        order = resting.order
        if resting.waits:
            if not _beyond(order, price, resting.stop):
                return None
            resting.is_triggered = True
        if order.limit_price is None:
            return self._slipped(price, order)
        return price if _within(order, price) else None

    def _price_in_bar(
        self, resting: Resting, opened: Decimal, high: Decimal, low: Decimal
    ) -> Decimal | None:
        order = resting.order
        buys = order.side is Side.BUY
        best, worst = (low, high) if buys else (high, low)
        if resting.waits:
            stop = resting.stop
            if stop is None or not _beyond(order, worst, stop):
                return None
            resting.is_triggered = True
            at = max(stop, opened) if buys else min(stop, opened)
            if order.limit_price is None:
                slipped = self._slipped(at, order)
                return min(slipped, high) if buys else max(slipped, low)
            # Whether the price came back within the bar is unknown: then it waits for the next.
            return at if _within(order, at) else None
        if order.limit_price is None:
            return None  # market orders meet opens
        if not _within(order, best):
            return None
        return min(order.limit_price, opened) if buys else max(order.limit_price, opened)

    def _used(self, symbol: str, start: datetime) -> Decimal:
        bar, quantity = self.used.get(symbol, _UNUSED)
        return quantity if bar == start else ZERO

    def _use(self, symbol: str, start: datetime, quantity: Decimal) -> None:
        used = self._used(symbol, start)
        self.used[symbol] = start, used + quantity if used else quantity

    def _room(self, symbol: str, volume: float | None, start: datetime) -> Decimal | None:
        """Shares that may still be traded of the bar that began at `start`; None is no limit."""
        share, instrument = self.model.volume_cap, self.instrument(symbol)
        if share is None or volume is None or instrument.kind is InstrumentKind.FX:
            return None
        cap, used = instrument.quantity(Decimal(repr(volume)) * share), self._used(symbol, start)
        return max(cap - used, ZERO) if used else cap

    # ------------------------------------------------------------------------------ fills

    def _meet(
        self,
        resting: Resting,
        price: Decimal | None,
        room: Decimal | None,
        start: datetime,
        at: datetime,
        meeting: int,
        spent: dict[str, str],
    ) -> Iterator[BrokerReport]:
        order = resting.order
        kind = "" if order.group_id is None else _kind(order)
        if resting.last_fill is not None and (start, meeting) <= resting.last_fill:
            return
        if order.group_id is not None and spent.get(order.group_id, kind) != kind:
            return  # the other order of the group was filled at this very meeting
        quantity = resting.remaining if price is not None else ZERO
        if room is not None:
            quantity = min(quantity, room)
        if order.time_in_force is _FOK and quantity < resting.remaining:
            quantity = ZERO
        if price is not None and quantity:
            if order.group_id is not None:
                spent[order.group_id] = kind
            self._use(order.symbol, start, quantity)
            yield self._fill(resting, quantity, price, (start, meeting), at)
        if order.time_in_force in AT_ONCE and self.remove(order.client_order_id):
            reason = f"{order.time_in_force}: {_AT_ONCE_TEXT}"
            yield OrderExpired(client_order_id=order.client_order_id, reason=reason, at=at)

    def _fill(
        self, resting: Resting, quantity: Decimal, price: Decimal, meeting: Meeting, at: datetime
    ) -> OrderFilled:
        order, resting.last_fill = resting.order, meeting
        resting.filled += quantity
        resting.value += quantity * price * self.instrument(order.symbol).multiplier
        total = self.model.commission(resting.filled, resting.value)
        commission, resting.charged = total - resting.charged, total
        if not resting.remaining:
            del self.resting[order.client_order_id]
        return OrderFilled(
            execution=Execution(
                execution_id=execution_id_of(order.client_order_id, *meeting),
                broker=self.broker,
                client_order_id=order.client_order_id,
                ledger=order.ledger,
                symbol=order.symbol,
                side=order.side,
                quantity=quantity,
                price=price,
                commission=commission,
                at=at,
            )
        )


def adjusted(order: Order, change: OrderAdjusted) -> Order:
    """The order as a corporate action left it."""
    return msgspec.structs.replace(
        order,
        symbol=change.symbol,
        quantity=change.quantity,
        limit_price=change.limit_price,
        stop_price=change.stop_price,
        trail=change.trail,
    )


def _kind(order: Order) -> str:
    """What an order is in its group, of which one kind may fill at a time."""
    return f"{order.leg} {order.type in STOPS}"


def _precedence(resting: Resting) -> tuple[str, int, datetime, int, str]:
    """The worse first: of a stop and a take-profit that one bar touches, the stop is assumed.

    Nothing depends on the order in which orders came in, which a restart may change.
    """
    order = resting.order
    worse = _WORSE_FIRST[order.type]
    return order.symbol, worse, order.at, order.attempt, order.client_order_id


def execution_id_of(client_order_id: str, start: datetime, meeting: int) -> str:
    """The same order, bar and meeting (0 open, 1 whole bar) give the same id: refills are seen."""
    return f"{client_order_id}:{stamp(start)}:{meeting}"


def meeting_of(execution_id: str) -> Meeting:
    """Start of the bar and meeting that an execution id tells of."""
    _, start, meeting = execution_id.rsplit(":", 2)
    return datetime.strptime(start, _STAMP).replace(tzinfo=UTC), int(meeting)


def _beyond(order: Order, price: Decimal, stop: Decimal | None) -> bool:
    if stop is None:
        return False
    return price >= stop if order.side is Side.BUY else price <= stop


def _within(order: Order, price: Decimal) -> bool:
    limit = order.limit_price or ZERO
    return price <= limit if order.side is Side.BUY else price >= limit
