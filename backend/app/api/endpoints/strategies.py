"""The strategy catalogue."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.deps import READ, Strategies
from app.api.schemas.strategies import (
    ParametersIn,
    ParametersOut,
    StrategyDetailOut,
    StrategyListOut,
)

router = APIRouter(prefix="/api/strategies", tags=["strategies"], dependencies=[READ])
Name = Annotated[str, Path(max_length=100, examples=["sma_cross"])]


@router.get("")
async def list_strategies(strategies: Strategies) -> StrategyListOut:
    """Every strategy with the JSON schema of its parameters."""


@router.get("/{name}")
async def get_strategy(name: Name, strategies: Strategies) -> StrategyDetailOut:
    """One strategy, with its source."""


@router.post("/{name}/parameters")
async def check_strategy_parameters(
    name: Name, body: ParametersIn, strategies: Strategies
) -> ParametersOut:
    """Fill in defaults, check bounds, and say the lookback. Creates nothing."""
