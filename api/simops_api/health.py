"""Whether the process should be restarted (live), be sent requests (ready), and how it is (health)."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from simops_api.deps import Gateway
from simops_api.errors import RESPONSES, ProblemError, unavailable

router = APIRouter(tags=["health"], responses=RESPONSES)


class Health(BaseModel):
    """How the gateway is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: str = "ok"


class CacheHealth(Health):
    """How the gateway and its cache are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ok", "synced": True, "age_seconds": 0.4, "relists": 1}]}
    )

    synced: bool
    """Whether all jobs and sweeps have been read once."""
    age_seconds: float | None = None
    """Seconds since the API server was last heard of."""
    relists: int
    """How often all jobs were read anew."""


@router.get("/live")
async def live(gateway: Gateway) -> Health:
    """Whether the process works; nothing outside of it is asked."""
    if gateway.following.done():
        raise ProblemError(503, "the watch of the API server has ended: the process must be restarted")
    return Health()


@router.get("/ready")
async def ready(gateway: Gateway) -> Health:
    """Whether all jobs have been read once. It stays so when the API server is gone for a while: reads go on from memory."""
    if not gateway.caches.synced:
        raise unavailable("not all jobs have been read yet", 1)
    return Health()


@router.get("/health")
async def health(gateway: Gateway) -> CacheHealth:
    """Say how the gateway is, for people. It needs no token, so it tells nothing of what there is."""
    caches = gateway.caches
    return CacheHealth(
        status="ok" if caches.synced else "starting",
        synced=caches.synced,
        age_seconds=round(caches.age, 1) if caches.synced else None,
        relists=caches.jobs.relists + caches.sweeps.relists,
    )
