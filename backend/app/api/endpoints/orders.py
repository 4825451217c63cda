"""Orders: list, ask for one, change, cancel, and read how each came to be."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import READ, Answer, CurrentCaller, Db, Orders, Timeline, guard
from app.api.idempotency import Once
from app.api.outcomes import PENDING, answer
from app.api.schemas.base import Page
from app.api.schemas.commands import CommandOut
from app.api.schemas.orders import (
    OrderChangeIn,
    OrderOut,
    OrderQuery,
    OrderWish,
    TimelineOut,
)
from app.api.timelines import timeline_out
from app.domain.users import Scope
from app.repositories import orders as rows

router = APIRouter(prefix="/api/orders", tags=["orders"])
OrderId = Annotated[str, Path(max_length=200, description="client_order_id")]
_NO_ORDER: Final = "No order: denied (see `denial`), not needed, or refused (`state` failed)."


@router.get("", dependencies=[READ])
async def list_orders(
    query: Annotated[OrderQuery, Query()], caller: CurrentCaller, db: Db, table: Answer
) -> Page[OrderOut]:
    """Newest first."""
    wanted = rows.OrderFilter(accounts=caller.visible, **query.narrowed())
    return await table(OrderOut, query, rows.listing(db, wanted))


@router.post(
    "",
    status_code=201,
    dependencies=[guard(Scope.TRADE, "orders")],
    responses=PENDING | {200: {"model": CommandOut, "description": _NO_ORDER}},
)
async def place_order(
    body: OrderWish, caller: CurrentCaller, response: Response, orders: Orders, once: Once
) -> CommandOut:
    """Ask for an explicit order, or say what exposure you want. 201: an order was approved."""
    wish = body.model_dump(mode="json", exclude={"kind", "account_id"})
    ask = orders.place if body.kind == "order" else orders.signal
    row = await ask(caller, body.account_id, wish, once)
    ordered = bool((row["result"] or {}).get("client_order_id"))
    command = answer(response, row, 201 if ordered else 200)
    await once.answer(response.status_code or 201, command.model_dump(mode="json"))
    return command


@router.get("/{client_order_id}", dependencies=[READ])
async def get_order(client_order_id: OrderId, caller: CurrentCaller, db: Db) -> OrderOut:
    """One order."""
    return OrderOut.model_validate(await rows.get(db, client_order_id, caller.visible))


@router.patch("/{client_order_id}", dependencies=[guard(Scope.TRADE, "orders")], responses=PENDING)
async def change_order(
    client_order_id: OrderId,
    body: OrderChangeIn,
    caller: CurrentCaller,
    response: Response,
    orders: Orders,
) -> CommandOut:
    """Other prices or another quantity; what it adds is checked by the limits.

    Denied or refused, the order stays as it is. Whether the broker followed is told by the order:
    `pending` is replace until it has answered.
    """
    change = body.model_dump(mode="json")
    return answer(response, await orders.replace(caller, client_order_id, change))


@router.delete(
    "/{client_order_id}", dependencies=[guard(Scope.TRADE, "controls")], responses=PENDING
)
async def cancel_order(
    client_order_id: OrderId, caller: CurrentCaller, response: Response, orders: Orders
) -> CommandOut:
    """Ask for a cancel; whether it came in time is the order's status."""
    return answer(response, await orders.cancel(caller, client_order_id))


@router.get("/{client_order_id}/timeline", dependencies=[READ])
async def get_order_timeline(
    client_order_id: OrderId, caller: CurrentCaller, timeline: Timeline
) -> TimelineOut:
    """Bar, indicator values, signal, each risk check, intent, wire, executions."""
    return timeline_out(await timeline.of_order(caller, client_order_id))
