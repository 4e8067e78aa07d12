"""Compare the caches with a LIST: at the start, and from time to time in case a watch has lost something.

It also drives what no event announces: the TTL of finished objects and the expiry of artifacts.
"""

import logging
import time
from functools import partial

from simops_crds.names import EXPIRY_PREFIX, LABEL_JOB, LABEL_UID, OWNED_PREFIX, key_prefix
from simops_io.untrusted import parse
from simops_operator import due, metrics
from simops_operator.cache import Cache, Key
from simops_operator.clock import CLOCK
from simops_operator.cluster import Cluster, KubeDict
from simops_operator.core.config import JobConfig
from simops_operator.core.plan import expiry_of
from simops_operator.core.run import Run, run_of
from simops_operator.core.sweeps.views import RoundJob
from simops_operator.core.views import PodView, job_view, pod_view
from simops_operator.store import Store, StoreError
from simops_operator.sweeps.resync import SweepResync
from simops_operator.tolerant import view_or_none
from simops_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)


def key_of(obj: KubeDict) -> Key | None:
    """Return the run that a Job or Pod belongs to, by its labels; None when it is not one of ours."""
    meta = obj["metadata"]
    labels = meta.get("labels") or {}
    if not labels.get(LABEL_UID) or not labels.get(LABEL_JOB):  # an empty name would be that of all of them
        return None
    return Key(meta["namespace"], labels[LABEL_JOB], labels[LABEL_UID])


