"""Accounts: money, limits in use, and their own controls."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api import columns
from app.api.deps import (
    ADMIN,
    FRESH_ADMIN,
    FRESH_PERSON,
    READ,
    Accounts,
    Answer,
    CurrentCaller,
    Interlock,
    Trading,
    guard,
)
from app.api.fast import fast_json
from app.api.outcomes import PENDING, answer
from app.api.schemas.accounts import (
    AccountOut,
    ArmedOut,
    ArmIn,
    EquityOut,
    HaltIn,
    LimitUseListOut,
    StateChangeIn,
)
from app.api.schemas.base import AwareInstant, Page, PageQuery
from app.api.schemas.commands import CommandOut
from app.domain.commands import CommandKind
from app.domain.users import Scope

router = APIRouter(prefix="/api/accounts", tags=["accounts"])
CONTROL = guard(Scope.TRADE, "controls")
AccountId = Annotated[int, Path(ge=1, le=2**53, examples=[1])]


@router.get("", dependencies=[READ])
async def list_accounts(
    query: Annotated[PageQuery, Query()], caller: CurrentCaller, accounts: Accounts, table: Answer
) -> Page[AccountOut]:
    """Every account, marked at the newest prices."""
    return await table(AccountOut, query, accounts.listing(caller))


@router.get("/{account_id}", dependencies=[READ])
async def get_account(
    account_id: AccountId, caller: CurrentCaller, accounts: Accounts
) -> AccountOut:
    """One account, marked at the newest prices."""
    return AccountOut.model_validate(await accounts.get(caller, account_id))


@router.get("/{account_id}/equity", dependencies=[READ], response_model=EquityOut)
async def get_account_equity(
    account_id: AccountId,
    caller: CurrentCaller,
    accounts: Accounts,
    start: AwareInstant | None = None,
    end: AwareInstant | None = None,
    limit: Annotated[int, Query(ge=2, le=5000)] = 500,
) -> Response:
    """The equity curve, rebuilt from executions and stored bars, `limit` points of it."""
    curve = await accounts.equity(caller, account_id, start, end, limit)
    money = [
        [f"{value:.2f}" for value in column.tolist()]
        for column in (curve.equity, curve.cash, curve.exposure)
    ]
    names = ("at", "equity", "cash", "exposure")
    rows = zip(columns.instants(curve.at), *money, strict=True)
    items = [dict(zip(names, row, strict=True)) for row in rows]
    return fast_json({"account_id": account_id, "items": items, "next_cursor": None})


@router.get("/{account_id}/limits", dependencies=[READ])
async def list_account_limits(
    account_id: AccountId, caller: CurrentCaller, accounts: Accounts
) -> LimitUseListOut:
    """Each limit with its present use."""
    items = await accounts.limit_uses(caller, account_id)
    return LimitUseListOut.model_validate({"account_id": account_id, "items": items})


@router.post("/{account_id}/halt", dependencies=[CONTROL], responses=PENDING)
async def halt_account(
    account_id: AccountId, body: HaltIn, caller: CurrentCaller, response: Response, trading: Trading
) -> CommandOut:
    """Only cancels from here on; with `flatten` also closes every position."""
    row = await trading.change(caller, account_id, CommandKind.TRADING_HALT, body.model_dump())
    return answer(response, row)


@router.post("/{account_id}/reduce", dependencies=[CONTROL], responses=PENDING)
async def reduce_account(
    account_id: AccountId,
    body: StateChangeIn,
    caller: CurrentCaller,
    response: Response,
    trading: Trading,
) -> CommandOut:
    """Only orders that move a position toward zero."""
    row = await trading.change(caller, account_id, CommandKind.TRADING_REDUCE, body.model_dump())
    return answer(response, row)


@router.post("/{account_id}/resume", dependencies=[CONTROL, FRESH_PERSON], responses=PENDING)
async def resume_account(
    account_id: AccountId,
    body: StateChangeIn,
    caller: CurrentCaller,
    response: Response,
    trading: Trading,
) -> CommandOut:
    """Trade normally again; the latch for all accounts, if set, still holds.

    A person needs a fresh check, a key may have no cap.
    """
    row = await trading.change(caller, account_id, CommandKind.TRADING_RESUME, body.model_dump())
    return answer(response, row)


@router.post("/{account_id}/arm", dependencies=[FRESH_ADMIN])
async def arm_account(
    account_id: AccountId, body: ArmIn, caller: CurrentCaller, interlock: Interlock
) -> ArmedOut:
    """Let an account trade real money; needs the setting, a fresh check, and its number typed."""
    found = await interlock.arm(caller.actor, caller.user_id, account_id, body.account)
    return ArmedOut.model_validate(found)


@router.post("/{account_id}/disarm", dependencies=[ADMIN])
async def disarm_account(
    account_id: AccountId, caller: CurrentCaller, interlock: Interlock
) -> ArmedOut:
    """Halt it at once, and let its engine not connect again until it is armed.

    Protective legs stay at the broker. Once it is armed again somebody has to resume it.
    """
    found = await interlock.disarm(caller.actor, caller.user_id, account_id)
    return ArmedOut.model_validate(found)
