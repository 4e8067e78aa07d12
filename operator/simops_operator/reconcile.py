"""observe → decide → apply, for one run at a time. The only writer of status.

Every trigger leads here and every step can be repeated, so that the process may die anywhere: nothing is remembered that could not be found
again in the API server or in the store.
"""

import logging
import time
from dataclasses import dataclass, field

from simops_crds.names import (
    CONTAINER_SIMULATION,
    EXPIRY_PREFIX,
    FINAL_PHASES,
    OWNED_PREFIX,
    Phase,
    archive_key,
    key_prefix,
    reusable_job_key,
)
from simops_io import logs
from simops_operator import metrics
from simops_operator.cache import Cache, Key
from simops_operator.clock import CLOCK
from simops_operator.cluster import ApiError, Cluster, KubeDict, event_of
from simops_operator.core import actions, plan
from simops_operator.core.config import JobConfig
from simops_operator.core.events import event_for
from simops_operator.core.pods import Manifest
from simops_operator.core.record import record_of
from simops_operator.core.reuse import family_of, key_of
from simops_operator.core.run import Run, run_of
from simops_operator.core.status import Status, format_time
from simops_operator.core.views import JobView, Summary, job_view, parse_time, pod_view, summary_in
from simops_operator.pace import PATIENCE_SECONDS, Pace
from simops_operator.store import Store, StoreError
from simops_operator.traces import Traces
from simops_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)

_STORING = (actions.ApplyJob, actions.ArchiveLog, actions.FetchSummary, actions.WriteRecord)
_MAX_STEPS = 12
_RETRY_LIMIT_SECONDS = 86_400.0
_REMEMBER_SECONDS = 900.0
PASSING_REFUSALS = ("quota", "is forbidden: User", "is being terminated")


@dataclass
class _Memory:
    """What was learned of one run beyond the caches. Losing it costs time, never correctness."""

    logs: dict[str, bool] = field(default_factory=dict)
    summaries: dict[str, Summary | None] = field(default_factory=dict)
    rejected: str = ""
    store_error: str = ""
    recorded: Status | None = None
    """The final status that this process has written into the record."""
    listed_for: JobView | None = None
    """The Job as it was when all Pods were listed for it in this pass."""

    def facts(self) -> plan.Facts:
        return plan.Facts(dict(self.logs), dict(self.summaries), self.rejected, self.store_error)


