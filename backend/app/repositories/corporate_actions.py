"""Corporate actions: what changes the meaning of older prices."""

from datetime import date

from app.repositories.paging import Db


async def splits(db: Db, dataset: str, stock_id: int) -> list[tuple[date, float]]:
    """(first session of the new shares, new shares for one old), oldest first."""
    found = await db.fetch(
        "SELECT ex_date, ratio::float8 AS ratio FROM corporate_actions"
        " WHERE dataset = $1 AND stock_id = $2 AND kind = 'split' ORDER BY ex_date",
        dataset,
        stock_id,
    )
    return [(row["ex_date"], row["ratio"]) for row in found]
