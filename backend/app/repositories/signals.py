"""Signals, as the API lists them."""

from datetime import datetime
from typing import Final

import msgspec

from app.core.errors import Conflict, NotFound
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

_LISTING: Final = Listing(
    select="""g.signal_id, g.account_id, g.ledger, g.deployment_id, s.name AS strategy, i.symbol,
       g.signal_type, g.exposure, g.price, g.quantity, g.stop_loss, g.stop_trail,
       g.take_profit, g.reasons, g.indicator_values, g.executed, g.outcome, g.at, g.valid_until,
       g.created_at,
       d.timeframe""",
    source="""signals g JOIN instruments i ON i.id = g.instrument_id
       LEFT JOIN deployments d ON d.id = g.deployment_id
       LEFT JOIN strategies s ON s.id = d.strategy_id""",
    keys=(("g.id", "bigint"),),
    documents=("indicator_values",),
)


class SignalFilter(msgspec.Struct, kw_only=True):
    """What a list of signals is narrowed to; `accounts` None means every account."""

    accounts: list[int] | None = None
    account_id: int | None = None
    deployment_id: int | None = None
    signal_id: str | None = None
    symbol: str | None = None
    signal_type: str | None = None
    outcome: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def listing(db: Db, wanted: SignalFilter) -> Fetch:
    """Newest first."""
    where = Where().among("g.account_id", wanted.accounts)
    where.add("g.account_id = {}", wanted.account_id)
    where.add("g.deployment_id = {}", wanted.deployment_id)
    where.add("g.signal_id = {}", wanted.signal_id)
    where.add("i.symbol = upper({})", wanted.symbol)
    where.add("g.signal_type = {}", wanted.signal_type)
    where.say("g.outcome IS NULL", when=wanted.outcome == "open")
    where.add("g.outcome = {}", None if wanted.outcome == "open" else wanted.outcome)
    return lister(db, _LISTING, where.period("g.at", wanted.start, wanted.end))


async def get(
    db: Db, signal_id: str, account_id: int | None = None, accounts: list[int] | None = None
) -> Row:
    """One signal. Raises NotFound, or Conflict when several accounts have one of this name."""
    where = Where().among("g.account_id", accounts).add("g.signal_id = {}", signal_id)
    rows = (await page(db, _LISTING, where.add("g.account_id = {}", account_id), 2)).items
    if not rows:
        raise NotFound(f"There is no signal {signal_id!r}.", remedy="See GET /api/signals for all.")
    if len(rows) > 1:
        raise Conflict(
            f"Several accounts have a signal {signal_id!r}.", remedy="Name one with account_id."
        )
    return rows[0]
