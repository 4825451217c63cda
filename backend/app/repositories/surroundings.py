"""What an engine cannot see by itself: its user's other accounts, and what is known of symbols."""

from collections.abc import Collection
from typing import Final

from app.domain.orders import OPEN, PROTECTIVE
from app.repositories.paging import Db

_MOVING: Final = sorted(OPEN)
_RESTING: Final = sorted(PROTECTIVE)
_ELSEWHERE: Final = """
WITH me AS (SELECT id, mode FROM accounts WHERE id = $1),
  people AS (SELECT user_id FROM account_members WHERE account_id = $1 AND role <> 'viewer'),
  others AS (
    SELECT a.id FROM accounts a JOIN me USING (mode) WHERE a.id <> me.id AND a.active AND (
      EXISTS (SELECT FROM account_members m JOIN people USING (user_id)
              WHERE m.account_id = a.id AND m.role <> 'viewer')
      OR NOT EXISTS (SELECT FROM people) AND NOT EXISTS (
        SELECT FROM account_members m WHERE m.account_id = a.id AND m.role <> 'viewer')))
SELECT count(*) FROM orders o JOIN others ON o.account_id = others.id
WHERE o.status = ANY($2) AND o.leg <> ALL($3)
"""


async def open_elsewhere(db: Db, account_id: int) -> int:
    """Open orders, protective legs aside, in the other accounts of whoever trades this one.

    Paper accounts count with paper accounts and live with live ones; accounts that have no member
    of their own are all the same person's.
    """
    return int(await db.fetchval(_ELSEWHERE, account_id, _MOVING, _RESTING))


async def symbols(db: Db, wanted: Collection[str]) -> dict[str, tuple[str | None, bool]]:
    """Sector (None: unknown) and permission to borrow, by symbol."""
    found = await db.fetch(
        "SELECT i.symbol, s.sector, i.shortable FROM instruments i LEFT JOIN stocks s USING (id)"
        " WHERE i.symbol = ANY($1) ORDER BY i.symbol",
        list(wanted),
    )
    return {row["symbol"]: (row["sector"], row["shortable"]) for row in found}
