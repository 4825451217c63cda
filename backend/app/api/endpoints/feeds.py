"""Sources of market data and the state of live feeds."""

from fastapi import APIRouter

from app.api.deps import READ, CurrentCaller, Db
from app.api.schemas.feeds import SourcesOut
from app.services import feeds

router = APIRouter(prefix="/api/feeds", tags=["data-quality"])


@router.get("", dependencies=[READ])
async def list_feeds(caller: CurrentCaller, db: Db) -> SourcesOut:
    """Every source of market data: the keys it needs, and what its live connections do."""
    return SourcesOut.model_validate({"items": await feeds.listed(db, caller)})
