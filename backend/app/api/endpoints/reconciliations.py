"""Our books against the broker's: compare now, past comparisons, and the connection."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.deps import READ, Answer, CurrentCaller, Reconciliations, check_person, guard
from app.api.outcomes import PENDING, answer
from app.api.schemas.base import Page
from app.api.schemas.commands import CommandOut
from app.api.schemas.reconciliations import (
    BrokerStateOut,
    ComparisonOut,
    ReconcileIn,
    ReconciliationOut,
    ReconciliationQuery,
)
from app.domain.users import Scope

router = APIRouter(prefix="/api/accounts/{account_id}", tags=["accounts"])
CONTROL = guard(Scope.TRADE, "controls")
AccountId = Annotated[int, Path(ge=1, le=2**53, examples=[1])]


@router.post("/reconcile", dependencies=[CONTROL], responses=PENDING)
async def reconcile_account(
    account_id: AccountId,
    body: ReconcileIn,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    reconciliations: Reconciliations,
) -> CommandOut:
    """Hold our books against the broker's; the result says what was told and what is left.

    To adopt what the broker has, a person needs a fresh check, and a key may have no cap.
    """
    if body.adopt and not body.dry_run:
        check_person(request, caller)
    row = await reconciliations.ask(caller, account_id, dry_run=body.dry_run, adopt=body.adopt)
    return answer(response, row)


@router.get("/reconciliations", dependencies=[READ])
async def list_reconciliations(
    account_id: AccountId,
    query: Annotated[ReconciliationQuery, Query()],
    caller: CurrentCaller,
    reconciliations: Reconciliations,
    table: Answer,
) -> Page[ReconciliationOut]:
    """Past comparisons with the broker, newest first."""
    fetch = await reconciliations.listing(caller, account_id, differing=query.differing)
    return await table(ReconciliationOut, query, fetch)


@router.get("/broker", dependencies=[READ])
async def get_broker_state(
    account_id: AccountId, caller: CurrentCaller, reconciliations: Reconciliations
) -> BrokerStateOut:
    """How the account and its broker get on now."""
    return BrokerStateOut.model_validate(await reconciliations.broker(caller, account_id))


@router.get("/comparison", dependencies=[READ])
async def get_comparison(
    account_id: AccountId, caller: CurrentCaller, reconciliations: Reconciliations
) -> ComparisonOut:
    """Cash, positions and open orders here and at the broker, with what explains a difference."""
    return ComparisonOut.model_validate(await reconciliations.comparison(caller, account_id))
