"""Orders by hand on the command line: buy, sell, change, cancel. The limits apply as to any other.

An order without --type is what its prices make it: --limit a limit order, --stop a stop, both a
stop-limit, --trail a trailing stop, none of them a market order.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer

from app.console.connection import Connected, NoKey, run
from app.console.output import Json, show
from app.console.words import Account, choice_of, positive_of
from app.core.errors import InvalidInput
from app.domain.orders import OrderType, Side, TimeInForce
from app.services.orders import OrderDesk

app = typer.Typer(
    help="Orders by hand: buy, sell, replace, cancel.", add_completion=False, no_args_is_help=True
)

_BY_PRICES: Final = {
    (): OrderType.MARKET,
    ("limit_price",): OrderType.LIMIT,
    ("stop_price",): OrderType.STOP,
    ("limit_price", "stop_price"): OrderType.STOP_LIMIT,
    ("trail",): OrderType.TRAILING_STOP,
}
TheSymbol = Annotated[str, typer.Argument(help="Such as AAPL.")]
Quantity = Annotated[str, typer.Argument(help="Shares, above zero.")]
TheOrder = Annotated[str, typer.Argument(help="Its client_order_id.")]
Kind = Annotated[
    str | None,
    typer.Option("--type", help="market, limit, stop, stop_limit or trailing_stop."),
]
Limit = Annotated[str | None, typer.Option("--limit", help="Limit price.")]
Stop = Annotated[str | None, typer.Option("--stop", help="Stop price.")]
Trail = Annotated[str | None, typer.Option("--trail", help="Distance in money of a trailing stop.")]
Life = Annotated[str, typer.Option("--tif", help="Time in force: day, gtc, ioc or fok.")]
StopLoss = Annotated[str | None, typer.Option(help="Protective stop: a price.")]
StopTrail = Annotated[
    str | None, typer.Option(help="Let the protective stop trail: a distance in money.")
]
TakeProfit = Annotated[str | None, typer.Option(help="Protective limit: a price.")]
OcoLimit = Annotated[
    str | None, typer.Option(help="Limit price of a second order; one cancels the other.")
]
OcoStop = Annotated[
    str | None, typer.Option(help="Stop price of a second order; one cancels the other.")
]
OcoTrail = Annotated[
    str | None, typer.Option(help="Distance of a second, trailing order; one cancels the other.")
]
Why = Annotated[str | None, typer.Option("--reason", help="Kept with the signal.")]


def _ordering(side: Side) -> Callable[..., None]:
    """The command that buys, or the one that sells."""

    def order(
        symbol: TheSymbol,
        quantity: Quantity,
        kind: Kind = None,
        limit: Limit = None,
        stop: Stop = None,
        trail: Trail = None,
        tif: Life = "day",
        stop_loss: StopLoss = None,
        stop_trail: StopTrail = None,
        take_profit: TakeProfit = None,
        oco_limit: OcoLimit = None,
        oco_stop: OcoStop = None,
        oco_trail: OcoTrail = None,
        account: Account = None,
        reason: Why = None,
        as_json: Json = False,
    ) -> None:
        wish = {
            **_terms(kind, limit, stop, trail),
            "oco": _oco(oco_limit, oco_stop, oco_trail),
            **_rest(tif, stop_loss, stop_trail, take_profit, reason),
        }
        _place(side, symbol, quantity, wish, account, as_json=as_json)

    return order


app.command("buy", help="Buy.")(_ordering(Side.BUY))
app.command("sell", help="Sell.")(_ordering(Side.SELL))


@app.command()
def replace(
    order: TheOrder,
    quantity: Annotated[
        str | None, typer.Option(help="The whole order's, with what is filled of it.")
    ] = None,
    limit: Limit = None,
    stop: Stop = None,
    trail: Trail = None,
    reason: Why = None,
    as_json: Json = False,
) -> None:
    """Change prices or quantity of an open order. Denied, it stays as it is."""
    change = {
        "quantity": _number("quantity", quantity),
        **_prices(limit, stop, trail),
        "reason": reason,
    }

    async def work(at: Connected) -> Mapping[str, Any]:
        return await OrderDesk(at.pool, at.desk).replace(at.caller, order, change)

    _report(run(work), f"The change of {order} is asked for", as_json=as_json)


@app.command()
def cancel(order: TheOrder, as_json: Json = False) -> None:
    """Cancel an open order; of an OCO pair both."""

    async def work(at: Connected) -> Mapping[str, Any]:
        return await OrderDesk(at.pool, at.desk).cancel(at.caller, order)

    _report(run(work), f"The cancel of {order} is asked for", as_json=as_json)


def _place(
    side: Side,
    symbol: str,
    quantity: str,
    wish: Mapping[str, Any],
    account: int | None,
    *,
    as_json: bool,
) -> None:
    whole = {
        "symbol": symbol.upper(),
        "side": side.value,
        "quantity": _number("quantity", quantity),
        **wish,
    }

    async def work(at: Connected) -> Mapping[str, Any]:
        return await OrderDesk(at.pool, at.desk).place(at.caller, account, whole, NoKey())

    _report(run(work), "Order {client_order_id} is approved", as_json=as_json)


def _report(row: Mapping[str, Any], done: str, *, as_json: bool) -> None:
    """What became of it; exit code 1 when the engine said no."""
    result = dict(row["result"] or {})
    found = {"command_id": row["id"], "status": row["status"], "result": result}
    if row["status"] == "pending":
        said = f"The engine has not answered yet (command {row['id']})."
    elif row["status"] == "failed":
        said = f"Refused: {result.get('detail', 'no reason given')}"
    elif "client_order_id" in result:
        said = done.format(**result) + "."
    else:
        said = f"No order: {result.get('outcome', 'nothing to do')}."
    show(found, said, as_json=as_json)
    if row["status"] == "failed":
        raise typer.Exit(1)


# ---------------------------------------------------------------------------------- the words


def _prices(limit: str | None, stop: str | None, trail: str | None) -> dict[str, str | None]:
    given = {"limit_price": limit, "stop_price": stop, "trail": trail}
    return {name: _number(name, value) for name, value in given.items()}


def _terms(
    kind: str | None, limit: str | None, stop: str | None, trail: str | None
) -> dict[str, str | None]:
    prices = _prices(limit, stop, trail)
    if kind is not None:
        return {"type": choice_of(kind, OrderType, "type"), **prices}
    named = tuple(name for name, value in prices.items() if value is not None)
    found = _BY_PRICES.get(named)
    if found is None:
        raise InvalidInput(
            "No type of order has all these prices.",
            field="trail",
            remedy="Give --trail alone, or --limit and --stop, or say --type.",
        )
    return {"type": found.value, **prices}


def _oco(limit: str | None, stop: str | None, trail: str | None) -> dict[str, str | None] | None:
    return None if limit is stop is trail is None else _terms(None, limit, stop, trail)


def _rest(
    tif: str,
    stop_loss: str | None,
    stop_trail: str | None,
    take_profit: str | None,
    reason: str | None,
) -> dict[str, str | None]:
    legs = {"stop_loss": stop_loss, "stop_trail": stop_trail, "take_profit": take_profit}
    return {
        "time_in_force": choice_of(tif, TimeInForce, "tif"),
        **{name: _number(name, value) for name, value in legs.items()},
        "reason": reason,
    }


def _number(field: str, text: str | None) -> str | None:
    """A positive number as it was written. Raises InvalidInput."""
    if text is None:
        return None
    return str(positive_of(text, field))
