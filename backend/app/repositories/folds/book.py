"""What every fold works on: remembered rows, and the ids that domain names stand for."""

from collections import deque
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import msgspec

from app.core.logging import get_logger
from app.repositories.folds.rows import Rows
from app.repositories.folds.tables import ALL

log = get_logger("trading")

_GRID: Final = Decimal("1e-8")


class InstrumentIds(msgspec.Struct, frozen=True):
    """`instruments.id` of a symbol, and the stock whose bars it follows."""

    instrument_id: int
    stock_id: int | None


class Fill(msgspec.Struct, frozen=True):
    """What an order's totals need of one execution."""

    quantity: Decimal
    price: Decimal


class Book:
    """State of one account's projection. Folds read and write it; only `projection` does I/O."""

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id
        self.rows = Rows(ALL)
        self.instruments: dict[str, InstrumentIds] = {}
        self.strategies: dict[int, int] = {}
        "Strategy of each deployment."
        self.order_ids: deque[int] = deque()
        "Ids taken from the sequence for orders to come."
        self.fills: dict[str, dict[tuple[str, str], Fill]] = {}
        "Fills of each remembered order, by (broker, execution id)."
        self.voided: set[tuple[str, str]] = set()
        "Fills that were busted or corrected: told again, they are nothing."
        self.origins: dict[str, tuple[int, str]] = {}
        "Where each remembered order was approved: seq and correlation id."
        self.commands: dict[int, int] = {}
        "Command that was received by each event of the batch."
        self.notices: list[tuple[str, str]] = []

    def instrument(self, symbol: str) -> InstrumentIds | None:
        """The ids of `symbol`; None (and a warning) when the database does not know it."""
        ids = self.instruments.get(symbol)
        if ids is None:
            log.warning("unknown_symbol_not_projected", account_id=self.account_id, symbol=symbol)
        return ids


def money(value: Decimal | None) -> Decimal | None:
    """`value` as NUMERIC(20,8) stores it."""
    return None if value is None else value.quantize(_GRID, ROUND_HALF_UP)
