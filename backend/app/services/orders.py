"""A person's orders: asked for, checked before they are sent to the engine, and canceled."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import asyncpg

from app.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.domain.commands import CommandKind, Desk, Once
from app.domain.instruments import Instrument
from app.domain.orders import OPEN, OrderType
from app.domain.users import Caller
from app.repositories import account_reports, instruments, orders, stocks
from app.repositories.paging import Row

_LIMITED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPPED: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


class OrderDesk:
    """The use cases of an order. What is asked here passes the same limits as any strategy's."""

    def __init__(self, pool: asyncpg.Pool, desk: Desk) -> None:
        self._pool = pool
        self._desk = desk

    async def place(
        self, caller: Caller, account_id: int | None, wish: Mapping[str, Any], once: Once
    ) -> Row:
        """The command's row for an explicit order. Raises InvalidInput with the field."""
        account = await self._account(caller, account_id)
        instrument = await self._instrument(wish["symbol"])
        check_prices(OrderType(wish["type"]), wish)
        check_grid(instrument, wish)
        payload = {**given(wish), "symbol": instrument.symbol}
        return await self._desk.ask(account, CommandKind.ORDER_PLACE, payload, caller.actor, once)

    async def signal(
        self, caller: Caller, account_id: int | None, wish: Mapping[str, Any], once: Once
    ) -> Row:
        """The command's row for a person's target exposure."""
        account = await self._account(caller, account_id)
        instrument = await self._instrument(wish["symbol"])
        check_grid(instrument, wish)
        payload = {**given(wish), "symbol": instrument.symbol}
        return await self._desk.ask(account, CommandKind.SIGNAL_RAISE, payload, caller.actor, once)

    async def cancel(self, caller: Caller, client_order_id: str) -> Row:
        """The command's row. Raises NotFound, or Conflict for an order that is closed."""
        order = await orders.get(self._pool, client_order_id, caller.visible)
        if order["status"] not in OPEN:
            raise Conflict(
                f"Order {client_order_id} is {order['status']}; only open orders can be canceled.",
                remedy="See GET /api/orders?status=open.",
            )
        payload = {"client_order_id": client_order_id}
        return await self._desk.ask(
            order["account_id"], CommandKind.ORDER_CANCEL, payload, caller.actor
        )

    async def _account(self, caller: Caller, account_id: int | None) -> int:
        return await account_for(self._pool, caller, account_id)

    async def _instrument(self, symbol: str) -> Instrument:
        try:
            stock = await stocks.get(self._pool, symbol)
        except NotFound as error:
            raise InvalidInput(error.message, field="symbol", remedy=error.remedy) from None
        found = await instruments.find(self._pool, stock.symbol)
        if found is None:
            raise NotFound(f"{stock.symbol} cannot be traded.")
        return found


def given(wish: Mapping[str, Any]) -> dict[str, Any]:
    """What was said; the engine has its defaults for the rest."""
    return {name: value for name, value in wish.items() if value is not None}


async def account_for(pool: asyncpg.Pool, caller: Caller, account_id: int | None) -> int:
    """The account that is meant, one that the caller may trade. Raises InvalidInput."""
    if account_id is not None:
        if not caller.may_see(account_id):
            raise InvalidInput(f"There is no account {account_id}.", field="account_id")
        try:
            return int((await account_reports.get(pool, account_id))["id"])
        except NotFound as error:
            raise InvalidInput(error.message, field="account_id", remedy=error.remedy) from None
    rows = (await account_reports.listing(pool, caller.visible)(2, None)).items
    if not rows:
        raise Forbidden("You have no account to trade on.", remedy="Ask an admin for one.")
    if len(rows) > 1:
        raise InvalidInput(
            "There are several accounts.",
            field="account_id",
            remedy="Name one of GET /api/accounts.",
        )
    return int(rows[0]["id"])


def check_prices(kind: OrderType, wish: Mapping[str, Any]) -> None:
    """Each type of order has just its own prices. Raises InvalidInput."""
    for field, types in (("limit_price", _LIMITED), ("stop_price", _STOPPED)):
        given = wish.get(field) is not None
        if given != (kind in types):
            raise InvalidInput(
                f"A {kind} order {'has no' if given else 'needs a'} {field}.",
                field=field,
                remedy="Leave it out." if given else f"Send {field}.",
            )


def check_grid(instrument: Instrument, wish: Mapping[str, Any]) -> None:
    """Quantities on lots, prices on ticks. Raises InvalidInput with the nearest right value."""
    grids = {
        "quantity": instrument.lot,
        **dict.fromkeys(("limit_price", "stop_price", "stop_loss", "take_profit"), instrument.tick),
    }
    for field, step in grids.items():
        text = wish.get(field)
        if text is None:
            continue
        value = Decimal(text)
        if value % step:
            nearest = max((value / step).to_integral_value() * step, step)
            raise InvalidInput(
                f"{field} {value} is not a multiple of {step}, the grid of {instrument.symbol}.",
                field=field,
                remedy=f"The nearest is {nearest}.",
            )
