"""Option contracts: made when they are new, and listed by their underlying."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from app.domain.options import MULTIPLIER, OptionContract, OptionType, style_of
from app.repositories import stocks
from app.repositories.paging import Db

# Roots have no punctuation: BRKB stands for BRK.B.
_UNDERLYINGS: Final = """
  SELECT DISTINCT ON (r.root) r.root, s.id, s.symbol
  FROM unnest($1::text[]) AS r (root)
  JOIN stocks s ON s.symbol = r.root OR replace(replace(s.symbol, '.', ''), '-', '') = r.root
  ORDER BY r.root, s.symbol <> r.root"""

_MAKE: Final = """
  WITH given AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::date[], $4::numeric[], $5::text[],
      $6::text[]) AS g (symbol, underlying_id, expiry, strike, option_type, style)
  ), made AS (
    INSERT INTO instruments (symbol, kind, multiplier)
    SELECT symbol, 'option', $7 FROM given ON CONFLICT (symbol) DO NOTHING RETURNING id, symbol
  ), known AS (
    SELECT id, symbol FROM made
    UNION ALL SELECT i.id, i.symbol FROM instruments i JOIN given USING (symbol)
  )
  INSERT INTO option_contracts (id, underlying_id, expiry, strike, option_type, style)
  SELECT k.id, g.underlying_id, g.expiry, g.strike, g.option_type, g.style
  FROM given g JOIN known k USING (symbol)
  ON CONFLICT DO NOTHING"""

_IDS: Final = """
  SELECT i.symbol, c.id FROM instruments i JOIN option_contracts c ON c.id = i.id
  WHERE i.symbol = ANY($1)"""

_LISTED: Final = """
  SELECT c.id, i.symbol, c.expiry, trim_scale(c.strike) AS strike, c.option_type
  FROM option_contracts c JOIN instruments i ON i.id = c.id
  WHERE c.underlying_id = $1 AND ($2::date IS NULL OR c.expiry >= $2)"""


async def underlyings(db: Db, roots: Iterable[str]) -> dict[str, tuple[int, str]]:
    """(id, symbol) of the stock behind each root, made first where there is none."""
    wanted = sorted(set(roots))
    rows = await db.fetch(_UNDERLYINGS, wanted)
    found = {row["root"]: (int(row["id"]), str(row["symbol"])) for row in rows}
    for root in wanted:
        if root not in found:
            made = await stocks.ensure(db, root)
            found[root] = made.id, made.symbol
    return found


async def ensure(db: Db, contracts: Sequence[OptionContract]) -> dict[OptionContract, int]:
    """The id of each contract, made first where it is new: 100 shares, a tick of a cent."""
    ids = await _ids(db, contracts)
    new = [one for one in contracts if one not in ids]
    if new:
        behind = await underlyings(db, (one.underlying for one in new))
        await db.execute(
            _MAKE,
            [one.symbol for one in new],
            [behind[one.underlying][0] for one in new],
            [one.expiry for one in new],
            [one.strike for one in new],
            [one.option_type for one in new],
            [style_of(one.underlying) for one in new],
            MULTIPLIER,
        )
        ids |= await _ids(db, new)
    return ids


async def listed(
    db: Db, underlying_id: int, since: date | None = None
) -> dict[int, OptionContract]:
    """Every known contract on an underlying by id, those that expire before `since` left out."""
    rows = await db.fetch(_LISTED, underlying_id, since)
    return {row["id"]: _contract(row) for row in rows}


async def _ids(db: Db, contracts: Sequence[OptionContract]) -> dict[OptionContract, int]:
    by_symbol = {one.symbol: one for one in contracts}
    rows = await db.fetch(_IDS, list(by_symbol))
    return {by_symbol[row["symbol"]]: int(row["id"]) for row in rows}


def _contract(row: Mapping[str, Any]) -> OptionContract:
    root = row["symbol"][:-15]
    return OptionContract(root, row["expiry"], row["strike"], OptionType(row["option_type"]))