class Resync:
    """One pass over everything."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        cache: Cache,
        queue: WorkQueue[Key],
        config: JobConfig,
        interval: float,
        sweeps: SweepResync,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._cache = cache
        self._queue = queue
        self._config = config
        self._interval = interval
        self._sweeps = sweeps

    async def run(self, namespaces: tuple[str, ...]) -> None:
        """LIST jobs, sweeps, Kubernetes Jobs and Pods, take them in, and let everything unfinished be looked at.

        Raises:
            ApiError: the API server does not answer.
        """
        begin = time.perf_counter()
        alive: set[str] = set()
        for namespace in namespaces:
            alive |= await self._namespace(namespace)
        metrics.observe_runs(self._cache.runs.values())
        log.info(
            "compared %d unfinished runs with the API server in %.2f s",
            len(self._cache.runs),
            time.perf_counter() - begin,
        )
        try:
            await due.expire(self._store, EXPIRY_PREFIX, "artifacts", self._expire_one)
            await self._sweeps.expire()
            await self._remove_orphans(namespaces, alive)
            await self._sweeps.remove_orphans(namespaces, alive)
            await self._sweeps.remove_uploads(namespaces)
        except StoreError as error:
            log.warning("artifacts that are due were not removed, next try in %.0f s: %s", self._interval, error)

    async def _namespace(self, namespace: str) -> set[str]:
        """Return the UIDs of all runs that exist."""
        known_runs = {uid for uid, run in self._cache.runs.items() if run.namespace == namespace}
        alive: set[str] = set()
        async for obj in self._cluster.list_runs(namespace):
            alive.add(obj["metadata"]["uid"])
            if (run := view_or_none(run_of, obj)) is not None:
                await self._take_run(run)
        for uid in known_runs - alive:
            self._cache.doubtful.add(uid)
        alive |= await self._sweeps.sweeps(namespace)
        await self._jobs(namespace)
        await self._pods(namespace)
        for run in [r for r in self._cache.runs.values() if r.namespace == namespace]:
            await self._queue.add(Key(namespace, run.name, run.uid))
        return alive

    async def _take_run(self, run: Run) -> None:
        if not run.finished:
            # The page may be older than what we have finished since.
            if not self._cache.is_finished(run.uid):
                self._cache.put_run(run)
            return
        if run.uid in self._cache.runs:
            self._cache.put_run(run)
        if run.uid not in self._cache.runs and run.uid not in self._cache.deleted:
            self._cache.finish(run.uid)  # events of its Job and Pods mean nothing
        ends = expiry_of(run, self._config)
        seconds = (ends - CLOCK.now()).total_seconds() if ends is not None else None
        if seconds is not None and seconds < self._interval:
            self._cache.revisits.add(run.uid)
            await self._queue.add_later(Key(run.namespace, run.name, run.uid), seconds)

    async def _jobs(self, namespace: str) -> None:
        known = {
            uid: job
            for uid, job in self._cache.jobs.items()
            if uid in self._cache.runs and self._cache.runs[uid].namespace == namespace
        }
        present: set[str] = set()
        of_sweeps: list[tuple[Key, RoundJob]] = []
        async for obj in self._cluster.list_jobs(namespace):
            key, view = key_of(obj), view_or_none(job_view, obj)
            if view is None:
                continue
            if key is None:
                if (of_round := view_or_none(self._sweeps.job_of, obj)) is not None:
                    of_sweeps.append(of_round)
                continue
            present.add(view.uid)
            if key.uid in self._cache.runs:
                self._cache.put_job(key.uid, view)
            elif not view.finished and not view.deleting:
                self._cache.revisits.add(key.uid)
                await self._queue.add(key)  # its run is finished or gone: to be cleaned up
        for uid, job in known.items():
            if job.uid not in present:
                self._cache.drop_job(uid, job.uid)
        await self._sweeps.take_jobs(namespace, of_sweeps)

    async def _pods(self, namespace: str) -> None:
        known = {
            uid: [p.name for p in self._cache.pods_of(uid)]
            for uid, run in [*self._cache.runs.items(), *self._cache.deleted.items()]
            if run.namespace == namespace
        }
        present: dict[str, list[PodView]] = {}
        known_packs, packs = self._sweeps.known_pods(namespace), []
        async for obj in self._cluster.list_pods(namespace):
            key = key_of(obj)
            if (pack := view_or_none(self._sweeps.pod_of, obj)) is not None:
                packs.append(pack)
            elif (
                key is not None
                and (key.uid in self._cache.runs or key.uid in self._cache.deleted)
                and (pod := view_or_none(pod_view, obj)) is not None
            ):
                present.setdefault(key.uid, []).append(pod)
        for uid in known.keys() | present.keys():
            if not self._cache.is_finished(uid):
                self._cache.replace_pods(uid, present.get(uid, []), known.get(uid, []))
        for uid, run in list(self._cache.deleted.items()):
            await self._queue.add(Key(run.namespace, run.name, uid))
        await self._sweeps.take_pods(namespace, packs, known_packs)

    async def _expire_one(self, mark: due.Mark) -> None:
        """Remove artifacts whose time has come; the record stays and says so."""
        prefix = key_prefix(mark.namespace, mark.name, mark.uid)
        record_key = f"{prefix}/record.json"
        text = await self._store.get_text(record_key)
        if text is not None:
            try:
                record = dict(parse(text))
            except (ValueError, TypeError):
                log.warning("%s in the store is no record; it stays as it is", record_key)
            else:
                await self._store.put_json(record_key, record | {"artifactsExpired": True})
        await self._store.delete_prefix(prefix, keep=record_key)
        await self._store.delete(mark.key)
        log.info("%s/%s: its artifacts have expired and were removed", mark.namespace, mark.name)

    async def _remove_orphans(self, namespaces: tuple[str, ...], alive: set[str]) -> None:
        there = partial(self._is_there, alive)
        await due.remove_orphans(self._store, OWNED_PREFIX, "artifacts", namespaces, key_prefix, there)

    async def _is_there(self, alive: set[str], namespace: str, name: str, uid: str) -> bool:
        if uid in alive or uid in self._cache.runs or uid in self._cache.deleted:
            return True
        obj = await self._cluster.get_run(namespace, name)  # it may have been made after the LIST
        return obj is not None and bool(obj["metadata"]["uid"] == uid)
