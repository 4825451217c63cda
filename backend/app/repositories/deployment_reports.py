"""Deployments as a person reads them: state, and what each has made of its capital."""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.core.errors import NotFound
from app.repositories.marks import MARKED
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

_LISTING: Final = Listing(
    select="r.*",
    source=f"""(
      WITH marked AS ({MARKED}), result AS (
        SELECT m.deployment_id, sum(m.realized_pnl) AS realized_pnl,
          sum(m.commission) AS commission,
          coalesce(sum(m.unrealized_pnl) FILTER (WHERE m.quantity <> 0), 0) AS unrealized_pnl,
          count(*) FILTER (WHERE m.quantity <> 0) AS open_positions
        FROM marked m WHERE m.deployment_id IS NOT NULL GROUP BY m.deployment_id
      )
      SELECT d.id, d.account_id, s.name AS strategy, d.name, d.parameters, d.symbols, d.timeframe,
        d.capital, d.state, d.reason AS state_reason, 'd' || d.id AS ledger, d.created_at,
        d.started_at, d.stopped_at, coalesce(q.realized_pnl, 0) AS realized_pnl,
        coalesce(q.unrealized_pnl, 0) AS unrealized_pnl, coalesce(q.commission, 0) AS commission,
        coalesce(q.open_positions, 0) AS open_positions,
        d.capital + coalesce(q.realized_pnl, 0) + coalesce(q.unrealized_pnl, 0) AS equity,
        (SELECT count(*) FROM trades t WHERE t.deployment_id = d.id) AS trades
      FROM deployments d JOIN strategies s ON s.id = d.strategy_id
      LEFT JOIN result q ON q.deployment_id = d.id
    ) r""",
    keys=(("r.id", "bigint"),),
    documents=("parameters",),
)


class DeploymentFilter(msgspec.Struct, kw_only=True):
    """What a list of deployments is narrowed to; `accounts` None means every account."""

    accounts: list[int] | None = None
    account_id: int | None = None
    state: Sequence[str] = ()
    strategy: str | None = None


def listing(db: Db, wanted: DeploymentFilter) -> Fetch:
    """Newest first."""
    where = Where().among("r.account_id", wanted.accounts)
    where.add("r.account_id = {}", wanted.account_id).add("r.strategy = {}", wanted.strategy)
    return lister(db, _LISTING, where.add("r.state = ANY({})", [str(one) for one in wanted.state]))


async def get(db: Db, deployment_id: int, accounts: list[int] | None = None) -> Row:
    """One deployment. Raises NotFound."""
    where = Where().among("r.account_id", accounts).add("r.id = {}", deployment_id)
    rows = (await page(db, _LISTING, where, 1)).items
    if not rows:
        raise NotFound(
            f"There is no deployment {deployment_id}.", remedy="See GET /api/deployments for all."
        )
    return rows[0]
