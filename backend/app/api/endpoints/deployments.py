"""Deployments: put a strategy to work, start, pause and stop it, read its log and result."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import READ, TRADE, CurrentCaller, Deployments, Once, Reader, Tables
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

router = APIRouter(prefix="/api/deployments", tags=["deployments"])
DeploymentId = Annotated[int, Path(examples=[3])]
PENDING = {202: {"model": CommandOut, "description": "Not answered within 2 s; ask the command."}}


@router.get("", dependencies=[READ])
async def list_deployments(
    query: Annotated[DeploymentQuery, Query()], read: Reader, tables: Tables
) -> Page[DeploymentOut]:
    """Newest first."""


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
    once: Once,
) -> DeploymentCreatedOut:
    """Check, store and (unless `start` is false) start a deployment."""


@router.post("/preview", dependencies=[READ])
async def preview_deployment(
    body: DeploymentPreviewIn, deployments: Deployments
) -> DeploymentPreviewOut:
    """What a deployment would see: stored bars and the first opinion. Creates nothing."""


@router.get("/{deployment_id}", dependencies=[READ])
async def get_deployment(deployment_id: DeploymentId, read: Reader) -> DeploymentOut:
    """One deployment with its own result."""


@router.post("/{deployment_id}/start", dependencies=[TRADE], responses=PENDING)
async def start_deployment(
    deployment_id: DeploymentId,
    caller: CurrentCaller,
    response: Response,
    deployments: Deployments,
    body: DeploymentChangeIn | None = None,
) -> CommandOut:
    """Start it, or go on after a pause."""


@router.post("/{deployment_id}/pause", dependencies=[TRADE], responses=PENDING)
async def pause_deployment(
    deployment_id: DeploymentId,
    caller: CurrentCaller,
    response: Response,
    deployments: Deployments,
    body: DeploymentChangeIn | None = None,
) -> CommandOut:
    """No new opinions; positions and their protective orders stay."""


@router.post("/{deployment_id}/stop", dependencies=[TRADE], responses=PENDING)
async def stop_deployment(
    deployment_id: DeploymentId,
    caller: CurrentCaller,
    response: Response,
    deployments: Deployments,
    body: DeploymentStopIn | None = None,
) -> CommandOut:
    """End it for good; with `flatten` also close what it holds."""


@router.get("/{deployment_id}/events", dependencies=[READ])
async def list_deployment_events(
    deployment_id: DeploymentId,
    query: Annotated[StrategyEventQuery, Query()],
    read: Reader,
    tables: Tables,
) -> Page[StrategyEventOut]:
    """What a person reads about it, newest first."""


@router.get("/{deployment_id}/performance", dependencies=[READ])
async def get_deployment_performance(deployment_id: DeploymentId, read: Reader) -> PerformanceOut:
    """Figures over its closed trades, and the curve."""
