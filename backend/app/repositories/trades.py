"""Trades (round trips), as the API lists them, and their sums."""

from datetime import datetime
from typing import Final

import msgspec

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister

_LISTING: Final = Listing(
    select="""t.id, t.trade_id, t.account_id, t.ledger, t.deployment_id, s.name AS strategy,
       i.symbol, CASE WHEN t.quantity > 0 THEN 'long' ELSE 'short' END AS direction,
       abs(t.quantity) AS quantity, t.entry_price, t.exit_price, t.entry_at, t.exit_at,
       t.trade_date, extract(epoch FROM t.exit_at - t.entry_at)::float8 AS duration_seconds,
       t.pnl, round(t.pnl / nullif(abs(t.quantity) * t.entry_price * i.multiplier, 0), 8)
         AS pnl_pct, t.commission, t.exit_leg AS exit_reason, t.entry_signal_id, t.exit_signal_id,
       t.market_context""",
    source="""trades t JOIN instruments i ON i.id = t.instrument_id
       LEFT JOIN strategies s ON s.id = t.strategy_id""",
    keys=(("t.exit_at", "timestamptz"), ("t.id", "bigint")),
    documents=("market_context",),
)


class TradeFilter(msgspec.Struct, kw_only=True):
    """What a list of trades is narrowed to; `accounts` None means every account."""

    accounts: list[int] | None = None
    account_id: int | None = None
    deployment_id: int | None = None
    symbol: str | None = None
    direction: str | None = None
    result: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def listing(db: Db, wanted: TradeFilter) -> Fetch:
    """Newest exit first."""
    where = Where().among("t.account_id", wanted.accounts)
    where.add("t.account_id = {}", wanted.account_id)
    where.add("t.deployment_id = {}", wanted.deployment_id)
    where.add("i.symbol = upper({})", wanted.symbol)
    where.say("t.quantity > 0", when=wanted.direction == "long")
    where.say("t.quantity < 0", when=wanted.direction == "short")
    where.say("t.pnl > 0", when=wanted.result == "win")
    where.say("t.pnl <= 0", when=wanted.result == "loss")
    return lister(db, _LISTING, where.period("t.exit_at", wanted.start, wanted.end))


async def results(db: Db, deployment_id: int) -> list[Row]:
    """(exit_at, pnl, commission) of every closed trade of a deployment, oldest first."""
    found = await db.fetch(
        "SELECT exit_at, pnl, commission FROM trades WHERE deployment_id = $1 ORDER BY exit_at, id",
        deployment_id,
    )
    return [dict(row) for row in found]
