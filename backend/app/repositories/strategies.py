"""Strategies of the catalogue as rows, so that deployments and trades can point at them."""

from typing import Any

import orjson

from app.repositories.paging import Db


async def ids(db: Db) -> dict[str, int]:
    """Id of every strategy that was ever offered, by name."""
    return {row["name"]: row["id"] for row in await db.fetch("SELECT id, name FROM strategies")}


async def ensure(
    db: Db,
    name: str,
    description: str,
    parameters: dict[str, Any],
    schema: dict[str, Any],
    source: str,
) -> int:
    """The strategy's id; its row says what the catalogue says now."""
    return int(
        await db.fetchval(
            """
            INSERT INTO strategies (name, description, parameters, parameters_schema, source)
            VALUES ($1, $2, $3::jsonb, $4::jsonb, $5)
            ON CONFLICT (name) DO UPDATE SET description = excluded.description,
              parameters = excluded.parameters, parameters_schema = excluded.parameters_schema,
              source = excluded.source, active = true
            RETURNING id
            """,
            name,
            description,
            orjson.dumps(parameters, default=str).decode(),
            orjson.dumps(schema, default=str).decode(),
            source,
        )
    )
