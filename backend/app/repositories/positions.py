"""Positions, as the API lists them: marked, weighed, and with their working protective orders."""

from typing import Final

import msgspec

from app.domain.orders import OPEN
from app.repositories.marks import EQUITY, MARKED
from app.repositories.paging import Db, Fetch, Listing, Where, lister

_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN))
_LISTING: Final = Listing(
    select="p.*",
    source=f"""(
      WITH marked AS ({MARKED}), worth AS ({EQUITY})
      SELECT m.*, round(m.market_value / nullif(w.equity, 0), 8) AS weight,
        legs.stop_loss, legs.stop_trail, legs.take_profit, legs.is_protected_here
      FROM marked m JOIN worth w USING (account_id)
      LEFT JOIN LATERAL (
        SELECT max(o.stop_price) FILTER (WHERE o.leg = 'stop_loss') AS stop_loss,
          max(o.trail) FILTER (WHERE o.leg = 'stop_loss') AS stop_trail,
          max(o.limit_price) FILTER (WHERE o.leg = 'take_profit') AS take_profit,
          coalesce(bool_or(o.is_held) FILTER (WHERE o.leg IN ('stop_loss', 'take_profit')), false)
            AS is_protected_here
        FROM orders o
        WHERE o.account_id = m.account_id AND o.ledger = m.ledger AND m.quantity <> 0
          AND o.instrument_id = m.instrument_id AND o.status IN ({_OPEN})
      ) legs ON true
    ) p""",
    keys=(("p.symbol", "text"), ("p.ledger", "text"), ("p.account_id", "bigint")),
    descending=False,
)


class PositionFilter(msgspec.Struct, kw_only=True):
    """What a list of positions is narrowed to; `accounts` None means every account."""

    accounts: list[int] | None = None
    account_id: int | None = None
    deployment_id: int | None = None
    symbol: str | None = None
    held: bool = True


def listing(db: Db, wanted: PositionFilter) -> Fetch:
    """By symbol."""
    where = Where().among("p.account_id", wanted.accounts)
    where.add("p.account_id = {}", wanted.account_id)
    where.add("p.deployment_id = {}", wanted.deployment_id)
    where.add("p.symbol = upper({})", wanted.symbol)
    return lister(db, _LISTING, where.say("p.quantity <> 0", when=wanted.held))
