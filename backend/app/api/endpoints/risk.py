"""Why there was no trade at an instant, and what other limits would have done."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import READ, CurrentCaller, Explanations, WhatIfs
from app.api.schemas.risk import ExplainQuery, ExplanationOut, WhatIfIn, WhatIfOut
from app.core import clock

router = APIRouter(prefix="/api/risk", tags=["risk"], dependencies=[READ])


@router.get("/explain")
async def explain_instant(
    query: Annotated[ExplainQuery, Query()], caller: CurrentCaller, explanations: Explanations
) -> ExplanationOut:
    """Bar, values, signal, each rule, sizing and broker's answer, or why there is none of it."""
    at = query.at or clock.now()
    found = await explanations.explain(caller, query.symbol, at, query.account_id)
    return ExplanationOut.model_validate(found)


@router.post("/what-if")
async def suppose_limits(body: WhatIfIn, caller: CurrentCaller, what_ifs: WhatIfs) -> WhatIfOut:
    """Which orders of a period other limits would have denied, cut or let through."""
    found = await what_ifs.ask(
        caller, body.account_id, body.start, body.end, body.limits, body.scope
    )
    return WhatIfOut.model_validate(found)
