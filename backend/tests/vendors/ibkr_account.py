"""The account of a loopback Gateway: every question about it is answered and ended.

An account without orders; a part with orders replaces the handlers it knows better.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.vendors.ibkr_wire import Fields

if TYPE_CHECKING:
    from tests.vendors.ibkr import Caller


@dataclass
class Position:
    """Shares held."""

    con_id: int
    symbol: str
    shares: float
    cost: float
    "Average, a share."


@dataclass
class Account:
    """Name, money and positions."""

    name: str
    values: dict[str, str] = field(
        default_factory=lambda: {"NetLiquidation": "100000.00", "TotalCashValue": "100000.00"}
    )
    positions: list[Position] = field(default_factory=list)

    @property
    def first(self) -> str:
        """Of the login's accounts: positions and money are its."""
        return self.name.split(",")[0]

    def handlers(self) -> "dict[int, Callable[[Caller, Fields], None]]":
        """By message id of the request."""
        return {
            5: lambda caller, _: caller.answer(53, 1),  # open orders
            6: self._updates,
            7: lambda caller, fields: caller.answer(55, 1, fields.request(7)),  # executions
            8: lambda caller, _: caller.answer(9, 1, caller.server.next_order_id),
            15: lambda _, __: None,  # bind orders that are made by hand
            16: lambda caller, _: caller.answer(53, 1),  # open orders of all clients
            17: lambda caller, _: caller.answer(15, 1, self.name),
            61: self._positions,
            62: self._summary,
            63: lambda _, __: None,
            64: lambda _, __: None,
            76: self._updates_multi,
            77: lambda _, __: None,
            99: lambda caller, _: caller.answer(102),  # completed orders
        }

    def _updates(self, caller: "Caller", fields: Fields) -> None:
        """Values once, then the end; nothing when it is a cancel."""
        fields.skip(1)
        if not fields.flag():
            return
        for key, value in self.values.items():
            caller.answer(6, 2, key, value, "USD", self.name)
        for held in self.positions:
            worth = held.shares * held.cost
            stock = (held.con_id, held.symbol, "STK", "", 0, "", "", "", "USD", held.symbol, "NMS")
            money = (held.shares, held.cost, worth, held.cost, 0, 0, self.name)
            caller.answer(7, 8, *stock, *money)
        caller.answer(8, 1, caller.server.now().strftime("%H:%M"))
        caller.answer(54, 1, self.name)

    def _updates_multi(self, caller: "Caller", fields: Fields) -> None:
        request = fields.request(76)
        for key, value in self.values.items():
            caller.answer(73, 1, request, self.name, "", key, value, "USD")
        caller.answer(74, 1, request)

    def _positions(self, caller: "Caller", fields: Fields) -> None:
        for held in self.positions:
            stock = (held.con_id, held.symbol, "STK", "", 0, "", "", "", "USD", held.symbol, "NMS")
            caller.answer(61, 3, self.name, *stock, held.shares, held.cost)
        caller.answer(62, 1)

    def _summary(self, caller: "Caller", fields: Fields) -> None:
        request = fields.request(62)
        for key, value in self.values.items():
            caller.answer(63, 1, request, self.name, key, value, "USD")
        caller.answer(64, 1, request)
