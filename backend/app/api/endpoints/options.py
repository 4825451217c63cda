"""Option chains of a stock."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.api.deps import Answer, CurrentCaller, Market, guard, parts_of
from app.api.fast import fast_json
from app.api.schemas.options import OptionChainOut, OptionOut, OptionQuery
from app.domain.users import Scope
from app.repositories.paging import Rows
from app.services.options import ChainWish
from app.services.options import Options as OptionsPart

router = APIRouter(prefix="/api/stocks", tags=["stocks"])
CHAINS = guard(Scope.READ, "bars")


def chains_of(request: Request) -> OptionsPart:
    """The reader of chains over the API's own parts."""
    parts = parts_of(request)
    return OptionsPart(parts.pool, parts.cache, parts.clock)


@router.get("/{symbol}/options", dependencies=[CHAINS], response_model=OptionChainOut)
async def list_options(
    symbol: Annotated[str, Path(max_length=32, examples=["GOOG"])],
    query: Annotated[OptionQuery, Query()],
    caller: CurrentCaller,
    market: Market,
    options: Annotated[OptionsPart, Depends(chains_of)],
    answer: Answer,
) -> Response:
    """The option chain on a stock: quotes, implied volatilities and greeks, and every expiry."""
    dataset = await market.dataset(caller, query.account_id, query.dataset)
    wish = ChainWish(
        expiry=query.expiry,
        option_type=query.type,
        min_strike=query.min_strike,
        max_strike=query.max_strike,
        at=query.at,
        limit=query.limit,
        cursor=query.cursor,
    )
    page = await options.chain(symbol, dataset, wish)
    if answer.wants_csv(query.format):
        return answer.file(OptionOut, Rows(page.items))
    body = msgspec.structs.asdict(page)
    at = None if page.at is None else page.at.isoformat().replace("+00:00", "Z")
    return fast_json({**body, "at": at})
