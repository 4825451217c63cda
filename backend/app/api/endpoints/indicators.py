"""The indicator catalogue."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.deps import READ
from app.api.schemas.indicators import IndicatorListOut, IndicatorOut
from app.indicators import catalog

router = APIRouter(prefix="/api/indicators", tags=["indicators"], dependencies=[READ])


@router.get("")
async def list_indicators() -> IndicatorListOut:
    """Everything that charts and strategies can compute."""
    return IndicatorListOut.model_validate({"items": catalog.describe_all()})


@router.get("/{name}")
async def get_indicator_description(
    name: Annotated[str, Path(max_length=64, examples=["macd"])],
) -> IndicatorOut:
    """One entry of the catalogue."""
    return IndicatorOut.model_validate(catalog.describe(name))
