"""Is it alive, is it ready, is it well: for people, load balancers and Prometheus."""

from fastapi import APIRouter, Request, Response

from app.api.deps import PUBLIC, READ, Health, Metrics
from app.api.schemas.health import HealthOut, LivenessOut, PingOut, SystemOut

router = APIRouter(tags=["health"])


@router.get("/ping", dependencies=[PUBLIC])
async def ping() -> PingOut:
    """The process answers."""


@router.get("/health", dependencies=[PUBLIC], responses={503: {"model": HealthOut}})
async def get_health(request: Request, response: Response, health: Health) -> HealthOut:
    """Every component and a weighted score; 503 when unhealthy. Details need a sign-in."""


@router.get("/health/live", dependencies=[PUBLIC])
async def get_liveness() -> LivenessOut:
    """The event loop turns; restart the process when this fails."""


@router.get("/health/ready", dependencies=[PUBLIC], responses={503: {"model": LivenessOut}})
async def get_readiness(response: Response, health: Health) -> LivenessOut:
    """The database answers: send traffic here."""


@router.get("/system", dependencies=[READ])
async def get_system(health: Health) -> SystemOut:
    """CPU, memory, disk, and this process."""


@router.get(
    "/metrics",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_prometheus_metrics(metrics: Metrics) -> Response:
    """Prometheus text format."""
