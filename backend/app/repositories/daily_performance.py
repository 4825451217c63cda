"""How each ledger, and each account as a whole, did in each session: read, worked out, stored."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.repositories.marks import LAST_CLOSE
from app.repositories.paging import Db, Row

ACCOUNT: Final = "account"
"The ledger name of the sum over all ledgers."

_PAID_IN: Final = "'deposit', 'withdrawal', 'adjustment'"
"Cash that nobody earned."
_SESSIONS: Final = """
  WITH closed AS (
    SELECT (payload ->> 'session')::date AS session, occurred_at AS at,
      lag(occurred_at, 1, 'epoch') OVER (ORDER BY seq) AS before
    FROM trading_events WHERE stream = 'account:' || $1::bigint AND event_type = 'session_closed'
  )
  SELECT session, before, at FROM closed
  WHERE session > coalesce($2::date,
    (SELECT max(date) FROM daily_performance WHERE account_id = $1), '-infinity')
  ORDER BY at LIMIT $3"""
_STANDING: Final = f"""
  WITH moves AS (
    SELECT e.ledger, e.instrument_id, e.at, e.price, e.commission,
      CASE WHEN e.side = 'buy' THEN e.quantity ELSE -e.quantity END AS quantity,
      CASE WHEN e.side = 'buy' THEN -1 ELSE 1 END * e.quantity * e.price * i.multiplier
        - e.commission AS cash
    FROM executions e JOIN instruments i ON i.id = e.instrument_id
    WHERE e.account_id = $1 AND e.busted_at IS NULL AND e.at <= $2
    UNION ALL
    SELECT t.payload -> 'position' ->> 'ledger', i.id, t.occurred_at, NULL, 0,
      (t.payload -> 'position' ->> 'quantity')::numeric - (t.payload ->> 'before')::numeric, 0
    FROM trading_events t JOIN instruments i ON i.symbol = t.payload -> 'position' ->> 'symbol'
    WHERE t.stream = 'account:' || $1::bigint AND t.event_type = 'position_adjusted'
      AND t.occurred_at <= $2
  ), held AS (
    SELECT ledger, instrument_id, sum(quantity) AS quantity,
      (array_agg(price ORDER BY at DESC) FILTER (WHERE price IS NOT NULL))[1] AS price
    FROM moves GROUP BY ledger, instrument_id HAVING sum(quantity) <> 0
  ), valued AS (
    SELECT h.ledger, h.quantity * i.multiplier * coalesce(c.close::numeric, h.price, 0) AS value
    FROM held h JOIN instruments i ON i.id = h.instrument_id JOIN accounts a ON a.id = $1
    LEFT JOIN {LAST_CLOSE.format(dataset="a.dataset", stock="h.instrument_id", until="$2")} c
      ON true
  ), worth AS (
    SELECT ledger, sum(value) AS value, sum(abs(value)) AS exposure FROM valued GROUP BY ledger
  ), flows AS (
    SELECT ledger, sum(cash) AS cash, sum(commission) AS commission FROM moves GROUP BY ledger
  ), moved AS (
    SELECT ledger, sum(amount) FILTER (WHERE kind IN ({_PAID_IN}))
        AS paid_in,
      sum(amount) FILTER (WHERE kind NOT IN ({_PAID_IN})) AS earned
    FROM cash_movements WHERE account_id = $1 AND seq IS NOT NULL AND at <= $2 GROUP BY ledger
  )
  SELECT l.ledger, coalesce(d.capital, a.starting_cash) AS capital,
    coalesce(m.paid_in, 0) AS paid_in,
    round(coalesce(f.cash, 0) + coalesce(m.earned, 0) + coalesce(w.value, 0), 8) AS made,
    coalesce(w.exposure, 0) AS exposure, coalesce(f.commission, 0) AS commission
  FROM ledgers l JOIN accounts a ON a.id = l.account_id
  LEFT JOIN deployments d ON d.id = l.deployment_id
  LEFT JOIN flows f USING (ledger) LEFT JOIN worth w USING (ledger) LEFT JOIN moved m USING (ledger)
  WHERE l.account_id = $1"""
_TRADES: Final = """
  SELECT ledger, count(*) AS trades, count(*) FILTER (WHERE pnl > 0) AS winning, sum(pnl) AS pnl
  FROM trades WHERE account_id = $1 AND exit_at > $2 AND exit_at <= $3 GROUP BY ledger"""
_RETURNS: Final = """
  SELECT total_return FROM daily_performance
  WHERE account_id = $1 AND ledger = $2 AND date < $3 ORDER BY date"""
_STORE: Final = """
  INSERT INTO daily_performance (account_id, ledger, date, starting_equity, ending_equity,
    realized_pnl, unrealized_pnl, commission, total_return, drawdown, exposure, trades,
    winning_trades)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
  ON CONFLICT (account_id, ledger, date) DO UPDATE SET starting_equity = excluded.starting_equity,
    ending_equity = excluded.ending_equity, realized_pnl = excluded.realized_pnl,
    unrealized_pnl = excluded.unrealized_pnl, commission = excluded.commission,
    total_return = excluded.total_return, drawdown = excluded.drawdown,
    exposure = excluded.exposure, trades = excluded.trades,
    winning_trades = excluded.winning_trades
  RETURNING xmax = 0"""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger at an instant: what it was given, and what it has made since its start (net)."""

    capital: Decimal
    paid_in: Decimal
    made: Decimal
    exposure: Decimal
    commission: Decimal

    @property
    def equity(self) -> Decimal:
        """What it is worth."""
        return self.capital + self.paid_in + self.made

    @property
    def is_unused(self) -> bool:
        """Whether nothing has happened in it yet."""
        return not (self.made or self.paid_in or self.exposure or self.commission)


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """Round trips that were closed within a session; `pnl` net of costs."""

    trades: int = 0
    winning: int = 0
    pnl: Decimal = Decimal(0)


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One session of one ledger, as it is stored; fractions are of one."""

    account_id: int
    ledger: str
    date: date
    starting_equity: Decimal
    ending_equity: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    commission: Decimal
    total_return: float
    drawdown: float
    exposure: float
    trades: int
    winning_trades: int


async def sessions(db: Db, account_id: int, since: date | None, limit: int) -> Sequence[Row]:
    """(session, before, at) of ended sessions after `since`, or after those that are stored.

    `before` is the end of the session before it.
    """
    return [dict(row) for row in await db.fetch(_SESSIONS, account_id, since, limit)]


async def standing(db: Db, account_id: int, at: datetime) -> dict[str, Standing]:
    """Every ledger of an account at an instant, marked at the newest closes before it."""
    found = {}
    for row in await db.fetch(_STANDING, account_id, at):
        values = dict(row)
        ledger = values.pop("ledger")
        found[ledger] = Standing(**values)
    return found


async def traded(db: Db, account_id: int, after: datetime, until: datetime) -> dict[str, Traded]:
    """What each ledger closed in (after, until]."""
    rows = await db.fetch(_TRADES, account_id, after, until)
    return {
        row["ledger"]: Traded(trades=row["trades"], winning=row["winning"], pnl=row["pnl"])
        for row in rows
    }


async def returns(db: Db, account_id: int, ledger: str, before: date) -> list[float]:
    """Returns of the sessions before one, the oldest first."""
    rows = await db.fetch(_RETURNS, account_id, ledger, before)
    return [row["total_return"] for row in rows]


async def store(db: Db, day: Day) -> bool:
    """Write it; False where it only replaced what was there."""
    return bool(await db.fetchval(_STORE, *msgspec.structs.astuple(day)))
