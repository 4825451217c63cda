"""What the limits are measured against: holdings, prices and working orders of one account."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any, Final

import msgspec

from app.domain.deployments import TradingState
from app.domain.executions import Execution
from app.domain.instruments import Instrument
from app.domain.limits import Limits
from app.domain.options import instrument_of
from app.domain.orders import OPEN, PROTECTIVE, Leg, Order, OrderStatus, Side
from app.domain.portfolio import Ledger, Position, Trade
from app.domain.scopes import Scope, scope, tightest
from app.risk.day import Day

ZERO: Final = Decimal(0)
_MINUTE: Final = timedelta(minutes=1)
_UNHEARD: Final = frozenset({OrderStatus.APPROVED, OrderStatus.SUBMITTED, OrderStatus.UNKNOWN})
"The broker may not have counted such an order when it said what may be spent."
_KEEP_CLOSED: Final = timedelta(days=7)
"How long a late fact about a closed order still finds its order and its fills."


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Last price of a symbol and the instant it is of."""

    price: Decimal
    at: datetime


class Record(msgspec.Struct, kw_only=True):
    """An order as we know it, with the ids of its fills."""

    order: Order
    executions: list[str] = []


class Funds(msgspec.Struct, frozen=True):
    """What the broker said may be spent, its open orders taken off; None: it did not say."""

    buying_power: Decimal | None = None
    settled_cash: Decimal | None = None


class BookSnapshot(msgspec.Struct, kw_only=True):
    """The whole book as a value, for a checkpoint."""

    deposit: Decimal
    limits: Limits
    ledgers: dict[str, Ledger]
    marks: dict[str, Mark]
    records: list[Record]
    trading_state: TradingState
    peak: Decimal
    day_start: Decimal
    unsettled: Decimal
    foreign: list[str]
    recent: list[tuple[datetime, str, str]] = []
    session: date | None
    is_open: bool | None
    opened_at: datetime | None
    actions: list[str] = []
    is_drawn_down: bool = False
    elsewhere: int = 0
    funds: Funds | None = None
    committed: Decimal = ZERO
    seen: dict[str, tuple[str | None, bool]] = {}
    scopes: dict[str, dict[str, Any]] = {}
    day: Day = msgspec.field(default_factory=Day)


