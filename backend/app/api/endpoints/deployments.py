"""Deployments: put a strategy to work, start, pause and stop it, read its log and result."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime

from app.api.deps import (
    READ,
    TRADE,
    Answer,
    CurrentCaller,
    Db,
    Deployments,
    Performance,
    Timeline,
)
from app.api.idempotency import Once
from app.api.outcomes import PENDING, answer, command_out
from app.api.schemas.base import Page
from app.api.schemas.commands import CommandOut
from app.api.schemas.deployments import (
    DeploymentChangeIn,
    DeploymentCreatedOut,
    DeploymentIn,
    DeploymentOut,
    DeploymentPreviewIn,
    DeploymentPreviewOut,
    DeploymentQuery,
    DeploymentStopIn,
    PerformanceOut,
    StrategyEventOut,
    StrategyEventQuery,
)
from app.api.schemas.orders import TimelineOut
from app.api.timelines import timeline_out
from app.repositories import deployment_reports, strategy_events
from app.services.deployments import Wish

router = APIRouter(prefix="/api/deployments", tags=["deployments"])
DeploymentId = Annotated[int, Path(ge=1, le=2**53, examples=[3])]


@router.get("", dependencies=[READ])
async def list_deployments(
    query: Annotated[DeploymentQuery, Query()], caller: CurrentCaller, db: Db, table: Answer
) -> Page[DeploymentOut]:
    """Newest first."""
    wanted = deployment_reports.DeploymentFilter(accounts=caller.visible, **query.narrowed())
    return await table(DeploymentOut, query, deployment_reports.listing(db, wanted))


@router.post(
    "",
    status_code=201,
    dependencies=[TRADE],
    responses={202: {"model": DeploymentCreatedOut, "description": "Created; start is pending."}},
)
async def create_deployment(
    body: DeploymentIn,
    caller: CurrentCaller,
    response: Response,
    deployments: Deployments,
    db: Db,
    once: Once,
) -> DeploymentCreatedOut:
    """Check, store and (unless `start` is false) start a deployment."""
    wish = Wish(**body.model_dump(exclude={"start"}))
    made = await deployments.create(caller, wish, start=body.start, once=once)
    command = command_out(made.command) if made.command else None
    row = await deployment_reports.get(db, made.deployment_id)
    found = DeploymentCreatedOut(deployment=DeploymentOut.model_validate(row), command=command)
    if command is not None and command.state == "pending":
        response.status_code = 202
        response.headers["Location"] = f"/api/commands/{command.id}"
    await once.answer(response.status_code or 201, found.model_dump(mode="json"))
    return found


@router.post("/preview", dependencies=[READ])
async def preview_deployment(
    body: DeploymentPreviewIn, caller: CurrentCaller, deployments: Deployments
) -> DeploymentPreviewOut:
    """What a deployment would see: stored bars and the first opinion. Creates nothing."""
    return DeploymentPreviewOut.model_validate(
        await deployments.preview(caller, Wish(**body.model_dump()))
    )


@router.get("/{deployment_id}", dependencies=[READ])
async def get_deployment(
    deployment_id: DeploymentId, caller: CurrentCaller, db: Db
) -> DeploymentOut:
    """One deployment with its own result."""
    return DeploymentOut.model_validate(
        await deployment_reports.get(db, deployment_id, caller.visible)
    )


@router.post("/{deployment_id}/start", dependencies=[TRADE], responses=PENDING)
async def start_deployment(
    deployment_id: DeploymentId,
    caller: CurrentCaller,
    response: Response,
    deployments: Deployments,
) -> CommandOut:
    """Start it, or go on after a pause."""
    return answer(response, await deployments.start(caller, deployment_id))


@router.post("/{deployment_id}/pause", dependencies=[TRADE], responses=PENDING)
async def pause_deployment(
    deployment_id: DeploymentId,
    caller: CurrentCaller,
    response: Response,
    deployments: Deployments,
    body: DeploymentChangeIn | None = None,
) -> CommandOut:
    """No new opinions; positions and their protective orders stay."""
    wish = body or DeploymentChangeIn()
    return answer(response, await deployments.pause(caller, deployment_id, wish.reason))


@router.post("/{deployment_id}/stop", dependencies=[TRADE], responses=PENDING)
async def stop_deployment(
    deployment_id: DeploymentId,
    caller: CurrentCaller,
    response: Response,
    deployments: Deployments,
    body: DeploymentStopIn | None = None,
) -> CommandOut:
    """End it for good; with `flatten` also close what it holds."""
    wish = body or DeploymentStopIn()
    row = await deployments.stop(caller, deployment_id, wish.reason, flatten=wish.flatten)
    return answer(response, row)


@router.get("/{deployment_id}/events", dependencies=[READ])
async def list_deployment_events(
    deployment_id: DeploymentId,
    query: Annotated[StrategyEventQuery, Query()],
    caller: CurrentCaller,
    db: Db,
    table: Answer,
) -> Page[StrategyEventOut]:
    """What a person reads about it, newest first."""
    await deployment_reports.get(db, deployment_id, caller.visible)
    fetch = strategy_events.listing(db, deployment_id, query.severity)
    return await table(StrategyEventOut, query, fetch)


@router.get("/{deployment_id}/explain", dependencies=[READ])
async def explain_deployment(
    deployment_id: DeploymentId,
    caller: CurrentCaller,
    timeline: Timeline,
    symbol: Annotated[str, Query(min_length=1, max_length=32, examples=["SPY"])],
    at: Annotated[
        AwareDatetime | None, Query(description="The newest decision up to then; else the newest.")
    ] = None,
) -> TimelineOut:
    """Why an order of a symbol was, or was not, made: bar, columns, checks, outcome."""
    return timeline_out(await timeline.explain(caller, deployment_id, symbol, at))


@router.get("/{deployment_id}/performance", dependencies=[READ])
async def get_deployment_performance(
    deployment_id: DeploymentId, caller: CurrentCaller, performance: Performance
) -> PerformanceOut:
    """Figures over its closed trades, and the curve."""
    return PerformanceOut.model_validate(await performance.of(caller, deployment_id))
