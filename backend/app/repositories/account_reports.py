"""Accounts as a person reads them: marked at the newest prices, with state, lease and counts."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from app.core.errors import NotFound
from app.domain.orders import OPEN
from app.repositories.marks import EQUITY, LAST_CLOSE, MARKED
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN))
_SESSION_START: Final = """
  date_trunc('day', coalesce(a.clock_at, now()) AT TIME ZONE 'America/New_York')
    AT TIME ZONE 'America/New_York'"""

_LISTING: Final = Listing(
    select="r.*",
    source=f"""(
      WITH marked AS ({MARKED}), worth AS ({EQUITY})
      SELECT a.id, a.name, a.broker, a.mode, a.dataset, a.currency, a.starting_cash, a.cash,
        a.clock_at AS market_at, w.equity, w.exposure, w.unrealized_pnl, w.realized_pnl,
        w.open_positions, coalesce(t.state, 'active') AS trading_state, t.reason AS state_reason,
        l.holder, l.updated_at AS heartbeat_at,
        coalesce(l.holder IS NOT NULL AND l.expires_at > clock_timestamp(), false) AS is_running,
        (SELECT count(*) FROM orders o WHERE o.account_id = a.id AND o.status IN ({_OPEN}))
          AS open_orders,
        (SELECT count(*) FROM deployments d WHERE d.account_id = a.id AND d.state = 'running')
          AS running_deployments,
        (a.settings ->> 'armed_at')::timestamptz AS armed_at,
        a.settings ->> 'armed_by' AS armed_by,
        coalesce(a.settings #>> '{{broker,account}}', '') <> '' AS is_numbered,
        {_SESSION_START} AS session_start
      FROM accounts a JOIN worth w ON w.account_id = a.id
      LEFT JOIN trading_state t ON t.scope = 'account:' || a.id
      LEFT JOIN leases l ON l.resource = 'account:' || a.id
      WHERE a.active
    ) r""",
    keys=(("r.id", "bigint"),),
    descending=False,
)


def listing(db: Db, accounts: list[int] | None = None) -> Fetch:
    """Oldest first; `accounts` None means all."""
    return lister(db, _LISTING, Where().among("r.id", accounts))


async def get(db: Db, account_id: int, accounts: list[int] | None = None) -> Row:
    """One account. Raises NotFound."""
    where = Where().among("r.id", accounts).add("r.id = {}", account_id)
    rows = (await page(db, _LISTING, where, 1)).items
    if not rows:
        raise NotFound(f"There is no account {account_id}.", remedy="See GET /api/accounts.")
    return rows[0]


async def ids(db: Db, accounts: list[int] | None = None) -> list[int]:
    """Ids of the active accounts, of these or of all."""
    found = await db.fetch(
        "SELECT id FROM accounts WHERE active AND ($1::bigint[] IS NULL OR id = ANY($1))"
        " ORDER BY id",
        accounts,
    )
    return [row["id"] for row in found]


ADJUSTED: Final = """
SELECT e.occurred_at AS at, i.id AS instrument_id,
  (e.payload -> 'position' ->> 'quantity')::numeric - (e.payload ->> 'before')::numeric AS quantity
FROM trading_events e JOIN instruments i ON i.symbol = e.payload -> 'position' ->> 'symbol'
WHERE e.stream = 'account:' || $1::bigint AND e.event_type = 'position_adjusted'
"""
"Shares that came or went by corporate actions; the cash of these is in `cash_movements`."


async def opening(db: Db, account_id: int, since: datetime) -> Row:
    """`flow`: cash in and out since an instant; `worth`: what was held then, at the close before.

    Equity then = cash now - flow + worth.
    """
    row = await db.fetchrow(
        f"""
        WITH flows AS (
          SELECT e.instrument_id, sum(CASE WHEN e.side = 'buy' THEN e.quantity ELSE -e.quantity END)
              AS quantity,
            sum(CASE WHEN e.side = 'buy' THEN -1 ELSE 1 END * e.quantity * e.price * i.multiplier
                - e.commission) AS cash
          FROM executions e JOIN instruments i ON i.id = e.instrument_id
          WHERE e.account_id = $1 AND e.at >= $2 AND e.busted_at IS NULL
          GROUP BY e.instrument_id
        ), adjusted AS (
          SELECT instrument_id, sum(quantity) AS quantity FROM ({ADJUSTED}) a
          WHERE at >= $2 GROUP BY instrument_id
        ), held AS (
          SELECT p.instrument_id, sum(p.quantity) - coalesce(max(d.quantity), 0) AS quantity,
            max(p.average_price) AS price
          FROM positions p LEFT JOIN adjusted d USING (instrument_id)
          WHERE p.account_id = $1 GROUP BY p.instrument_id
        )
        SELECT coalesce(sum(f.cash), 0) + (
            SELECT coalesce(sum(amount), 0) FROM cash_movements
            WHERE account_id = $1 AND seq IS NOT NULL AND at >= $2
          ) AS flow,
          coalesce(sum((h.quantity - coalesce(f.quantity, 0)) * i.multiplier
            * coalesce(c.close::numeric, h.price)), 0) AS worth
        FROM held h JOIN instruments i ON i.id = h.instrument_id
        JOIN accounts a ON a.id = $1
        LEFT JOIN flows f USING (instrument_id)
        LEFT JOIN {LAST_CLOSE.format(dataset="a.dataset", stock="h.instrument_id", until="$2")} c
          ON h.quantity <> coalesce(f.quantity, 0)
        """,
        account_id,
        since,
    )
    return dict(row or {})


async def fills(db: Db, account_id: int) -> Sequence[Row]:
    """Every change of an account as (at, instrument_id, signed quantity, cash flow), oldest first.

    Fills, and what corporate actions changed; cash of no instrument has the id 0.
    """
    found = await db.fetch(
        f"""
        SELECT e.at, e.instrument_id,
          (CASE WHEN e.side = 'buy' THEN e.quantity ELSE -e.quantity END * i.multiplier)::float8
            AS quantity,
          (CASE WHEN e.side = 'buy' THEN -1 ELSE 1 END * e.quantity * e.price * i.multiplier
            - e.commission)::float8 AS cash, e.id AS number
        FROM executions e JOIN instruments i ON i.id = e.instrument_id
        WHERE e.account_id = $1 AND e.busted_at IS NULL
        UNION ALL
        SELECT a.at, a.instrument_id, (a.quantity * i.multiplier)::float8, 0, 0
        FROM ({ADJUSTED}) a JOIN instruments i ON i.id = a.instrument_id
        UNION ALL
        SELECT at, 0, 0, amount::float8, 0 FROM cash_movements
        WHERE account_id = $1 AND seq IS NOT NULL
        ORDER BY at, number
        """,
        account_id,
    )
    return [dict(row) for row in found]


async def closes(
    db: Db, dataset: str, stock_id: int, timeframe: str, start: datetime, end: datetime
) -> Sequence[Row]:
    """(end, close) of the stored bars that end in (start, end]."""
    found = await db.fetch(
        """
        SELECT "end" AS at, close FROM stock_data
        WHERE dataset = $1 AND stock_id = $2 AND timeframe = $3 AND "end" > $4 AND "end" <= $5
        ORDER BY start
        """,
        dataset,
        stock_id,
        timeframe,
        start,
        end,
    )
    return [dict(row) for row in found]


async def timeframes(db: Db, dataset: str, stock_ids: Sequence[int]) -> set[str]:
    """Timeframes in which every one of these stocks has bars."""
    found = await db.fetch(
        """
        SELECT f.timeframe FROM (VALUES ('1s'), ('1m'), ('5m'), ('15m'), ('1h'), ('1d'))
          AS f (timeframe)
        WHERE NOT EXISTS (
          SELECT FROM unnest($2::bigint[]) AS s (id)
          WHERE NOT EXISTS (SELECT FROM stock_data sd WHERE sd.dataset = $1 AND sd.stock_id = s.id
                            AND sd.timeframe = f.timeframe))
        """,
        dataset,
        list(stock_ids),
    )
    return {row["timeframe"] for row in found}


async def exposures(db: Db, account_id: int) -> Sequence[Row]:
    """(symbol, sector, market value) of everything held, summed over the ledgers."""
    found = await db.fetch(
        f"""
        WITH marked AS ({MARKED})
        SELECT m.symbol, s.sector, sum(coalesce(m.market_value,
          m.quantity * m.multiplier * m.average_price)) AS value
        FROM marked m LEFT JOIN stocks s ON s.id = m.instrument_id
        WHERE m.account_id = $1 AND m.quantity <> 0 GROUP BY m.symbol, s.sector
        """,
        account_id,
    )
    return [dict(row) for row in found]


async def moved_since(db: Db, account_id: int, start: datetime) -> Decimal:
    """Money that fills have moved since then, bought and sold together."""
    found = await db.fetchval(
        "SELECT coalesce(sum(e.quantity * e.price * i.multiplier), 0)"
        " FROM executions e JOIN instruments i ON i.id = e.instrument_id"
        " WHERE e.account_id = $1 AND e.at >= $2 AND e.busted_at IS NULL",
        account_id,
        start,
    )
    return Decimal(found)


async def orders_since(db: Db, account_id: int, since: datetime) -> int:
    """Orders approved since an instant of the account's clock."""
    return int(
        await db.fetchval(
            "SELECT count(*) FROM orders WHERE account_id = $1 AND at > $2", account_id, since
        )
    )
