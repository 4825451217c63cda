"""Denials and risk checks, as the API lists them."""

from datetime import datetime
from typing import Final

import msgspec

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister

_LISTING: Final = Listing(
    select="""v.id, v.account_id, v.ledger, v.deployment_id, nullif(v.signal_id, '') AS signal_id,
       i.symbol, v.side, v.quantity, v.code, v.detail, v.limit_value AS "limit", v.value, v.scope,
       v.at""",
    source="risk_violations v JOIN instruments i ON i.id = v.instrument_id",
    keys=(("v.id", "bigint"),),
)


class RiskViolationFilter(msgspec.Struct, kw_only=True):
    """What a list of denials is narrowed to; `accounts` None means every account."""

    accounts: list[int] | None = None
    account_id: int | None = None
    deployment_id: int | None = None
    symbol: str | None = None
    code: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def listing(db: Db, wanted: RiskViolationFilter) -> Fetch:
    """Newest first."""
    where = Where().among("v.account_id", wanted.accounts)
    where.add("v.account_id = {}", wanted.account_id)
    where.add("v.deployment_id = {}", wanted.deployment_id)
    where.add("i.symbol = upper({})", wanted.symbol).add("v.code = {}", wanted.code)
    return lister(db, _LISTING, where.period("v.at", wanted.start, wanted.end))


async def checks(
    db: Db, account_id: int, signal_id: str, client_order_id: str | None = None
) -> list[Row]:
    """Each rule's answer for an order, or for the last attempt of a signal that was denied."""
    found = await db.fetch(
        """
        SELECT rule, passed, value, limit_value AS "limit", scope, at FROM risk_checks
        WHERE account_id = $1 AND signal_id = $2 AND client_order_id IS NOT DISTINCT FROM $3
          AND seq = (SELECT max(seq) FROM risk_checks WHERE account_id = $1 AND signal_id = $2
                     AND client_order_id IS NOT DISTINCT FROM $3)
        ORDER BY number
        """,
        account_id,
        signal_id,
        client_order_id,
    )
    return [dict(row) for row in found]


async def of_signal(db: Db, account_id: int, signal_id: str) -> Row | None:
    """The last denial of a signal."""
    row = await db.fetchrow(
        'SELECT code, detail, value, limit_value AS "limit", scope, at FROM risk_violations'
        " WHERE account_id = $1 AND signal_id = $2 ORDER BY id DESC LIMIT 1",
        account_id,
        signal_id,
    )
    return dict(row) if row else None
