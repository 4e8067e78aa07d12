"""Compare the cache of sweeps with a LIST, as ``resync.py`` does for jobs; also the TTL of finished sweeps and the expiry of their results."""

import logging
from functools import partial

from simops_crds.names import LABEL_SWEEP, LABEL_UID, SWEEP_EXPIRY_PREFIX, SWEEP_OWNED_PREFIX, sweep_prefix
from simops_io.untrusted import parse
from simops_operator import due, metrics
from simops_operator.cache import Key
from simops_operator.clock import CLOCK
from simops_operator.cluster import Cluster, KubeDict
from simops_operator.core.config import JobConfig
from simops_operator.core.sweeps.plan import expiry_of
from simops_operator.core.sweeps.sweep import Sweep, sweep_of
from simops_operator.core.sweeps.views import PackPod, RoundJob, pack_pod, round_job
from simops_operator.core.views import parse_time
from simops_operator.store import Store
from simops_operator.sweeps.cache import SweepCache
from simops_operator.sweeps.uploads import remove_old
from simops_operator.tolerant import view_or_none
from simops_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)


def key_of(obj: KubeDict) -> Key | None:
    """Return the sweep that a Job or Pod belongs to, by its labels; None when it belongs to none."""
    meta = obj["metadata"]
    labels = meta.get("labels") or {}
    if not labels.get(LABEL_UID) or not labels.get(LABEL_SWEEP):
        return None
    return Key(meta["namespace"], labels[LABEL_SWEEP], labels[LABEL_UID])


