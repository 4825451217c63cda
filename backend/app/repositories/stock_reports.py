"""Stocks with their instruments, as the API lists them, and what is stored of each."""

from collections.abc import Sequence
from typing import Final

from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister, page

_LISTING: Final = Listing(
    select="""s.id, s.symbol, nullif(s.name, '') AS name, s.exchange, s.sector, i.kind, i.tick,
       i.lot, i.currency""",
    source="stocks s JOIN instruments i ON i.id = s.id",
    keys=(("s.symbol", "text"),),
    descending=False,
)


_HELD: Final = """EXISTS (
    SELECT FROM unnest(({{}}::text[]){part}) AS d (name),
      (VALUES ('1s'), ('1m'), ('5m'), ('15m'), ('1h'), ('1d')) AS f (timeframe),
      LATERAL (
        SELECT FROM stock_data sd
        WHERE sd.dataset = d.name AND sd.stock_id = s.id AND sd.timeframe = f.timeframe LIMIT 1
      ) b)"""
_NOT_ELSEWHERE: Final = f"({_HELD.format(part='[1:1]')} OR NOT {_HELD.format(part='[2:]')})"
"""Of data sets, the first one meant: it has bars of the stock, or no other one has."""


def listing(
    db: Db, part: str | None = None, symbols: Sequence[str] = (), datasets: Sequence[str] = ()
) -> Fetch:
    """By symbol; `part` of symbol or name, or only `symbols`.

    `datasets`: the one that is meant, then all others. Stocks that only others know are left out.
    """
    where = Where().say("s.active").add("s.symbol = ANY({})", [one.upper() for one in symbols])
    where.add(_NOT_ELSEWHERE, list(datasets))
    if part:
        text = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.add("(s.symbol ILIKE {} OR s.name ILIKE {})", f"%{text}%")
    return lister(db, _LISTING, where)


async def get(db: Db, stock_id: int) -> Row:
    """One stock by id."""
    return (await page(db, _LISTING, Where().add("s.id = {}", stock_id), 1)).items[0]


async def datasets(db: Db) -> set[str]:
    """Data sets of the accounts."""
    found = await db.fetch("SELECT DISTINCT dataset FROM accounts")
    return {row["dataset"] for row in found}


async def dataset_of(db: Db, account_id: int) -> str | None:
    """The data set of an account."""
    found = await db.fetchval("SELECT dataset FROM accounts WHERE id = $1", account_id)
    return str(found) if found is not None else None
