"""What lives as long as the process: the connection to the API server, the cache and the task that follows."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from simops_api.archive.history import History
from simops_api.archive.reader import JOBS, Archive
from simops_api.archive.service import Past
from simops_api.artifacts.service import Artifacts
from simops_api.auth.access import Access
from simops_api.auth.caller import Caller
from simops_api.auth.gate import Limits
from simops_api.auth.modes import access_for
from simops_api.auth.permit import Permit, check_seconds
from simops_api.cache import WatchCache
from simops_api.caches import Caches
from simops_api.cluster import Callers, Cluster, KubeDict, Objects
from simops_api.editor import Editor
from simops_api.events.feed import Feed
from simops_api.events.many import Many
from simops_api.events.service import Events
from simops_api.jobs.creating import Creating
from simops_api.jobs.ids import id_of
from simops_api.jobs.lookup import Found, Lookup
from simops_api.jobs.service import Jobs
from simops_api.logs.pods import load_log_client
from simops_api.logs.service import Logs
from simops_api.records import Record, record_of
from simops_api.settings import Settings
from simops_api.shares import Shares
from simops_api.sse import Streams
from simops_api.store import Store
from simops_api.sweeps.collected import Collected
from simops_api.sweeps.columnar import FILES as PARQUETS
from simops_api.sweeps.records import SWEEPS, sweep_record_of
from simops_api.sweeps.service import Sweeps
from simops_api.sweeps.shelf import Shelf
from simops_api.uploads.service import Uploads
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP, Kind
from simops_crds.names import SWEEP_ARCHIVE_PREFIX
from simops_io.kube import load_client

log = logging.getLogger(__name__)

DOWNLOADS = 256
"""Results that are sent at once. Of each about a megabyte is in memory, and a connection to the store is held."""


@dataclass(frozen=True)
class State:
    """The running gateway."""

    settings: Settings
    access: Access
    cluster: Cluster
    store: Store
    caches: Caches
    editor: Editor
    lookup: Lookup
    jobs: Jobs
    sweeps: Sweeps
    shelf: Shelf
    collected: Collected
    following: asyncio.Task[None]
    artifacts: Artifacts
    past: Past
    past_sweeps: Past
    limits: Limits
    streams: Streams
    downloads: Shares
    parquets: Shares
    logs: Logs
    events: Events
    many: Many
    creating: Creating
    uploads: Uploads

    def permit_for(self, job_id: str, again: Callable[[], Awaitable[Caller]]) -> Permit[Found]:
        """Return what says whether a stream about a job may go on."""
        seconds = check_seconds(self.settings.auth_cache_seconds)
        return Permit(again, lambda caller: self.lookup.find(caller, job_id), seconds)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[State]:
    """Connect and follow; at the end stop and give the connections back."""
    api = await load_client(settings.max_connections + 2 * len(settings.namespaces), settings.kubeconfig)
    cluster = Cluster(api, settings.request_seconds)

    feed = Feed()

    def cache(kind: Kind, record: Callable[[KubeDict, str], Record]) -> WatchCache:
        def named(obj: KubeDict) -> Record:
            meta = obj["metadata"]
            return record(obj, id_of(meta["namespace"], meta["name"], settings.default_namespace))

        return WatchCache(
            Objects(cluster, kind),
            settings.namespaces,
            named,
            page=settings.list_page,
            watch_seconds=settings.watch_seconds,
            longest_pause=settings.retry_seconds,
            listed=settle,
            changed=partial(feed.note, kind),
        )

    caches = Caches(cache(SIMULATION_JOB, record_of), cache(SIMULATION_SWEEP, sweep_record_of))
    following = asyncio.create_task(caches.run(), name="watch cache")
    following.add_done_callback(_tell)
    caller_api = await load_client(settings.max_connections, settings.kubeconfig, has_credentials=False)
    access = access_for(settings, cluster, Callers(caller_api, settings.request_seconds))
    store = Store(settings)
    archive = Archive(store, settings.default_namespace, JOBS)
    swept = Archive(store, settings.default_namespace, SWEEPS)
    shelf = Shelf(store)
    lookup = Lookup(settings, access, cluster, caches, archive, swept, shelf)
    artifacts = Artifacts(settings, store)
    editor = Editor(cluster, caches, settings.write_wait_seconds)
    jobs = Jobs(settings, access, caches, lookup, editor, shelf)
    uploads = Uploads(settings, access, store)
    streams = Streams(settings.max_streams, settings.heartbeat_seconds)
    # Beside its own, each who reads may use the connection of a feed.
    log_api = await load_log_client(2 * settings.max_streams, settings.kubeconfig)
    try:
        yield State(
            settings,
            access,
            cluster,
            store,
            caches,
            editor,
            lookup,
            jobs,
            Sweeps(settings, access, cluster, caches, lookup, editor, shelf, swept),
            shelf,
            Collected(shelf, store, artifacts.merger),
            following,
            artifacts,
            Past(settings, access, caches.jobs, History(store, archive)),
            Past(settings, access, caches.sweeps, History(store, swept, SWEEP_ARCHIVE_PREFIX), SIMULATION_SWEEP),
            Limits(settings),
            streams,
            Shares(DOWNLOADS, "downloads under way"),
            Shares(PARQUETS, "Parquet files under way"),
            Logs(settings, lookup, caches.jobs, store, log_api, streams, artifacts),
            Events(lookup, caches.jobs, streams),
            Many(settings, access, caches, feed, streams),
            Creating(settings, access, cluster, caches, editor, archive, uploads),
            uploads,
        )
    finally:
        streams.close()
        store.close()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await log_api.close()  # type: ignore[no-untyped-call]
        await caller_api.close()  # type: ignore[no-untyped-call]
        await api.close()  # type: ignore[no-untyped-call]


def settle() -> None:
    """Spare the garbage collector what is here now: to look at each of 100,000 jobs again takes it 0.1 s, in which nobody is answered."""
    gc.collect()
    gc.freeze()


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the watch cache has ended", exc_info=error)
