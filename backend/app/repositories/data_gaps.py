"""The gap ledger: where bars are missing, and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from app.domain.market import Timeframe
from app.repositories.paging import Db


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Bars missing in [start, end) of one series; `state` says what is known about it."""

    dataset: str
    symbol: str
    timeframe: Timeframe
    start: datetime
    end: datetime
    state: str = "unexplained"
    detail: str = ""


_RECORD: Final = """
  INSERT INTO data_gaps (dataset, stock_id, timeframe, start, "end", state, detail)
  SELECT $1, $2, $3, g.start, g."end", $6, $7
  FROM unnest($4::timestamptz[], $5::timestamptz[]) AS g (start, "end")
  ON CONFLICT (dataset, stock_id, timeframe, start) DO UPDATE SET "end" = excluded."end"
  WHERE data_gaps."end" <> excluded."end" """

_REPAIR: Final = """
  UPDATE data_gaps SET state = 'repaired', repaired_at = now()
  WHERE dataset = $1 AND stock_id = $2 AND timeframe = $3 AND state = 'unexplained'
    AND start <> ALL($4::timestamptz[])"""

_LIST: Final = """
  SELECT g.dataset, s.symbol, g.timeframe, g.start, g."end", g.state, g.detail
  FROM data_gaps g JOIN stocks s ON s.id = g.stock_id
  WHERE ($1::text IS NULL OR g.dataset = $1) AND ($2::text IS NULL OR s.symbol = $2)
    AND (NOT $3 OR g.state = 'unexplained')
  ORDER BY g.dataset, s.symbol, g.timeframe, g.start LIMIT $4"""


async def replace(
    db: Db,
    dataset: str,
    stock_id: int,
    timeframe: Timeframe,
    gaps: Sequence[tuple[datetime, datetime]],
    *,
    state: str = "unexplained",
    detail: str = "",
) -> None:
    """The gaps that a series has now; unexplained ones that are gone become `repaired`."""
    starts, ends = [gap[0] for gap in gaps], [gap[1] for gap in gaps]
    await db.execute(_RECORD, dataset, stock_id, timeframe, starts, ends, state, detail)
    await db.execute(_REPAIR, dataset, stock_id, timeframe, starts)


async def list_gaps(
    db: Db,
    dataset: str | None = None,
    symbol: str | None = None,
    *,
    unexplained: bool = False,
    limit: int = 1_000,
) -> list[Gap]:
    """Gaps by series and time."""
    rows = await db.fetch(_LIST, dataset, symbol, unexplained, limit)
    return [Gap(**{**row, "timeframe": Timeframe(row["timeframe"])}) for row in map(dict, rows)]
