"""Indicator values that running deployments computed, written in batches."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from app.repositories.paging import Db


class Value(msgspec.Struct, frozen=True):
    """One column at one bar. `metadata` is JSON text: the parameters behind the name."""

    symbol: str
    timeframe: str
    name: str
    start: datetime
    value: float
    metadata: str


async def add(db: Db, dataset: str, values: Sequence[Value]) -> None:
    """Store values; one that is there already stays, and an unknown symbol is left out."""
    await db.execute(
        """
        INSERT INTO indicators (dataset, stock_id, timeframe, name, start, value, metadata)
        SELECT $1, s.id, v.timeframe, v.name, v.start, v.value, v.metadata::jsonb
        FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::float8[], $7::text[])
             AS v(symbol, timeframe, name, start, value, metadata)
        JOIN stocks s USING (symbol)
        ON CONFLICT DO NOTHING
        """,
        dataset,
        [value.symbol for value in values],
        [value.timeframe for value in values],
        [value.name for value in values],
        [value.start for value in values],
        [value.value for value in values],
        [value.metadata for value in values],
    )