class Book:
    """One account: ledgers that add up to it, marks, orders, and the numbers limits look at."""

    is_drawn_down = False
    "The fall from the peak has reached its limit, and nobody has resumed trading since."
    elsewhere = 0
    "Open orders of the user's other accounts."
    takes_both_sides = True
    "Whether the broker takes orders that could meet one of the account that rests there."
    funds: Funds | None = None
    committed = ZERO
    "What additions cost that the broker had not counted when it said `funds`."

    def __init__(
        self, account_id: int, deposit: Decimal, limits: Limits, instruments: dict[str, Instrument]
    ) -> None:
        self.account_id = account_id
        self.deposit = deposit
        self.limits = limits
        self.instruments = instruments
        self.trading_state = TradingState.ACTIVE
        self.ledgers: dict[str, Ledger] = {}
        self.cash = deposit
        self.net: dict[str, Decimal] = {}
        "Signed quantity by symbol over all ledgers: what the broker should have."
        self._marks: dict[str, Mark] = {}
        self._closes: dict[str, tuple[float, datetime]] = {}
        "Newer prices than the marks, not yet needed as money."
        self.records: dict[str, Record] = {}
        self.open: dict[str, Order] = {}
        self.moving: dict[str, Order] = {}
        "Open orders that change positions when all goes as wanted: all but protective legs."
        self.by_key: dict[tuple[str, str], dict[str, Order]] = {}
        self.peak = deposit
        self.day_start = deposit
        self.unsettled = ZERO
        "Proceeds of this session's sales: they settle with the next session."
        self.foreign: dict[str, None] = {}
        "Fills of orders that are not ours, by execution id."
        self.recent: list[tuple[datetime, str, str]] = []
        "Orders made of late, protective ones aside: when, by which ledger, of which symbol."
        self.actions: dict[str, None] = {}
        "Corporate actions that took effect, by id."
        self.session: date | None = None
        self.is_open: bool | None = None
        "None: nobody has told us about sessions."
        self.opened_at: datetime | None = None
        self.seen: dict[str, tuple[str | None, bool]] = {}
        "Sector, and whether the broker lends it, of each symbol that we were told about."
        self.scopes: dict[str, Scope] = {}
        "Limits of deployments and symbols, by the scope's name."
        self._tight: dict[tuple[str, str], tuple[Limits, Limits, tuple[Scope, ...]]] = {}
        self.day = Day()
        self._equity: Decimal | None = None
        self._newest: datetime | None = None
        "When the youngest order was made."

    # ---------------------------------------------------------------------------- limits

    def limits_of(self, ledger: str, symbol: str) -> Limits:
        """The tightest limits that an order of this ledger and symbol has."""
        return self._tightened(ledger, symbol)[0] if self.scopes else self.limits

    def scopes_of(self, ledger: str, symbol: str) -> tuple[Scope, ...]:
        """The scopes that cover such an order, beside its account."""
        return self._tightened(ledger, symbol)[1] if self.scopes else ()

    def _tightened(self, ledger: str, symbol: str) -> tuple[Limits, tuple[Scope, ...]]:
        known = self._tight.get((ledger, symbol))
        if known is None or known[0] is not self.limits:
            mine = tuple(one for one in self.scopes.values() if one.covers(ledger, symbol))
            merged = tightest(self.limits, *(one.limits for one in mine))
            known = self._tight[ledger, symbol] = self.limits, merged, mine
        return known[1], known[2]

    def limit(self, name: str, given: Mapping[str, Any]) -> None:
        """A scope has these limits from now on; without any it is gone. Raises InvalidInput."""
        found = scope(name, given)
        others = {key: one for key, one in self.scopes.items() if key != name}
        if found.limits:
            others[name] = found
        self.scopes = dict(sorted(others.items()))
        self._tight.clear()

    @contextmanager
    def supposing(self, limits: Limits, scopes: dict[str, Scope]) -> Iterator[None]:
        """As if these were the limits, for one question."""
        kept = self.limits, self.scopes, self._tight
        self.limits, self.scopes, self._tight = limits, scopes, {}
        try:
            yield
        finally:
            self.limits, self.scopes, self._tight = kept

    # ------------------------------------------------------------------ what we were told

    def see(self, symbol: str, sector: str | None, *, shortable: bool) -> None:
        """A symbol's sector, and whether it can be borrowed, are these from now on."""
        self.seen[symbol] = sector, shortable
        instrument = self.instrument(symbol)
        self.instruments[symbol] = msgspec.structs.replace(
            instrument, sector=sector, shortable=shortable
        )

    def hear_funds(self, funds: Funds) -> None:
        """The broker said what may be spent; it may not have counted our newest orders."""
        self.funds = funds
        self.committed = sum(
            (
                order.remaining_quantity * self.unit(order.symbol)
                for order in self.open.values()
                if order.leg is Leg.ENTRY and order.status in _UNHEARD
            ),
            ZERO,
        )

    def rearm(self) -> None:
        """A person resumes trading: the drawdown is measured from here on."""
        self.peak = self.equity
        self.is_drawn_down = False

    # -------------------------------------------------------------------------- holdings

    def instrument(self, symbol: str) -> Instrument:
        found = self.instruments.get(symbol)
        if found is None:
            found = self.instruments[symbol] = instrument_of(symbol)
        return found

    def ledger(self, name: str) -> Ledger:
        found = self.ledgers.get(name)
        if found is None:
            found = self.ledgers[name] = Ledger(name=name)
        return found

    def position(self, ledger: str, symbol: str) -> Position:
        found = self.ledgers.get(ledger)
        return found.position(symbol) if found else Position(ledger=ledger, symbol=symbol)

    def held(self, ledger: str, symbol: str) -> Decimal:
        found = self.ledgers.get(ledger)
        if found is None:
            return ZERO
        position = found.positions.get(symbol)
        return ZERO if position is None else position.quantity

    def positions(self) -> Iterator[Position]:
        """Every position that is not flat, by ledger and symbol."""
        for name in sorted(self.ledgers):
            for _, position in sorted(self.ledgers[name].positions.items()):
                if position.quantity:
                    yield position

    def apply(self, execution: Execution, order: Order | None) -> tuple[Position, Trade | None]:
        """Fold a fill into its ledger and the account."""
        ledger = self.ledger(order.ledger if order else execution.ledger)
        signal, leg = (order.signal_id, order.leg) if order else (None, None)
        before = ledger.cash
        symbol, signed = execution.symbol, execution.signed_quantity
        multiplier = self.instrument(symbol).multiplier
        result = ledger.apply(execution, multiplier=multiplier, signal_id=signal, leg=leg)
        self.cash += ledger.cash - before
        net = self.net.get(symbol, ZERO)
        self.net[symbol] = net + signed
        worth = execution.price * multiplier
        self.day.filled(ledger.name, symbol, net, signed, worth)
        if signed < 0:
            self.unsettled -= signed * worth
        if symbol not in self._closes and symbol not in self._marks:
            self._marks[symbol] = Mark(execution.price, execution.at)
        self._equity = None
        return result

    def hold(self, position: Position) -> None:
        """The position is this from now on, for another reason than a fill."""
        ledger, symbol = self.ledger(position.ledger), position.symbol
        before = ledger.position(symbol).quantity
        ledger.positions[symbol] = position
        self.net[symbol] = self.net.get(symbol, ZERO) + position.quantity - before
        self._equity = None

    def pay(self, ledger: str, amount: Decimal) -> None:
        """Cash comes into a ledger (or leaves it), for another reason than a fill."""
        self.ledger(ledger).cash += amount
        self.cash += amount
        self._equity = None

    # ---------------------------------------------------------------------------- prices

    def value(self, symbol: str, price: Decimal, at: datetime) -> None:
        """As `mark`, of a price that is money already and lies on no grid."""
        self._closes.pop(symbol, None)
        self._marks[symbol] = Mark(price, at)
        self._equity = None

    def mark(self, symbol: str, value: float, at: datetime) -> None:
        """The symbol is worth `value` since `at`."""
        self._closes[symbol] = value, at
        self._equity = None

    def last(self, symbol: str) -> Mark | None:
        """Last price of the symbol, as money; None before it had one."""
        if symbol in self._closes:
            value, at = self._closes.pop(symbol)
            self._marks[symbol] = Mark(self.instrument(symbol).price(value), at)
        return self._marks.get(symbol)

    def price(self, symbol: str) -> Decimal | None:
        mark = self.last(symbol)
        return mark.price if mark else None

    def unit(self, symbol: str) -> Decimal:
        """What one of it is worth: its last price times its multiplier, zero before the first."""
        price = self.price(symbol)
        return ZERO if price is None else price * self.instrument(symbol).multiplier

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their marks."""
        if self._equity is None:
            self._equity = self.worth({})
        return self._equity

    def worth(self, closes: Mapping[str, float]) -> Decimal:
        """The equity if these symbols were worth so much, and the others what they are."""
        worth = self.cash
        for symbol, quantity in self.net.items():
            if quantity:
                if symbol in closes:
                    instrument = self.instrument(symbol)
                    unit = instrument.price(closes[symbol]) * instrument.multiplier
                else:
                    unit = self.unit(symbol)
                worth += quantity * unit
        return worth

    def worth_of(self, ledger: str) -> Decimal:
        """What a ledger has won since it began: its cash flow and its positions at their marks."""
        found = self.ledger(ledger)
        held = (
            one.quantity * self.unit(symbol)
            for symbol, one in found.positions.items()
            if one.quantity
        )
        return sum(held, found.cash)

    @property
    def has_fallen(self) -> bool:
        """Whether the fall from the peak has reached its limit."""
        limit = self.limits.max_drawdown
        if limit is None or self.peak <= 0 or not self.limits.risk_checking:
            return False
        return self.peak - self.equity >= limit * self.peak

    def raise_peak(self) -> None:
        self.raise_peak_to(self.equity)

    def raise_peak_to(self, equity: Decimal) -> None:
        if equity > self.peak:
            self.peak = equity

    def begin_session(self, session: date) -> None:
        """A new trading day: its start is worth what the marks of yesterday say."""
        if session != self.session:
            self.session = session
            self.day_start = self.equity
            self.unsettled = ZERO
            self.day.begin(session, {name: self.worth_of(name) for name in sorted(self.ledgers)})
            self._forget_closed()

    # ---------------------------------------------------------------------------- orders

    def put(self, order: Order) -> None:
        """Remember the order as it is now."""
        identity = order.client_order_id
        record = self.records.get(identity)
        if record is None:
            self.records[identity] = Record(order=order)
            if self._newest is None or order.at > self._newest:
                self._newest = order.at
        else:
            record.order = order
        key = order.ledger, order.symbol
        if order.status in OPEN:
            if record is not None and identity not in self.open:
                # It came back, the last in line: also in a snapshot, which is made of the records.
                self.records[identity] = self.records.pop(identity)
            self.open[identity] = order
            self.by_key.setdefault(key, {})[identity] = order
            if order.leg not in PROTECTIVE:
                self.moving[identity] = order
        elif self.open.pop(identity, None) is not None:
            self.moving.pop(identity, None)
            del self.by_key[key][identity]
            if not self.by_key[key]:
                del self.by_key[key]

    def replace(self, before: Order, order: Order) -> None:
        """As `put`, of an open order that may have another symbol from now on."""
        if order.symbol != before.symbol:
            key, identity = (before.ledger, before.symbol), before.client_order_id
            del self.by_key[key][identity]
            if not self.by_key[key]:
                del self.by_key[key]
        self.put(order)

    def working(self, ledger: str, symbol: str) -> list[Order]:
        """Open orders of one ledger and symbol, oldest first; unknown ones are open."""
        found = self.by_key.get((ledger, symbol))
        return list(found.values()) if found else []

    def approved(self, order: Order) -> None:
        """A new order of ours: it counts against the limits from here on."""
        self.put(order)
        if order.leg in PROTECTIVE:
            return
        self.recent.append((order.at, order.ledger, order.symbol))
        if self.funds is not None and order.leg is Leg.ENTRY:
            self.committed += order.quantity * self.unit(order.symbol)

    def dismiss(self, order: Order) -> None:
        """An order that was approved this moment, and is not made after all: nobody knows of it."""
        self.put(order.to(OrderStatus.CANCELED))
        del self.records[order.client_order_id]
        self.recent.pop()
        if self.funds is not None and order.leg is Leg.ENTRY:
            self.committed -= order.quantity * self.unit(order.symbol)

    def recent_orders(self, at: datetime, within: Scope | None = None) -> int:
        """Orders made in the minute before `at`, of the whole account or of a scope."""
        self.recent = [made for made in self.recent if at - made[0] < _MINUTE]
        if within is None:
            return len(self.recent)
        return sum(1 for _, ledger, symbol in self.recent if within.covers(ledger, symbol))

    def moving_of(self, within: Scope) -> list[Order]:
        """Open orders of a scope, protective legs aside."""
        return [one for one in self.moving.values() if within.covers(one.ledger, one.symbol)]

    def pending(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Shares that open orders may still buy and sell, protective legs aside."""
        buys = sells = ZERO
        for order in self.moving.values():
            if order.symbol == symbol:
                if order.side is Side.BUY:
                    buys += order.remaining_quantity
                else:
                    sells += order.remaining_quantity
        return buys, sells

    def reach(self, symbol: str, side: Side) -> Decimal:
        """How far the account may already get on `side` when every open order there fills."""
        buys, sells = self.pending(symbol)
        net = self.net.get(symbol, ZERO)
        return net + buys if side is Side.BUY else sells - net

    def ledger_reach(self, ledger: str, symbol: str, side: Side) -> Decimal:
        """The same of one ledger, by its own position and orders."""
        held = self.held(ledger, symbol)
        going = (
            order.remaining_quantity
            for order in self.working(ledger, symbol)
            if order.leg not in PROTECTIVE and order.side is side
        )
        return sum(going, held if side is Side.BUY else -held)

    def exposure_of(self, ledger: str, but: str) -> Decimal:
        """Largest value that the other symbols of a ledger may get to with its open orders."""
        symbols = {symbol for symbol, one in self.ledger(ledger).positions.items() if one.quantity}
        symbols.update([one.symbol for one in self.moving.values() if one.ledger == ledger])
        symbols.discard(but)
        reaches = (
            max(abs(self.ledger_reach(ledger, symbol, side)) for side in Side) * self.unit(symbol)
            for symbol in sorted(symbols)
        )
        return sum(reaches, ZERO)

    def exposure(self, symbol: str) -> Decimal:
        """Largest absolute value that the symbol may get to with the orders now open."""
        buys, sells = self.pending(symbol)
        net = self.net.get(symbol, ZERO)
        return max(abs(net + buys), abs(net - sells)) * self.unit(symbol)

    def exposures(self, but: str) -> dict[str, Decimal]:
        """`exposure` of every symbol that is held or ordered, but one."""
        symbols = {symbol for symbol, quantity in self.net.items() if quantity}
        symbols.update([order.symbol for order in self.moving.values()])
        symbols.discard(but)
        return {symbol: self.exposure(symbol) for symbol in sorted(symbols)}

    def _forget_closed(self) -> None:
        if self._newest is None:
            return
        until = self._newest - _KEEP_CLOSED
        # They stand in the order in which they were made.
        old = takewhile(lambda item: item[1].order.at <= until, self.records.items())
        for identity in [identity for identity, record in old if not record.order.is_open]:
            del self.records[identity]

    # ------------------------------------------------------------------------ checkpoint

    def snapshot(self) -> BookSnapshot:
        """This book as a value that later changes do not touch."""
        known = {*self._marks, *self._closes}
        return BookSnapshot(
            deposit=self.deposit,
            limits=self.limits,
            ledgers={
                name: Ledger(name=name, cash=one.cash, positions=dict(one.positions))
                for name, one in self.ledgers.items()
            },
            marks={symbol: mark for symbol in sorted(known) if (mark := self.last(symbol))},
            records=[
                Record(order=record.order, executions=list(record.executions))
                for record in self.records.values()
            ],
            trading_state=self.trading_state,
            peak=self.peak,
            day_start=self.day_start,
            unsettled=self.unsettled,
            foreign=list(self.foreign),
            recent=list(self.recent),
            session=self.session,
            is_open=self.is_open,
            opened_at=self.opened_at,
            actions=list(self.actions),
            is_drawn_down=self.is_drawn_down,
            elsewhere=self.elsewhere,
            funds=self.funds,
            committed=self.committed,
            seen=dict(self.seen),
            scopes={
                one.name: msgspec.to_builtins(dict(one.limits)) for one in self.scopes.values()
            },
            day=self.day.copy(),
        )

    def restore(self, state: BookSnapshot) -> None:
        """Become the book that `state` was taken of."""
        self.deposit, self.limits = state.deposit, state.limits
        self.trading_state = state.trading_state
        self.ledgers = {ledger.name: ledger for ledger in state.ledgers.values()}
        self.cash = self.deposit + sum((one.cash for one in self.ledgers.values()), ZERO)
        self.net = {}
        for ledger in self.ledgers.values():
            for symbol, position in ledger.positions.items():
                self.net[symbol] = self.net.get(symbol, ZERO) + position.quantity
        self._marks, self._closes, self._newest = dict(state.marks), {}, None
        self.records, self.open, self.moving, self.by_key = {}, {}, {}, {}
        for record in state.records:
            self.put(record.order)
            self.records[record.order.client_order_id].executions = list(record.executions)
        self.foreign = dict.fromkeys(state.foreign)
        self.peak, self.day_start = state.peak, state.day_start
        self.unsettled, self.recent = state.unsettled, list(state.recent)
        self.session, self.is_open, self.opened_at = state.session, state.is_open, state.opened_at
        self.actions = dict.fromkeys(state.actions)
        self.is_drawn_down, self.elsewhere = state.is_drawn_down, state.elsewhere
        self.funds, self.committed = state.funds, state.committed
        self.seen = {}
        for symbol, (sector, shortable) in state.seen.items():
            self.see(symbol, sector, shortable=shortable)
        self.scopes = {name: scope(name, given) for name, given in state.scopes.items()}
        self._tight, self.day = {}, state.day.copy()
        self._equity = None
