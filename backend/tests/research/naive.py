"""sma_cross on minute bars, calculated a second time: from the documentation, with plain loops.

Nothing here imports the product. Every amount is a Decimal, moving averages are exact sums of the
file's own digits, and the session is New York's wall clock from 9:30 to 16:00. The rules, as the
documentation tells them:

- A bar first fills what waits for an open, then what it touched on its way, then it is judged.
- Long while the mean of the last `fast` closes is above that of the last `slow`, else flat; only
  a changed opinion asks for anything.
- Shares for a long = budget / close, rounded down. The budget is the equity at that instant times
  the least of: the position limit, and the exposure limit (at most 1) shared by the symbols.
- Nothing is bought on credit: with all that is held and ordered, a buy is cut to the equity.
- Market orders fill at the opens of the next bars, a tenth of the bar before's volume at most in
  each, one basis point worse, on the cent.
- What fills at one instant is booked by symbol, stops first, older orders first.
- An order costs half a cent a share, at least a dollar, at most a hundredth of its value, on the
  hundredth of a cent.
- All that is held has one stop, some percent under the average price of when shares were last
  added: touched, it fills there (or at the open, if the bar began below), one basis point worse
  but not below the low; what the bar's tenth does not take, the next opens do. It stays while
  shares are sold, and of it and the sale only one fills at one instant. After a stop nothing is
  bought until the opinion has changed.
- Orders not filled after `patience` seconds of an open exchange are taken back; day orders end
  with the session. Exits are asked for again at each bar, entries are not.
"""

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)
CENT = Decimal("0.01")
ZERO = Decimal(0)


@dataclass(frozen=True)
class Minute:
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def end(self) -> datetime:
        return self.start + MINUTE


def minutes_of(path: Path) -> list[Minute]:
    """The regular session's bars of a file ts_utc,open,high,low,close,volume."""
    found = []
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            start = datetime.fromisoformat(row["ts_utc"].replace("Z", "+00:00"))
            if time(9, 30) <= start.astimezone(NEW_YORK).time() < time(16, 0):
                names = ("open", "high", "low", "close", "volume")
                found.append(Minute(start, *(Decimal(row[name]) for name in names)))
    return sorted(found, key=lambda minute: minute.start)


@dataclass(frozen=True)
class Rules:
    """What the limits of the account come to."""

    position: Decimal = Decimal("0.05")
    exposure: Decimal = Decimal("0.80")
    stop: Decimal | None = Decimal("0.05")
    patience: int = 300


@dataclass(frozen=True)
class Fill:
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    at: datetime
    cash: Decimal
    "Cash after it."


@dataclass(frozen=True)
class RoundTrip:
    symbol: str
    quantity: Decimal
    entry_at: datetime
    exit_at: datetime
    commission: Decimal
    pnl: Decimal


@dataclass(eq=False)
class Ticket:
    """An order at the broker. `stop` is the price that a protective one waits for."""

    symbol: str
    side: str
    quantity: Decimal
    made: datetime
    changed: datetime
    "When it got its newest terms: it meets only later prices."
    stop: Decimal | None = None
    beside: bool = False
    "A sale that works beside a stop: at one instant only one of them may fill."
    touched: bool = False
    filled: Decimal = ZERO
    value: Decimal = ZERO
    charged: Decimal = ZERO

    @property
    def rest(self) -> Decimal:
        return self.quantity - self.filled


@dataclass
class Holding:
    """One symbol: its bars so far, what is wanted, and what there is."""

    closes: list[Decimal] = field(default_factory=list)
    volume: Decimal = ZERO
    last: Decimal = ZERO
    opinion: int = 0
    target: Decimal = ZERO
    held: Decimal = ZERO
    average: Decimal = ZERO
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    costs: Decimal = ZERO
    most: Decimal = ZERO
    since: datetime | None = None
    taken: tuple[datetime | None, Decimal] = (None, ZERO)
    "Shares of the bar that began then that were traded already."


