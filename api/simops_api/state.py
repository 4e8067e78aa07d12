"""What lives as long as the process: the connection to the API server, the cache and the task that follows."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from simops_api.archive.history import History
from simops_api.archive.reader import Archive
from simops_api.archive.service import PastJobs
from simops_api.artifacts.service import Artifacts
from simops_api.auth.access import Access
from simops_api.auth.gate import Limits
from simops_api.auth.modes import access_for
from simops_api.cache import JobCache
from simops_api.cluster import Cluster, KubeDict
from simops_api.jobs.creating import Creating
from simops_api.jobs.ids import id_of
from simops_api.jobs.lookup import Lookup
from simops_api.jobs.service import Jobs
from simops_api.logs.pods import load_log_client
from simops_api.logs.service import Logs
from simops_api.records import Record, record_of
from simops_api.settings import Settings
from simops_api.sse import Streams
from simops_api.store import Store
from simops_io.kube import load_client

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """The running gateway."""

    settings: Settings
    access: Access
    cluster: Cluster
    store: Store
    cache: JobCache
    lookup: Lookup
    jobs: Jobs
    following: asyncio.Task[None]
    artifacts: Artifacts
    past: PastJobs
    limits: Limits
    streams: Streams
    logs: Logs
    creating: Creating


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[State]:
    """Connect and follow; at the end stop and give the connections back."""
    api = await load_client(settings.max_connections + len(settings.namespaces), settings.kubeconfig)
    cluster = Cluster(api, settings.request_seconds)

    def record(obj: KubeDict) -> Record:
        meta = obj["metadata"]
        return record_of(obj, id_of(meta["namespace"], meta["name"], settings.default_namespace))

    cache = JobCache(
        cluster,
        settings.namespaces,
        record,
        page=settings.list_page,
        watch_seconds=settings.watch_seconds,
        longest_pause=settings.retry_seconds,
    )
    following = asyncio.create_task(cache.run(), name="watch cache")
    following.add_done_callback(_tell)
    access = access_for(settings, cluster)
    store = Store(settings)
    archive = Archive(store, settings.default_namespace)
    lookup = Lookup(settings, access, cache, archive)
    jobs = Jobs(settings, access, cluster, cache, lookup)
    streams = Streams(settings.max_streams, settings.heartbeat_seconds)
    # Beside its own, each who reads may use the connection of a feed.
    log_api = await load_log_client(2 * settings.max_streams, settings.kubeconfig)
    try:
        yield State(
            settings,
            access,
            cluster,
            store,
            cache,
            lookup,
            jobs,
            following,
            Artifacts(settings, store),
            PastJobs(settings, access, cache, History(store, archive)),
            Limits(settings),
            streams,
            Logs(settings, lookup, store, log_api, streams),
            Creating(settings, access, cluster, cache),
        )
    finally:
        streams.close()
        store.close()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await log_api.close()  # type: ignore[no-untyped-call]
        await api.close()  # type: ignore[no-untyped-call]


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the watch cache has ended", exc_info=error)
