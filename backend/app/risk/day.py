"""What a trading day has seen: money moved, round trips within it, and where ledgers began."""

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.scopes import Scope

ZERO: Final = Decimal(0)
SESSIONS: Final = 5
"A pattern day trader is one by the day trades of five sessions, today's among them."


class Day(msgspec.Struct, kw_only=True):
    """The session under way, and the day trades of the last five.

    A day trade is a position of the account that is made larger and then smaller within a session:
    however many fills and orders it takes, until it is made larger again.
    """

    moved: dict[str, dict[str, Decimal]] = {}
    "Money moved in this session, bought and sold together, by ledger and symbol."
    opened: dict[str, bool] = {}
    "Symbols whose position grew in this session; False once that was counted as a day trade."
    sessions: list[date] = []
    "The last sessions, the newest last."
    trades: list[date] = []
    "The session of each day trade in them."
    starts: dict[str, Decimal] = {}
    "What each ledger was worth when the session began."

    def begin(self, session: date, worth: dict[str, Decimal]) -> None:
        """A new session. `worth` of each ledger is measured at yesterday's marks."""
        self.moved, self.opened, self.starts = {}, {}, worth
        self.sessions = [*self.sessions[1 - SESSIONS :], session]
        self.trades = [day for day in self.trades if day >= self.sessions[0]]

    def filled(
        self, ledger: str, symbol: str, net: Decimal, signed: Decimal, price: Decimal
    ) -> None:
        """One fill of `signed` shares while the account held `net`."""
        moved = self.moved.setdefault(ledger, {})
        moved[symbol] = moved.get(symbol, ZERO) + abs(signed) * price
        shrinks = net * signed < 0
        if shrinks and self.opened.get(symbol):
            self.opened[symbol] = False
            if self.sessions:
                self.trades.append(self.sessions[-1])
        if not shrinks or abs(signed) > abs(net):
            self.opened[symbol] = True

    def money(self, within: Scope | None = None) -> Decimal:
        """Money moved in this session, in the whole account or in a scope."""
        return sum(
            (
                money
                for ledger, symbols in self.moved.items()
                for symbol, money in symbols.items()
                if within is None or within.covers(ledger, symbol)
            ),
            ZERO,
        )

    def at_risk(self) -> set[str]:
        """Symbols whose position grew today: getting out of one today is a day trade."""
        return {symbol for symbol, is_open in self.opened.items() if is_open}

    def copy(self) -> "Day":
        """A value that later fills do not touch."""
        return Day(
            moved={ledger: dict(symbols) for ledger, symbols in self.moved.items()},
            opened=dict(self.opened),
            sessions=list(self.sessions),
            trades=list(self.trades),
            starts=dict(self.starts),
        )
