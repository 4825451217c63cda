"""Executions, as the API lists them."""

from datetime import datetime
from typing import Final

import msgspec

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

_LISTING: Final = Listing(
    select="""e.id, e.execution_id, e.broker, e.account_id, e.client_order_id, e.ledger,
       e.deployment_id, i.symbol, e.side, e.quantity, e.price, e.commission, e.at""",
    source="executions e JOIN instruments i ON i.id = e.instrument_id",
    keys=(("e.id", "bigint"),),
)


class ExecutionFilter(msgspec.Struct, kw_only=True):
    """What a list of executions is narrowed to; `accounts` None means every account."""

    accounts: list[int] | None = None
    account_id: int | None = None
    deployment_id: int | None = None
    symbol: str | None = None
    client_order_id: str | None = None
    side: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def listing(db: Db, wanted: ExecutionFilter) -> Fetch:
    """Newest first."""
    where = Where().among("e.account_id", wanted.accounts)
    where.add("e.account_id = {}", wanted.account_id)
    where.add("e.deployment_id = {}", wanted.deployment_id)
    where.add("i.symbol = upper({})", wanted.symbol).add("e.side = {}", wanted.side)
    where.add("e.client_order_id = {}", wanted.client_order_id)
    return lister(db, _LISTING, where.period("e.at", wanted.start, wanted.end))


async def of_order(db: Db, client_order_id: str) -> list[Row]:
    """All fills of one order, oldest first."""
    where = Where().add("e.client_order_id = {}", client_order_id)
    return (await page(db, _LISTING, where, 1000)).items[::-1]
