"""The audit trail: what people did, and proof that nobody rewrote it."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import ADMIN, Answer, Chains, Db
from app.api.schemas.audit import AuditEntryOut, AuditQuery, AuditVerdictOut
from app.api.schemas.base import Page
from app.repositories import audit

router = APIRouter(prefix="/api/audit", tags=["audit"], dependencies=[ADMIN])


@router.get("")
async def list_audit(
    query: Annotated[AuditQuery, Query()], db: Db, answer: Answer
) -> Page[AuditEntryOut]:
    """Acts, newest first."""
    wanted = audit.AuditFilter(**query.narrowed())
    return await answer(AuditEntryOut, query, audit.listing(db, wanted))


@router.get("/verify")
async def verify_audit(chains: Chains) -> AuditVerdictOut:
    """Recompute every chain from behind its newest anchor (noted each hour by a job).

    The whole past is checked every night, and by `tradewright audit verify`.
    """
    return AuditVerdictOut.model_validate(await chains.verify(since_anchors=True))
