"""Orders, as the API lists them; the engine's fold is their only writer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from app.core.errors import NotFound
from app.domain.orders import CLOSED, OPEN, PROTECTIVE
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

OPEN_STATUSES: Final = ", ".join(f"'{status}'" for status in sorted(OPEN))
_LISTING: Final = Listing(
    select=f"""o.client_order_id, o.broker_order_id, o.account_id, o.ledger, o.deployment_id,
       s.name AS strategy, nullif(o.signal_id, '') AS signal_id, i.symbol, o.side, o.type, o.leg,
       o.quantity, o.filled_quantity, o.quantity - o.filled_quantity AS remaining_quantity,
       o.limit_price, o.stop_price, o.trail, o.is_held, o.average_price, o.time_in_force,
       o.status, o.pending, o.wanted,
       o.status IN ({OPEN_STATUSES}) AS is_open,
       o.attempt, o.group_id, o.limited_by, o.reason, o.at, o.expires_at, o.updated_at,
       o.created_at""",
    source="""orders o JOIN instruments i ON i.id = o.instrument_id
       LEFT JOIN deployments d ON d.id = o.deployment_id
       LEFT JOIN strategies s ON s.id = d.strategy_id""",
    keys=(("o.id", "bigint"),),
    documents=("wanted",),
)


class OrderFilter(msgspec.Struct, kw_only=True):
    """What a list of orders is narrowed to; `accounts` None means every account."""

    accounts: list[int] | None = None
    account_id: int | None = None
    deployment_id: int | None = None
    ledger: str | None = None
    symbol: str | None = None
    side: str | None = None
    status: Sequence[str] = ()
    start: datetime | None = None
    end: datetime | None = None


def statuses(wanted: Sequence[str]) -> list[str]:
    """Order statuses with the named sets `open` and `closed` spelled out."""
    sets = {"open": OPEN, "closed": CLOSED}
    return sorted({str(status) for name in wanted for status in sets.get(name, (name,))})


def listing(db: Db, wanted: OrderFilter) -> Fetch:
    """Newest first."""
    where = (
        Where().among("o.account_id", wanted.accounts).add("o.account_id = {}", wanted.account_id)
    )
    where.add("o.deployment_id = {}", wanted.deployment_id).add("o.ledger = {}", wanted.ledger)
    where.add("i.symbol = upper({})", wanted.symbol).add("o.side = {}", wanted.side)
    where.add("o.status = ANY({})", statuses(wanted.status))
    return lister(db, _LISTING, where.period("o.at", wanted.start, wanted.end))


async def get(db: Db, client_order_id: str, accounts: list[int] | None = None) -> Row:
    """One order. Raises NotFound."""
    where = Where().among("o.account_id", accounts).add("o.client_order_id = {}", client_order_id)
    rows = await page(db, _LISTING, where, 1)
    if not rows.items:
        raise NotFound(
            f"There is no order {client_order_id!r}.", remedy="See GET /api/orders for all."
        )
    return rows.items[0]


async def of_signal(db: Db, account_id: int, signal_id: str) -> list[Row]:
    """All orders that were made for one signal, newest first."""
    where = Where().add("o.account_id = {}", account_id).add("o.signal_id = {}", signal_id)
    return (await page(db, _LISTING, where, 100)).items


async def count_open(db: Db, account_id: int, *, protective: bool = True) -> int:
    """Working orders of an account; without the protective legs, where these do not count."""
    return int(
        await db.fetchval(
            "SELECT count(*) FROM orders WHERE account_id = $1 AND status = ANY($2)"
            " AND ($3 OR leg <> ALL($4))",
            account_id,
            sorted(OPEN),
            protective,
            sorted(PROTECTIVE),
        )
    )