class SweepResync:
    """One pass over everything that belongs to sweeps."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        cache: SweepCache,
        queue: WorkQueue[Key],
        config: JobConfig,
        interval: float,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._cache = cache
        self._queue = queue
        self._config = config
        self._interval = interval

    async def sweeps(self, namespace: str) -> set[str]:
        """LIST the sweeps of a namespace and take them in; return the UIDs of all that exist.

        Raises:
            ApiError: the API server does not answer.
        """
        known = {uid for uid, sweep in self._cache.sweeps.items() if sweep.namespace == namespace}
        alive: set[str] = set()
        async for obj in self._cluster.list_sweeps(namespace):
            alive.add(obj["metadata"]["uid"])
            if (sweep := view_or_none(sweep_of, obj)) is not None:
                await self._take(sweep)
        for uid in known - alive:
            self._cache.doubtful.add(uid)
        return alive

    async def _take(self, sweep: Sweep) -> None:
        if not sweep.is_settled:
            self._cache.put_sweep(sweep)
            return
        if sweep.uid in self._cache.sweeps:
            self._cache.put_sweep(sweep)
        elif sweep.uid not in self._cache.deleted:
            self._cache.finish(sweep.uid)  # events of its Jobs and Pods mean nothing
        ends = expiry_of(sweep, self._config)
        seconds = (ends - CLOCK.now()).total_seconds() if ends is not None else None
        if seconds is not None and seconds < self._interval:
            self._cache.revisits.add(sweep.uid)
            await self._queue.add_later(Key(sweep.namespace, sweep.name, sweep.uid), seconds)

    async def take_jobs(self, namespace: str, listed: list[tuple[Key, RoundJob]]) -> None:
        """Take a complete LIST of the Jobs of a namespace that belong to sweeps in."""
        known = {
            uid: list(self._cache.of(uid).jobs.values())
            for uid, sweep in self._cache.sweeps.items()
            if sweep.namespace == namespace
        }
        present: set[str] = set()
        for key, view in listed:
            present.add(view.job.uid)
            if key.uid in self._cache.sweeps:
                self._cache.put_job(key.uid, view)
            elif not view.job.finished and not view.job.deleting:
                self._cache.revisits.add(key.uid)
                self._cache.of(key.uid).jobs[view.number] = view
                await self._queue.add(key)  # its sweep is finished or gone: to be cleaned up
        for uid, jobs in known.items():
            for job in jobs:
                if job.job.uid not in present:
                    self._cache.drop_job(uid, job)

    async def take_pods(self, namespace: str, listed: list[tuple[Key, PackPod]], known: dict[str, list[str]]) -> None:
        """Take a complete LIST of the Pods of a namespace in, and let every unfinished sweep be looked at.

        Args:
            namespace: which namespace.
            listed: its Pods that belong to sweeps.
            known: UID → names of the Pods that were known before the LIST.
        """
        by_uid: dict[str, list[PackPod]] = {}
        for key, pod in listed:
            by_uid.setdefault(key.uid, []).append(pod)
        for uid in known.keys() | by_uid.keys():
            if uid in self._cache.sweeps or uid in self._cache.deleted:
                self._cache.replace_pods(uid, by_uid.get(uid, []), known.get(uid, []))
        for sweep in [*self._cache.sweeps.values(), *self._cache.deleted.values()]:
            if sweep.namespace == namespace:
                await self._queue.add(Key(namespace, sweep.name, sweep.uid))
        metrics.SWEEPS.set(len(self._cache.sweeps))

    def known_pods(self, namespace: str) -> dict[str, list[str]]:
        """Return UID → names of the Pods of a namespace's sweeps."""
        every = [*self._cache.sweeps.items(), *self._cache.deleted.items()]
        return {uid: list(self._cache.of(uid).pods) for uid, sweep in every if sweep.namespace == namespace}

    @staticmethod
    def job_of(obj: KubeDict) -> tuple[Key, RoundJob] | None:
        """Return the Job of a round; None when it is none."""
        key = key_of(obj)
        return (key, round_job(obj)) if key is not None else None

    @staticmethod
    def pod_of(obj: KubeDict) -> tuple[Key, PackPod] | None:
        """Return a Pod of a sweep; None when it is none."""
        key = key_of(obj)
        return (key, pack_pod(obj)) if key is not None else None

    # The store
    async def remove_uploads(self, namespaces: tuple[str, ...]) -> None:
        """Remove lists of points that were uploaded long ago and that no sweep waits for.

        Raises:
            StoreError: the store does not answer.
        """
        specs = [sweep.spec for sweep in self._cache.sweeps.values() if sweep.spec is not None]
        wanted = {spec.space.points_from.digest for spec in specs if spec.space.points_from is not None}
        for namespace in namespaces:
            await remove_old(self._store, namespace, wanted, CLOCK.now())

    async def expire(self) -> None:
        """Remove results whose time has come; the record stays and says so.

        Raises:
            StoreError: the store does not answer.
        """
        await due.expire(self._store, SWEEP_EXPIRY_PREFIX, "results", self._expire_one)

    async def _expire_one(self, mark: due.Mark) -> None:
        if mark.uid in self._cache.sweeps:
            return  # it runs again
        prefix = sweep_prefix(mark.namespace, mark.name, mark.uid)
        record_key = f"{prefix}/record.json"
        text = await self._store.get_text(record_key)
        try:
            record = dict(parse(text)) if text is not None else {}
        except (ValueError, TypeError):
            log.warning("%s in the store is no record; it stays as it is", record_key)
            record = {}
        later = parse_time((record.get("artifacts") or {}).get("expirationTime"))
        if (
            later is None or later.timestamp() <= mark.due + 1
        ):  # else points were run again since, and it has another mark
            if record:
                await self._store.put_json(record_key, record | {"artifactsExpired": True})
            await self._store.delete_prefix(prefix, keep=record_key)
            log.info("%s/%s: its results have expired and were removed", mark.namespace, mark.name)
        await self._store.delete(mark.key)

    async def remove_orphans(self, namespaces: tuple[str, ...], alive: set[str]) -> None:
        """Remove results that were to go with their sweep and whose sweep is gone.

        Raises:
            ApiError, StoreError: something does not answer.
        """
        there = partial(self._is_there, alive)
        await due.remove_orphans(self._store, SWEEP_OWNED_PREFIX, "results", namespaces, sweep_prefix, there)

    async def _is_there(self, alive: set[str], namespace: str, name: str, uid: str) -> bool:
        if uid in alive or uid in self._cache.sweeps or uid in self._cache.deleted:
            return True
        obj = await self._cluster.get_sweep(namespace, name)  # it may have been made after the LIST
        return obj is not None and bool(obj["metadata"]["uid"] == uid)
