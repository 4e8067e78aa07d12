"""What Prometheus reads: the counters as they are, and what the cache knows, at that moment."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from simops_api import metrics
from simops_api.deps import Gateway
from simops_api.state import State
from simops_crds.names import Phase

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def page(request: Request, gateway: Gateway) -> Response:
    """Return all metrics as text."""
    del request
    return Response(scrape(gateway), headers={"Content-Type": CONTENT_TYPE_LATEST})


def scrape(state: State) -> bytes:
    """Return all metrics as text."""
    found = state.caches.jobs.index.stats([phase.value for phase in Phase])
    for phase, count in found.phases.items():
        metrics.JOBS.labels(phase=phase).set(count)
    for kind, cache in {"SimulationJob": state.caches.jobs, "SimulationSweep": state.caches.sweeps}.items():
        metrics.CACHE_OBJECTS.labels(kind=kind).set(len(cache.index))
        metrics.CACHE_AGE.labels(kind=kind).set(cache.age if cache.synced else -1)
        metrics.CACHE_SYNCED.labels(kind=kind).set(cache.synced)
        metrics.CACHE_RELISTS.labels(kind=kind).set(cache.relists)
    return generate_latest()
