"""Orders: list, ask for one, cancel, and read how each came to be."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import READ, CurrentCaller, Explain, Once, Orders, Reader, Tables, guard
from app.api.schemas.base import Page
from app.api.schemas.commands import CommandOut
from app.api.schemas.orders import OrderOut, OrderQuery, OrderWish, TimelineOut

router = APIRouter(prefix="/api/orders", tags=["orders"])
OrderId = Annotated[str, Path(max_length=200, description="client_order_id")]
PENDING = {202: {"model": CommandOut, "description": "Not answered within 2 s; ask the command."}}


@router.get("", dependencies=[READ])
async def list_orders(
    query: Annotated[OrderQuery, Query()], read: Reader, tables: Tables
) -> Page[OrderOut]:
    """Newest first."""


@router.post(
    "",
    status_code=201,
    dependencies=[guard("trade", "orders")],
    responses=PENDING
    | {200: {"model": CommandOut, "description": "No order: denied (see `denial`) or not needed."}},
)
async def place_order(
    body: OrderWish, caller: CurrentCaller, response: Response, orders: Orders, once: Once
) -> CommandOut:
    """Ask for an explicit order, or say what exposure you want. 201: an order was approved."""


@router.get("/{client_order_id}", dependencies=[READ])
async def get_order(client_order_id: OrderId, read: Reader) -> OrderOut:
    """One order."""


@router.delete("/{client_order_id}", dependencies=[guard("trade", "controls")], responses=PENDING)
async def cancel_order(
    client_order_id: OrderId, caller: CurrentCaller, response: Response, orders: Orders
) -> CommandOut:
    """Ask for a cancel; whether it came in time is the order's status."""


@router.get("/{client_order_id}/timeline", dependencies=[READ])
async def get_order_timeline(client_order_id: OrderId, explain: Explain) -> TimelineOut:
    """Bar, indicator values, signal, each risk check, intent, wire, executions."""