class Reconciler:
    """Brings runs forward."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        cache: Cache,
        queue: WorkQueue[Key],
        config: JobConfig,
        log_limit: int,
        traces: Traces | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._cache = cache
        self._queue = queue
        self._config = config
        self._log_limit = log_limit
        self._traces = traces or Traces()
        self._pace = pace or Pace(0, time.monotonic)
        self._memories: dict[str, _Memory] = {}
        self._bucket_ready = False

    async def reconcile(self, key: Key) -> None:
        """Do what is to be done for a run now.

        Raises:
            ApiError, StoreError: something did not answer; to be tried again later.
        """
        begin = time.perf_counter()
        result = "error"
        # Not taken back: what the worker says of a failure of this reconcile is about the same run.
        logs.about.set({"namespace": key.namespace, "name": key.name, "uid": key.uid})
        try:
            with self._traces.reconcile():
                await self._reconcile(key)
            result = "ok"
        except _NotItsTurnError:
            # Whoever gives a place up wakes the next one; this is for places that nobody gives up.
            await self._queue.add_later(key, PATIENCE_SECONDS)
            result = "ok"
        finally:
            metrics.RECONCILE_SECONDS.labels(result=result).observe(time.perf_counter() - begin)

    async def _reconcile(self, key: Key) -> None:
        if self._cache.is_nothing(key):
            return
        self._cache.revisits.discard(key.uid)
        memory = self._memories.setdefault(key.uid, _Memory())
        memory.store_error, memory.listed_for = "", None
        # What the store did not have, or had in part, may be there now.
        memory.summaries = {pod: s for pod, s in memory.summaries.items() if s is not None and not s.partial}
        run = await self._observe(key)
        if run is None:
            await self._settle_deleted(key, memory)
            return
        for _ in range(_MAX_STEPS):
            # Before each step: events come in while a step waits for an answer.
            await self._look_at_pods(key, run, memory)
            decision = plan.decide(
                run,
                self._cache.jobs.get(key.uid),
                self._cache.pods_of(key.uid),
                memory.facts(),
                self._config,
                CLOCK.now(),
            )
            try:
                await self._apply(run, decision.actions, memory)
            except StoreError as error:
                await self._show_store_error(run, memory, error)
                raise
            except _JobRejectedError as error:
                memory.rejected = str(error)
                continue
            if decision.status is not None:
                run = await self._write_status(run, decision.status)
                continue
            if any(isinstance(a, actions.ArchiveLog | actions.FetchSummary) for a in decision.actions):
                continue
            # What is due later than this is found by the comparison with the LIST: memory must not follow history.
            if decision.recheck is not None and (not run.finished or decision.recheck < _REMEMBER_SECONDS):
                await self._queue.add_later(key, min(decision.recheck, _RETRY_LIMIT_SECONDS))
                if run.finished:
                    self._cache.revisits.add(key.uid)
            break
        else:
            raise RuntimeError(f"{_MAX_STEPS} steps led to nothing that lasts")
        if run.finished:
            if memory.recorded is not None and memory.recorded != run.status:
                # Its end was told already: by a call whose answer was lost, or by another replica. The record says what the status says.
                await self._write_record(run, dict(run.status), memory)
            await self._forget(key)

    async def _forget(self, key: Key) -> None:
        self._cache.finish(key.uid)
        self._memories.pop(key.uid, None)
        await self._give_place(key)

    async def _give_place(self, key: Key) -> None:
        """Let the next run's Job be made: this one's has its Pod, or needs none."""
        self._pace.leave(key)
        await self._wake_called()

    async def _wake_called(self) -> None:
        for called in self._pace.called():
            await self._queue.add(called)

    # Observing
    async def _observe(self, key: Key) -> Run | None:
        """Return the run, its Job and Pods in the cache as fresh as the next decision needs them; None when it is deleted."""
        run = self._cache.runs.get(key.uid)
        if key.uid in self._cache.deleted:
            return None
        if run is None or key.uid in self._cache.doubtful:
            obj = await self._cluster.get_run(key.namespace, key.name)
            if obj is None or obj["metadata"]["uid"] != key.uid:
                self._cache.mark_deleted(key.uid)
                return None
            self._cache.doubtful.discard(key.uid)
            run = run_of(obj)
            self._cache.put_run(run)
        job_name = run.status.get("jobName")
        if job_name and key.uid not in self._cache.jobs:
            job = await self._cluster.get_job(key.namespace, job_name)
            if job is not None:
                self._cache.put_job(key.uid, job_view(job))
        if self._cache.pods_of(key.uid):
            await self._give_place(key)
        return run

    async def _look_at_pods(self, key: Key, run: Run, memory: _Memory) -> None:
        """List the Pods, once for a Job that tells of an end which those in the cache do not show (yet): the watch lags or they are gone."""
        job, pods = self._cache.jobs.get(key.uid), self._cache.pods_of(key.uid)
        if job is None or not job.finished or run.finished or plan.shows_the_end(job, pods) or memory.listed_for == job:
            return
        listed = [pod_view(p) async for p in self._cluster.list_pods(key.namespace, key.uid)]
        self._cache.replace_pods(key.uid, listed, [p.name for p in pods])
        memory.listed_for = job

    # Applying
    async def _apply(self, run: Run, steps: tuple[actions.Action, ...], memory: _Memory) -> None:
        try:
            for action in steps:
                with self._traces.change(run, type(action).__name__):
                    await self._apply_one(run, action, memory)
        except StoreError:
            self._bucket_ready = False  # it may be gone
            raise

    async def _apply_one(self, run: Run, action: actions.Action, memory: _Memory) -> None:
        if isinstance(action, _STORING):
            await self._ensure_bucket()
        match action:
            case actions.ApplyJob(manifest):
                await self._apply_job(run, manifest)
            case actions.SuspendJob(job, suspend):
                await self._patch_job(run, job, {"suspend": suspend})
            case actions.ForbidRetries(job):
                await self._patch_job(run, job, {"backoffLimit": 0})
            case actions.DeleteJob(job):
                await self._cluster.delete_job(run.namespace, job)
            case actions.StopPod(pod, grace_seconds):
                await self._cluster.stop_pod(run.namespace, pod, grace_seconds)
            case actions.ArchiveLog(pod):
                memory.logs[pod] = await self._archive_log(run, pod)
            case actions.FetchSummary(pod):
                left = await self._store.get_head(f"{_prefix(run)}/{pod}.json")
                memory.summaries[pod] = summary_in(left) if left else None
            case actions.WriteRecord(status):
                await self._write_record(run, status, memory)
            case actions.DeleteRun():
                await self._cluster.delete_run(run.namespace, run.name, run.uid)

    async def _patch_job(self, run: Run, job: str, spec: KubeDict) -> None:
        self._cache.put_job(run.uid, job_view(await self._cluster.patch_job_spec(run.namespace, job, spec)))

    async def _ensure_bucket(self) -> None:
        if not self._bucket_ready:
            await self._store.ensure_bucket()
            self._bucket_ready = True

    async def _apply_job(self, run: Run, manifest: Manifest) -> None:
        makes_pods = run.uid not in self._cache.jobs and not manifest["spec"].get("suspend")
        may_go = not makes_pods or self._pace.enter(Key(run.namespace, run.name, run.uid))
        await self._wake_called()
        if not may_go:
            raise _NotItsTurnError
        if run.spec is not None and run.spec.artifacts.delete_with_job:
            await self._store.put_json(f"{OWNED_PREFIX}/{run.namespace}/{run.name}/{run.uid}", {})
        try:
            job = await self._cluster.apply_job(manifest)
        except ApiError as error:
            if error.status in (400, 403, 422) and not any(words in error.message for words in PASSING_REFUSALS):
                raise _JobRejectedError(error.message) from error
            raise
        self._cache.put_job(run.uid, job_view(job))

    async def _archive_log(self, run: Run, pod: str) -> bool:
        """Put a log into the store unless it is there; return whether it is there now."""
        key = f"{_prefix(run)}/{pod}.log"
        if await self._store.exists(key):
            return True
        try:
            await self._store.put_stream(
                key, self._cluster.stream_log(run.namespace, pod, CONTAINER_SIMULATION), self._log_limit
            )
        except ApiError as error:
            if error.status in (400, 404):
                log.warning(
                    "%s/%s: the log of %s cannot be read any more: %s", run.namespace, run.name, pod, error.message
                )
                return False
            raise
        return True

    async def _write_record(self, run: Run, status: Status, memory: _Memory) -> None:
        # The record first: the archive must never list what is not there. All of this is before the final status (or before the run is
        # forgotten), so a crash in between writes all of it again, under the same keys.
        await self._store.put_json(f"{_prefix(run)}/record.json", record_of(run, self._cache.pods_of(run.uid), status))
        if run.spec is None or not run.spec.artifacts.delete_with_job:  # else the record goes when the object goes
            await self._store.put_json(archive_key(run.namespace, int(run.created.timestamp()), run.name, run.uid), {})
        if (key := _reusable(run, status)) is not None:
            await self._store.put_json(key, {})
        expires = parse_time((status.get("artifacts") or {}).get("expirationTime"))
        if expires is not None:
            await self._store.put_json(
                f"{EXPIRY_PREFIX}/{int(expires.timestamp()):012d}/{run.namespace}/{run.name}/{run.uid}", {}
            )
        memory.recorded = status

    async def _write_status(self, run: Run, status: Status) -> Run:
        try:
            with self._traces.change(run, "WriteStatus", **{"simops.job.new_phase": status["phase"]}):
                obj = await self._cluster.write_status(run.namespace, run.name, run.version, run.uid, status)
        except Exception:
            self._cache.doubtful.add(run.uid)  # it may have been written all the same
            raise
        after = run_of(obj)
        self._cache.put_run(after)
        self._count(run, after)
        event = event_for(run.status, status)
        if event is not None:
            await self._post_event(run, after, event)
        return after

    async def _post_event(self, run: Run, after: Run, event: tuple[str, str, str]) -> None:
        kind, reason, message = event
        body = event_of(
            run.name,
            run.namespace,
            run.uid,
            kind,
            reason,
            message,
            key=f"{after.version:x}",
            now=format_time(CLOCK.now()),
        )
        try:
            await self._cluster.post_event(run.namespace, body)
        except ApiError as error:
            # The status says the same; an Event is worth one try.
            log.warning("%s/%s: Event %s was not posted: %s", run.namespace, run.name, reason, error)

    def _count(self, before: Run, after: Run) -> None:
        started = parse_time(after.status.get("startTime"))
        if started is not None and not before.status.get("startTime"):
            metrics.START_SECONDS.observe((started - after.created).total_seconds())
        if after.finished and not before.finished:
            self._traces.finished(after, self._cache.pods_of(after.uid))
        if after.finished:
            metrics.FINISHED.labels(phase=after.status["phase"], reason=after.status["reason"]).inc()
            metrics.BUNDLE_BYTES.inc((after.status.get("artifacts") or {}).get("size") or 0)

    async def _show_store_error(self, run: Run, memory: _Memory, error: StoreError) -> None:
        """Tell the person that the run waits for the store."""
        memory.store_error = str(error)
        decision = plan.decide(
            run, self._cache.jobs.get(run.uid), self._cache.pods_of(run.uid), memory.facts(), self._config, CLOCK.now()
        )
        if decision.status is not None and decision.status["phase"] not in FINAL_PHASES:
            await self._write_status(run, decision.status)

    # Deleted while unfinished
    async def _settle_deleted(self, key: Key, memory: _Memory) -> None:
        run = self._cache.deleted.get(key.uid)
        if run is None:  # never seen by this process; Kubernetes cleans up and the bundle is kept by the Pod itself
            # Not called finished: that there is no such run is said by labels, and the UID may be that of a run elsewhere.
            self._memories.pop(key.uid, None)
            self._cache.drop(key.uid)
            return
        for _ in range(_MAX_STEPS):
            decision = plan.decide_deleted(run, self._cache.pods_of(key.uid), memory.facts(), CLOCK.now())
            if decision is None:
                break
            await self._apply(run, decision.actions, memory)
            if any(isinstance(a, actions.WriteRecord) for a in decision.actions):
                break
            if not any(isinstance(a, actions.ArchiveLog | actions.FetchSummary) for a in decision.actions):
                if decision.recheck is not None:
                    await self._queue.add_later(key, decision.recheck)
                return  # Pods are still ending; their events come
        await self._forget(key)


class _JobRejectedError(Exception):
    """The API server refused the Job for good."""


class _NotItsTurnError(Exception):
    """As many Jobs as may are waiting for their Pods already."""


def _reusable(run: Run, status: Status) -> str | None:
    """Return the key by which a sweep finds the result of this run, if it may: it succeeded, and its results stay."""
    spec = run.spec
    family = family_of(spec) if spec is not None and spec.artifacts.stay else None
    if family is None or status["phase"] != Phase.SUCCEEDED:
        return None
    return reusable_job_key(run.namespace, family, key_of(run.raw_spec.get("params") or {}), run.name, run.uid)


def _prefix(run: Run) -> str:
    return key_prefix(run.namespace, run.name, run.uid)
