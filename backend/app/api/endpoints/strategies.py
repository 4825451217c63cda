"""The strategy catalogue."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path

from app.api.deps import READ, Db, Strategies
from app.api.schemas.strategies import (
    ParametersIn,
    ParametersOut,
    StrategyDetailOut,
    StrategyListOut,
)
from app.repositories import strategies as rows
from app.strategies.catalog import Description

router = APIRouter(prefix="/api/strategies", tags=["strategies"], dependencies=[READ])
Name = Annotated[str, Path(max_length=100, examples=["sma_cross"])]


@router.get("")
async def list_strategies(strategies: Strategies, db: Db) -> StrategyListOut:
    """Every strategy with the JSON schema of its parameters."""
    ids = await rows.ids(db)
    items = [_said(one, ids) for one in strategies.describe_all()]
    return StrategyListOut.model_validate({"items": items, "problems": strategies.problems})


@router.get("/{name}")
async def get_strategy(name: Name, strategies: Strategies, db: Db) -> StrategyDetailOut:
    """One strategy, with its source."""
    said = _said(strategies.describe(name), await rows.ids(db))
    return StrategyDetailOut.model_validate({**said, "source": strategies.source(name)})


@router.post("/{name}/parameters")
async def check_strategy_parameters(
    name: Name, body: ParametersIn, strategies: Strategies
) -> ParametersOut:
    """Fill in defaults, check bounds, and say the lookback. Creates nothing."""
    made = strategies.make(name, body.parameters)
    return ParametersOut(parameters=made.parameters, lookback=made.lookback)


def _said(description: Description, ids: dict[str, int]) -> dict[str, Any]:
    return {**msgspec.structs.asdict(description), "id": ids.get(description.name)}
