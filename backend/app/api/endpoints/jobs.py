"""Jobs: list, runs, run now, pause, resume."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status

from app.api.deps import ADMIN, READ, Answer, CurrentCaller, Jobs
from app.api.schemas.base import Page
from app.api.schemas.jobs import JobListOut, JobOut, JobRunIn, JobRunOut, JobRunQuery

router = APIRouter(prefix="/api/jobs", tags=["jobs"])
Name = Annotated[str, Path(max_length=64, examples=["retention"])]


@router.get("", dependencies=[READ])
async def list_jobs(jobs: Jobs) -> JobListOut:
    """Every job with its schedule, its next time and its last run."""
    return JobListOut.model_validate({"items": await jobs.listed()})


@router.get("/{name}", dependencies=[READ])
async def get_job(name: Name, jobs: Jobs) -> JobOut:
    """One job."""
    return JobOut.model_validate(await jobs.one(name))


@router.get("/{name}/runs", dependencies=[READ])
async def list_job_runs(
    name: Name, query: Annotated[JobRunQuery, Query()], jobs: Jobs, answer: Answer
) -> Page[JobRunOut]:
    """The history of a job, the newest due time first."""
    return await answer(JobRunOut, query, jobs.runs(name, [one.value for one in query.status]))


@router.post("/{name}/run", dependencies=[ADMIN], status_code=status.HTTP_202_ACCEPTED)
async def run_job(
    name: Name, caller: CurrentCaller, jobs: Jobs, body: JobRunIn | None = None
) -> JobRunOut:
    """Queue a run now; a worker begins it, and its row says what became of it."""
    given = body.payload if body else {}
    return JobRunOut.model_validate(await jobs.run(caller, name, given))


@router.post("/{name}/pause", dependencies=[ADMIN])
async def pause_job(name: Name, caller: CurrentCaller, jobs: Jobs) -> JobOut:
    """Let nothing be due until it is resumed; asked for, it still runs."""
    return JobOut.model_validate(await jobs.pause(caller, name))


@router.post("/{name}/resume", dependencies=[ADMIN])
async def resume_job(name: Name, caller: CurrentCaller, jobs: Jobs) -> JobOut:
    """Let it be due again; what was missed meanwhile runs as the job's policy says."""
    return JobOut.model_validate(await jobs.resume(caller, name))