class Naive:
    """The account. `run` tells the story from its first bar to its last."""

    def __init__(
        self, bars: dict[str, list[Minute]], cash: Decimal, fast: int, slow: int, rules: Rules
    ) -> None:
        self.bars, self.cash, self.fast, self.slow, self.rules = bars, cash, fast, slow, rules
        self.holdings = {symbol: Holding() for symbol in bars}
        self.tickets: list[Ticket] = []
        self.met: list[Ticket] = []
        self.fills: list[Fill] = []
        self.trips: list[RoundTrip] = []
        self.opinions: list[tuple[datetime, str, int]] = []
        self.ties: list[tuple[datetime, str]] = []
        "Bars at which both averages are exactly equal."

    def run(self) -> "Naive":
        by_start: dict[datetime, dict[str, Minute]] = {}
        for symbol, minutes in self.bars.items():
            for minute in minutes:
                by_start.setdefault(minute.start, {})[symbol] = minute
        opened: datetime | None = None
        day: date | None = None
        for start in sorted(by_start):
            local = start.astimezone(NEW_YORK)
            if local.date() != day:
                if day is not None:
                    self.close_session(day)
                day = local.date()
                opened = datetime.combine(day, time(9, 30), NEW_YORK)
            assert opened is not None
            self.lose_patience(start, opened)
            self.meet_open(start, by_start[start])
            self.lose_patience(start + MINUTE, opened)
            self.meet_bar(by_start[start])
            self.judge(start + MINUTE, by_start[start])
        assert day is not None
        self.close_session(day)
        return self

    # ------------------------------------------------------------------------- the market

    def meet_open(self, start: datetime, bars: dict[str, Minute]) -> None:
        waiting = [one for one in self.tickets if one.symbol in bars and one.changed <= start]
        stopped: set[str] = set()
        for ticket in sorted(waiting, key=precedence):
            price = bars[ticket.symbol].open.quantize(CENT, ROUND_HALF_EVEN)
            if ticket.stop is not None and not ticket.touched:
                if price > ticket.stop:
                    continue
                ticket.touched = True
            if ticket.beside and ticket.symbol in stopped:
                continue
            room = self.room(ticket.symbol, self.holdings[ticket.symbol].volume, start)
            filled = self.fill(ticket, slipped(price, ticket.side), room, start, start)
            if filled and ticket.stop is not None:
                stopped.add(ticket.symbol)
        self.react(start)

    def meet_bar(self, bars: dict[str, Minute]) -> None:
        for ticket in sorted(self.tickets, key=precedence):
            bar = bars.get(ticket.symbol)
            if bar is None or ticket.stop is None or ticket.touched or ticket.changed > bar.start:
                continue
            opened, low = (p.quantize(CENT, ROUND_HALF_EVEN) for p in (bar.open, bar.low))
            if low > ticket.stop:
                continue
            ticket.touched = True
            price = max(slipped(min(ticket.stop, opened), "sell"), low)
            room = self.room(ticket.symbol, bar.volume, bar.start)
            self.fill(ticket, price, room, bar.start, bar.end)
        for symbol, bar in bars.items():
            self.holdings[symbol].volume = bar.volume
            self.react(bar.end)

    def room(self, symbol: str, volume: Decimal, start: datetime) -> Decimal:
        began, taken = self.holdings[symbol].taken
        allowed = (volume / 10).to_integral_value(ROUND_DOWN)
        return max(allowed - (taken if began == start else ZERO), ZERO)

    def fill(
        self, ticket: Ticket, price: Decimal, room: Decimal, start: datetime, at: datetime
    ) -> Decimal:
        quantity = min(ticket.rest, room)
        if not quantity:
            return ZERO
        holding = self.holdings[ticket.symbol]
        began, taken = holding.taken
        holding.taken = start, quantity + (taken if began == start else ZERO)
        ticket.filled += quantity
        ticket.value += quantity * price
        total = min(max(Decimal("0.005") * ticket.filled, Decimal(1)), ticket.value / 100)
        total = total.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
        commission, ticket.charged = total - ticket.charged, total
        if not ticket.rest:
            self.tickets.remove(ticket)
        self.book(ticket, quantity, price, commission, at)
        self.met.append(ticket)
        return quantity

    def react(self, now: datetime) -> None:
        """What follows from the fills of one instant, when all of them are known."""
        met, self.met = self.met, []
        for ticket in met:
            if ticket.stop is not None:
                self.holdings[ticket.symbol].target = ZERO
                self.take_back(ticket.symbol)
                self.leave(ticket.symbol, now)
            self.guard(ticket.symbol, now)

    # --------------------------------------------------------------------------- the books

    def book(
        self, ticket: Ticket, quantity: Decimal, price: Decimal, commission: Decimal, at: datetime
    ) -> None:
        holding = self.holdings[ticket.symbol]
        holding.costs += commission
        if ticket.side == "buy":
            self.cash -= quantity * price + commission
            holding.average = (
                (holding.average * holding.held + quantity * price) / (holding.held + quantity)
            ).quantize(Decimal("1e-8"), ROUND_HALF_EVEN)
            holding.held += quantity
            holding.bought += quantity * price
            holding.most = max(holding.most, holding.held)
            holding.since = holding.since or at
        else:
            self.cash += quantity * price - commission
            holding.held -= quantity
            holding.sold += quantity * price
        self.fills.append(
            Fill(ticket.symbol, ticket.side, quantity, price, commission, at, self.cash)
        )
        if not holding.held:
            assert holding.since is not None
            pnl = holding.sold - holding.bought - holding.costs
            self.trips.append(
                RoundTrip(ticket.symbol, holding.most, holding.since, at, holding.costs, pnl)
            )
            holding.average = holding.bought = holding.sold = holding.costs = holding.most = ZERO
            holding.since = None

    @property
    def equity(self) -> Decimal:
        worth = (one.held * one.last for one in self.holdings.values())
        return self.cash + sum(worth, ZERO)

    # ------------------------------------------------------------------------- the opinion

    def judge(self, now: datetime, bars: dict[str, Minute]) -> None:
        for symbol, bar in bars.items():
            holding = self.holdings[symbol]
            holding.closes.append(bar.close)
            holding.last = bar.close.quantize(CENT, ROUND_HALF_EVEN)
        changed: dict[str, Decimal] = {}
        for symbol in sorted(bars):
            opinion = self.opinion(symbol, now)
            if opinion is not None and opinion != self.holdings[symbol].opinion:
                self.holdings[symbol].opinion = opinion
                changed[symbol] = self.shares(symbol) if opinion else ZERO
        for symbol, target in changed.items():
            self.holdings[symbol].target = target
        for symbol in sorted(self.holdings):
            self.turn(symbol, now, changed)
        for symbol in changed:
            self.enter(symbol, now)
            self.guard(symbol, now)

    def opinion(self, symbol: str, now: datetime) -> int | None:
        closes = self.holdings[symbol].closes
        if len(closes) < self.slow:
            return None
        fast = sum(closes[-self.fast :], ZERO) * self.slow
        slow = sum(closes[-self.slow :], ZERO) * self.fast
        if fast == slow:
            self.ties.append((now, symbol))
        self.opinions.append((now, symbol, int(fast > slow)))
        return int(fast > slow)

    def shares(self, symbol: str) -> Decimal:
        part = min(self.rules.exposure, Decimal(1)) / len(self.holdings)
        budget = self.equity * min(part, self.rules.position)
        return (budget / self.holdings[symbol].last).to_integral_value(ROUND_DOWN)

    # --------------------------------------------------------------------------- the orders

    def turn(self, symbol: str, now: datetime, changed: Mapping[str, Decimal]) -> None:
        """Take back what works against the target; ask for what must go."""
        holding = self.holdings[symbol]
        if symbol in changed:
            wrong = "sell" if holding.target > holding.held else "buy"
            for ticket in self.market_orders(symbol):
                if ticket.side == wrong:
                    self.tickets.remove(ticket)
        if holding.target < holding.held:
            self.leave(symbol, now)

    def leave(self, symbol: str, now: datetime) -> None:
        """Sell what is held beyond the target, unless that is under way."""
        holding = self.holdings[symbol]
        for ticket in self.market_orders(symbol):
            if ticket.side == "buy":
                self.tickets.remove(ticket)
        if any(one.stop is not None and one.filled for one in self.of(symbol)):
            return  # a touched stop is at the market already
        leaving = sum((one.rest for one in self.market_orders(symbol)), ZERO)
        quantity = holding.held - leaving - holding.target
        if quantity > 0:
            has_stop = any(one.stop is not None for one in self.of(symbol))
            self.tickets.append(Ticket(symbol, "sell", quantity, now, now, beside=has_stop))

    def take_back(self, symbol: str) -> None:
        """A stop has sold what a sale beside it was to sell."""
        sales = [one for one in self.market_orders(symbol) if one.side == "sell"]
        if sum((one.rest for one in sales), ZERO) > self.holdings[symbol].held:
            for ticket in sales:
                self.tickets.remove(ticket)

    def enter(self, symbol: str, now: datetime) -> None:
        holding = self.holdings[symbol]
        coming = sum((one.rest for one in self.market_orders(symbol) if one.side == "buy"), ZERO)
        wanted = holding.target - holding.held - coming
        room = (self.equity - self.others(symbol)) / holding.last - holding.held - coming
        quantity = min(wanted, room.to_integral_value(ROUND_DOWN))
        if 0 < quantity < wanted:
            holding.target = holding.held + coming + quantity
        if quantity > 0:
            self.tickets.append(Ticket(symbol, "buy", quantity, now, now))

    def others(self, symbol: str) -> Decimal:
        """What everything else may come to be worth, at the last prices."""
        worth = ZERO
        for other, holding in self.holdings.items():
            if other != symbol:
                orders = self.market_orders(other)
                bought = sum((one.rest for one in orders if one.side == "buy"), ZERO)
                worth += (holding.held + bought) * holding.last
        return worth

    def guard(self, symbol: str, now: datetime) -> None:
        """One stop for all shares that are held, also while they are being sold."""
        holding = self.holdings[symbol]
        stops = [one for one in self.of(symbol) if one.stop is not None]
        if self.rules.stop is None or not holding.held:
            for ticket in stops:
                self.tickets.remove(ticket)
            return
        missing = holding.held - sum((one.rest for one in stops), ZERO)
        price = (holding.average * (1 - self.rules.stop)).quantize(CENT, ROUND_HALF_EVEN)
        if not stops:
            self.tickets.append(Ticket(symbol, "sell", missing, now, now, stop=price))
        elif missing:
            (ticket,) = stops
            ticket.quantity += missing
            ticket.changed = now
            if missing > 0:
                ticket.stop = price

    def of(self, symbol: str) -> list[Ticket]:
        return [one for one in self.tickets if one.symbol == symbol]

    def market_orders(self, symbol: str) -> list[Ticket]:
        return [one for one in self.of(symbol) if one.stop is None]

    # ---------------------------------------------------------------------- orders that end

    def lose_patience(self, now: datetime, opened: datetime) -> None:
        patience = timedelta(seconds=self.rules.patience)
        self.give_up(one for one in self.tickets if max(one.made, opened) + patience <= now)

    def close_session(self, day: date) -> None:
        closed = datetime.combine(day, time(16, 0), NEW_YORK)
        self.give_up(one for one in self.tickets if one.made < closed)

    def give_up(self, tickets: Iterable[Ticket]) -> None:
        for ticket in [one for one in tickets if one.stop is None]:
            self.tickets.remove(ticket)
            if ticket.side == "buy":
                self.holdings[ticket.symbol].target = self.holdings[ticket.symbol].held


def precedence(ticket: Ticket) -> tuple[str, bool, datetime]:
    """At one instant: by symbol, stops first, the older first."""
    return ticket.symbol, ticket.stop is None, ticket.made


def slipped(price: Decimal, side: str) -> Decimal:
    """One basis point worse, on the cent."""
    worse = Decimal("1.0001") if side == "buy" else Decimal("0.9999")
    return (price * worse).quantize(CENT, ROUND_HALF_EVEN)
