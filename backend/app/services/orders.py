"""A person's orders: asked for, checked before they are sent to the engine, and canceled."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import asyncpg

from app.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.domain.commands import CommandKind, Desk, Once
from app.domain.instruments import Instrument
from app.domain.notional_caps import check_order, refuse_unbounded
from app.domain.options import refuse_option
from app.domain.orders import AT_ONCE, OPEN, PRICES, STOPS, OrderType, TimeInForce
from app.domain.users import Caller
from app.repositories import account_reports, instruments, orders, quotes, stocks
from app.repositories.paging import Row

_PRICES_OF_VALUE: Final = ("limit_price", "stop_price")
_ON_TICKS: Final = (*PRICES, "stop_loss", "stop_trail", "take_profit")


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
        check_pair(instrument, wish)
        check_life(wish)
        await self._check_cap(caller, account, instrument, wish)
        payload = {**given(wish), "symbol": instrument.symbol}
        return await self._desk.ask(account, CommandKind.ORDER_PLACE, payload, caller.actor, once)

    async def signal(
        self, caller: Caller, account_id: int | None, wish: Mapping[str, Any], once: Once
    ) -> Row:
        """The command's row for a person's target exposure."""
        refuse_unbounded(caller)
        account = await self._account(caller, account_id)
        instrument = await self._instrument(wish["symbol"])
        check_grid(instrument, wish)
        payload = {**given(wish), "symbol": instrument.symbol}
        return await self._desk.ask(account, CommandKind.SIGNAL_RAISE, payload, caller.actor, once)

    async def replace(self, caller: Caller, client_order_id: str, change: Mapping[str, Any]) -> Row:
        """The command's row for other prices or another quantity of an open order.

        Raises NotFound, Conflict for an order that is closed, and InvalidInput with the field.
        """
        order = await self._open(caller, client_order_id, "changed")
        if not any(change.get(name) is not None for name in ("quantity", *PRICES)):
            raise InvalidInput(
                "Nothing is to be changed.",
                field="quantity",
                remedy="Send quantity, limit_price, stop_price or trail.",
            )
        check_prices(OrderType(order["type"]), change, needed=False)
        instrument = await self._tradable(order["symbol"])
        check_grid(instrument, change)
        wish = {name: order[name] for name in ("quantity", *PRICES)} | given(change)
        await self._check_cap(caller, order["account_id"], instrument, wish)
        payload = {**given(change), "client_order_id": client_order_id}
        return await self._desk.ask(
            order["account_id"], CommandKind.ORDER_REPLACE, payload, caller.actor
        )

    async def _check_cap(
        self, caller: Caller, account_id: int, instrument: Instrument, wish: Mapping[str, Any]
    ) -> None:
        """A key with a cap: the order at the highest of its prices and the newest known one."""
        if caller.notional_cap is None:
            return
        dataset = (await account_reports.get(self._pool, account_id))["dataset"]
        known = await quotes.last_prices(self._pool, dataset, [instrument.symbol])
        prices = [Decimal(str(one.last)) for one in known]
        for part in (wish, wish.get("oco") or {}):
            prices += [Decimal(part[name]) for name in _PRICES_OF_VALUE if part.get(name)]
        check_order(caller, instrument, Decimal(wish["quantity"]), prices)

    async def _open(self, caller: Caller, client_order_id: str, what: str) -> Row:
        order = await orders.get(self._pool, client_order_id, caller.visible)
        if order["status"] not in OPEN:
            raise Conflict(
                f"Order {client_order_id} is {order['status']}; only open orders can be {what}.",
                remedy="See GET /api/orders?status=open.",
            )
        return order

    async def cancel(self, caller: Caller, client_order_id: str) -> Row:
        """The command's row. Raises NotFound, or Conflict for an order that is closed."""
        order = await self._open(caller, client_order_id, "canceled")
        payload = {"client_order_id": client_order_id}
        return await self._desk.ask(
            order["account_id"], CommandKind.ORDER_CANCEL, payload, caller.actor
        )

    async def _account(self, caller: Caller, account_id: int | None) -> int:
        return await account_for(self._pool, caller, account_id)

    async def _instrument(self, symbol: str) -> Instrument:
        refuse_option(symbol, "symbol")
        try:
            stock = await stocks.get(self._pool, symbol)
        except NotFound as error:
            raise InvalidInput(error.message, field="symbol", remedy=error.remedy) from None
        return await self._tradable(stock.symbol)

    async def _tradable(self, symbol: str) -> Instrument:
        found = await instruments.find(self._pool, symbol)
        if found is None:
            raise NotFound(f"{symbol} cannot be traded.")
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


def check_prices(
    kind: OrderType, wish: Mapping[str, Any], *, within: str = "", needed: bool = True
) -> None:
    """Each type of order has just its own prices. Raises InvalidInput.

    `within` names the part of the request; `needed` is false for a change of some of them.
    """
    for field, types in PRICES.items():
        given = wish.get(field) is not None
        if given == (kind in types) or (kind in types and not needed):
            continue
        raise InvalidInput(
            f"A {kind} order {'has no' if given else 'needs a'} {field}.",
            field=f"{within}{field}",
            remedy="Leave it out." if given else f"Send {field}.",
        )


def check_pair(instrument: Instrument, wish: Mapping[str, Any]) -> None:
    """The second order of an OCO pair: a stop beside a limit, or a limit beside a stop."""
    other = wish.get("oco")
    if other is None:
        return
    kinds = {OrderType(wish["type"]), OrderType(other["type"])}
    if len(kinds & STOPS) != 1 or OrderType.LIMIT not in kinds:
        raise InvalidInput(
            "An OCO is a limit beside a stop, of which one cancels the other.",
            field="oco.type",
            remedy="Make one of the two a limit order and the other stop or trailing_stop.",
        )
    check_prices(OrderType(other["type"]), other, within="oco.")
    check_grid(instrument, other, within="oco.")


def check_life(wish: Mapping[str, Any]) -> None:
    """What waits for a price cannot be filled at once."""
    life = TimeInForce(wish["time_in_force"])
    waits = OrderType(wish["type"]) in STOPS or wish.get("oco") is not None
    if waits and life in AT_ONCE:
        raise InvalidInput(
            f"time_in_force {life} is for one market or limit order; this one waits for a price.",
            field="time_in_force",
            remedy="Use day or gtc.",
        )


def check_grid(instrument: Instrument, wish: Mapping[str, Any], *, within: str = "") -> None:
    """Quantities on lots, prices on ticks. Raises InvalidInput with the nearest right value."""
    grids = {"quantity": instrument.lot, **dict.fromkeys(_ON_TICKS, instrument.tick)}
    for field, step in grids.items():
        text = wish.get(field)
        if text is None:
            continue
        value = Decimal(text)
        if value % step:
            nearest = max((value / step).to_integral_value() * step, step)
            raise InvalidInput(
                f"{field} {value} is not a multiple of {step}, the grid of {instrument.symbol}.",
                field=f"{within}{field}",
                remedy=f"The nearest is {nearest}.",
            )
