"""Comparisons of our books with brokers', as the API lists them."""

from typing import Final

from app.repositories.paging import Db, Fetch, Listing, Where, lister

_LISTING: Final = Listing(
    select="r.id, r.account_id, r.at, r.open_orders, r.positions, r.differences",
    source="reconciliations r",
    keys=(("r.at", "timestamptz"), ("r.id", "bigint")),
)


def listing(
    db: Db, account_id: int, accounts: list[int] | None, *, differing: bool = False
) -> Fetch:
    """Newest first; `differing` only those that something was unexplained in."""
    where = Where().among("r.account_id", accounts).add("r.account_id = {}", account_id)
    return lister(db, _LISTING, where.say("r.differences <> '{}'", when=differing))
