"""Accounts: money, limits in use, and their own controls."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import READ, CurrentCaller, Reader, Tables, Trading, guard
from app.api.schemas.accounts import (
    AccountOut,
    EquityOut,
    HaltIn,
    LimitUseListOut,
    StateChangeIn,
)
from app.api.schemas.base import AwareInstant, Page, PageQuery
from app.api.schemas.commands import CommandOut

router = APIRouter(prefix="/api/accounts", tags=["accounts"])
CONTROL = guard("trade", "controls")
AccountId = Annotated[int, Path(examples=[1])]
PENDING = {202: {"model": CommandOut, "description": "Not answered within 2 s; ask the command."}}


@router.get("", dependencies=[READ])
async def list_accounts(
    query: Annotated[PageQuery, Query()], read: Reader, tables: Tables
) -> Page[AccountOut]:
    """Every account, marked at the newest prices."""


@router.get("/{account_id}", dependencies=[READ])
async def get_account(account_id: AccountId, read: Reader) -> AccountOut:
    """One account, marked at the newest prices."""


@router.get("/{account_id}/equity", dependencies=[READ])
async def get_account_equity(
    account_id: AccountId,
    read: Reader,
    start: AwareInstant | None = None,
    end: AwareInstant | None = None,
    limit: Annotated[int, Query(ge=2, le=5000)] = 500,
) -> EquityOut:
    """The equity curve, rebuilt from executions and stored bars, thinned to `limit` points."""


@router.get("/{account_id}/limits", dependencies=[READ])
async def list_account_limits(account_id: AccountId, read: Reader) -> LimitUseListOut:
    """Each limit with its present use."""


@router.post("/{account_id}/halt", dependencies=[CONTROL], responses=PENDING)
async def halt_account(
    account_id: AccountId, body: HaltIn, caller: CurrentCaller, response: Response, trading: Trading
) -> CommandOut:
    """Only cancels from here on; with `flatten` also closes every position."""


@router.post("/{account_id}/reduce", dependencies=[CONTROL], responses=PENDING)
async def reduce_account(
    account_id: AccountId,
    body: StateChangeIn,
    caller: CurrentCaller,
    response: Response,
    trading: Trading,
) -> CommandOut:
    """Only orders that move a position toward zero."""


@router.post("/{account_id}/resume", dependencies=[CONTROL], responses=PENDING)
async def resume_account(
    account_id: AccountId,
    body: StateChangeIn,
    caller: CurrentCaller,
    response: Response,
    trading: Trading,
) -> CommandOut:
    """Trade normally again; the latch for all accounts, if set, still holds."""
