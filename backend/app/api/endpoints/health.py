"""Is it alive, is it ready, is it well: for people, load balancers and Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.deps import PUBLIC, READ, Health, Metrics, parts_of
from app.api.facts import everything
from app.api.openapi import VERSION
from app.api.schemas.health import HealthOut, HealthStatus, LivenessOut, PingOut, SystemOut
from app.core.clock import now
from app.monitoring import resources

router = APIRouter(tags=["health"])


@router.get("/ping", dependencies=[PUBLIC])
async def ping() -> PingOut:
    """The process answers."""
    return PingOut(status="ok", at=now())


@router.get("/health", dependencies=[PUBLIC], responses={503: {"model": HealthOut}})
async def get_health(request: Request, response: Response, health: Health) -> HealthOut:
    """Every component and a weighted score; 503 when unhealthy. Details need a sign-in."""
    found = HealthOut.model_validate(await health.get_system_health())
    if found.status is HealthStatus.UNHEALTHY:
        response.status_code = 503
    if request.state.caller is None:
        hidden = {"detail": None, "latency_ms": None}
        found.components = {
            name: one.model_copy(update=hidden) for name, one in found.components.items()
        }
    return found


@router.get("/health/live", dependencies=[PUBLIC])
async def get_liveness() -> LivenessOut:
    """The event loop turns; restart the process when this fails."""
    return LivenessOut(status="ok")


@router.get("/health/ready", dependencies=[PUBLIC], responses={503: {"model": LivenessOut}})
async def get_readiness(response: Response, health: Health) -> LivenessOut:
    """The database answers: send traffic here."""
    why_not = await health.is_ready()
    if why_not is None:
        return LivenessOut(status="ok")
    response.status_code = 503
    return LivenessOut(status="unavailable", detail=why_not)


@router.get("/system", dependencies=[READ])
async def get_system(request: Request) -> SystemOut:
    """CPU, memory, disk, and this process."""
    parts = parts_of(request)
    return SystemOut.model_validate(
        {
            "cpu": resources.cpu(),
            "memory": resources.memory(),
            "disk": resources.disk(parts.settings.home),
            "process": resources.process(parts.clock),
            "version": VERSION,
            "at": parts.clock.now(),
        }
    )


@router.get(
    "/metrics",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_prometheus_metrics(request: Request, metrics: Metrics) -> Response:
    """Prometheus text format."""
    body = metrics.exposition(*await everything(parts_of(request)))
    return Response(body, media_type=CONTENT_TYPE_LATEST)
