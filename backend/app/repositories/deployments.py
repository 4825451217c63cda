"""Deployments as rows: made by a person's request; their state is a fold of the stream."""

from decimal import Decimal
from typing import Any

import asyncpg
import orjson

from app.core.errors import Conflict
from app.domain.market import Timeframe
from app.repositories.paging import Db


async def add(
    db: Db,
    *,
    account_id: int,
    strategy_id: int,
    name: str | None,
    parameters: dict[str, Any],
    symbols: list[str],
    timeframe: Timeframe,
    capital: Decimal | None,
    created_by: int | None,
) -> int:
    """A new deployment's id. Raises Conflict when the account has one of this name."""
    try:
        return int(
            await db.fetchval(
                """
                INSERT INTO deployments (account_id, strategy_id, name, parameters, symbols,
                                         timeframe, capital, created_by)
                VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8) RETURNING id
                """,
                account_id,
                strategy_id,
                name,
                orjson.dumps(parameters, default=str).decode(),
                symbols,
                timeframe,
                capital,
                created_by,
            )
        )
    except asyncpg.UniqueViolationError:
        raise Conflict(
            f"The account has a deployment named {name!r} already.", remedy="Choose another name."
        ) from None
