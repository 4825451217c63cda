"""Backups: list, make one, prove one; the work is a job."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status

from app.api.deps import ADMIN, Answer, CurrentCaller, Db, Jobs
from app.api.schemas.backups import BackupOut, BackupQuery
from app.api.schemas.base import Page
from app.api.schemas.jobs import JobRunOut
from app.jobs import backup
from app.repositories import backups as rows

router = APIRouter(prefix="/api/backups", tags=["backups"])
BackupId = Annotated[int, Path(ge=1, le=2**53, examples=[12])]


@router.get("", dependencies=[ADMIN])
async def list_backups(
    query: Annotated[BackupQuery, Query()], db: Db, answer: Answer
) -> Page[BackupOut]:
    """Newest first, with the last proof of each."""
    return await answer(BackupOut, query, rows.listing(db, query.status))


@router.post("", dependencies=[ADMIN], status_code=status.HTTP_202_ACCEPTED)
async def create_backup(caller: CurrentCaller, jobs: Jobs) -> JobRunOut:
    """Make one now and prove it; the run says what became of it, the list shows the backup."""
    row = await jobs.run(caller, backup.NAME, {"requested_by": caller.actor})
    return JobRunOut.model_validate(row)


@router.get("/{backup_id}", dependencies=[ADMIN])
async def get_backup(backup_id: BackupId, db: Db) -> BackupOut:
    """One backup."""
    return BackupOut.model_validate(await rows.get(db, backup_id))


@router.post("/{backup_id}/verify", dependencies=[ADMIN], status_code=status.HTTP_202_ACCEPTED)
async def verify_backup(
    backup_id: BackupId, caller: CurrentCaller, db: Db, jobs: Jobs
) -> JobRunOut:
    """Restore it into a scratch database and compare the state hash."""
    await rows.get(db, backup_id)
    return JobRunOut.model_validate(await jobs.run(caller, backup.NAME, {"verify": backup_id}))
