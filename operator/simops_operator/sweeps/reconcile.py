"""observe → decide → apply, for one sweep at a time. The only writer of the status of sweeps.

Every step can be repeated, so that the process may die anywhere: what is remembered here is found again in the store and in the API server.
A sweep makes many events, so a pass must be cheap, and there are few: one a second at most for events of Pods, one status a second.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from simops_crds.indexes import Indexes
from simops_crds.names import FINAL_PHASES, SWEEP_OWNED_PREFIX, Reason, round_job_name
from simops_io import logs
from simops_operator import metrics
from simops_operator.cache import Key
from simops_operator.clock import CLOCK
from simops_operator.cluster import SWEEPS_PLURAL, ApiError, Cluster, event_of
from simops_operator.core.config import JobConfig
from simops_operator.core.events import event_for
from simops_operator.core.pods import Manifest
from simops_operator.core.status import Status, format_time
from simops_operator.core.sweeps import actions, plan
from simops_operator.core.sweeps.books import Books, Round
from simops_operator.core.sweeps.record import record_of
from simops_operator.core.sweeps.results import Gathered
from simops_operator.core.sweeps.situation import Situation
from simops_operator.core.sweeps.status import Told
from simops_operator.core.sweeps.sweep import Sweep, sweep_of
from simops_operator.core.sweeps.views import pack_pod, round_job
from simops_operator.pace import PATIENCE_SECONDS, Pace
from simops_operator.reconcile import PASSING_REFUSALS
from simops_operator.store import Store, StoreError
from simops_operator.sweeps.cache import SweepCache
from simops_operator.sweeps.collect import collect
from simops_operator.sweeps.earlier import Allowance, Earlier
from simops_operator.sweeps.history import write_record
from simops_operator.sweeps.memory import Memory
from simops_operator.sweeps.points import RefusedError, make_points
from simops_operator.sweeps.shelf import UNWRITTEN_SIZE, Shelf
from simops_operator.sweeps.together import InThread, Together, portions, together
from simops_operator.sweeps.uploads import with_points
from simops_operator.traces import Traces
from simops_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)

TABLE_SECONDS = 10.0
"""How often the table is written while a round runs; until then its lines are in memory."""
MAX_READ = 64 << 20
"""Bytes of what Pods have left that one pass reads when it looks for it in the store; then it is others' turn."""
_STATUS_SECONDS = 1.0
_STATUS_BYTES_A_SECOND = 50_000
"""Large statuses are written less often: etcd keeps every version of an object for a while."""
_MAX_STEPS = 40
_RETRY_LIMIT_SECONDS = 86_400.0
_REMEMBER_SECONDS = 900.0


class SweepReconciler:
    """Brings sweeps forward."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        cache: SweepCache,
        queue: WorkQueue[Key],
        config: JobConfig,
        max_points: int,
        traces: Traces | None = None,
        *,
        at_once: Together = together,
        in_thread: InThread = asyncio.to_thread,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._cache = cache
        self._queue = queue
        self._config = config
        self._max_points = max_points
        self._traces = traces or Traces()
        self._at_once = at_once
        self._in_thread = in_thread
        self._expanding = Pace(1, time.monotonic)
        self._looking = Pace(1, time.monotonic)
        self._memories: dict[str, Memory] = {}

    async def reconcile(self, key: Key) -> None:
        """Do what is to be done for a sweep now.

        Raises:
            ApiError, StoreError: something did not answer; to be tried again later.
        """
        begin = time.perf_counter()
        result, waits = "error", False
        # Not taken back: what the worker says of a failure of this reconcile is about the same sweep.
        logs.about.set({"namespace": key.namespace, "name": key.name, "uid": key.uid})
        try:
            with self._traces.reconcile():
                await self._reconcile(key)
            result = "ok"
        except _NotItsTurnError:
            # Whoever had the turn wakes the next one; this is for one that has died of it.
            await self._queue.add_later(key, PATIENCE_SECONDS)
            result, waits = "ok", True
        except _MoreToReadError:
            await self._queue.add(key)
            result = "ok"
        finally:
            if not waits:
                await self._need_no_turn(key)
            metrics.RECONCILE_SECONDS.labels(result=result).observe(time.perf_counter() - begin)

    async def _reconcile(self, key: Key) -> None:
        if self._cache.is_nothing(key):
            return
        self._cache.revisits.discard(key.uid)
        memory = self._memories.setdefault(key.uid, Memory())
        memory.store_error = ""
        sweep = await self._observe(key)
        if sweep is None:
            await self._settle_deleted(key, memory)
            return
        try:
            if not memory.loaded and not sweep.is_settled and (sweep.spec is not None or sweep.status):
                await self._load(sweep, memory)
            sweep = await self._steps(key, sweep, memory)
            await self._write_table(sweep, memory, key)
            if sweep.is_settled and memory.recorded is not None and memory.recorded.status != sweep.status:
                # Its end was told already: by a call whose answer was lost, or by another replica. The record says what the status says.
                await self._write_record(sweep, replace(memory.recorded, status=dict(sweep.status)), memory)
        except StoreError as error:
            memory.bucket_ready = False  # it may be gone
            await self._show_store_error(key, memory, error)
            raise
        if sweep.is_settled:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        self._cache.finish(key.uid)
        self._memories.pop(key.uid, None)

    async def _steps(self, key: Key, sweep: Sweep, memory: Memory) -> Sweep:
        """Decide and apply until nothing is left to do now; return the sweep as it is then."""
        for _ in range(_MAX_STEPS):
            decision = plan.decide(self._situation(sweep, memory))
            try:
                await self._apply(sweep, decision.actions, memory)
            except _JobRejectedError as error:
                memory.rejected = str(error)
                continue
            if any(isinstance(action, actions.TEACHING) for action in decision.actions):
                continue
            if decision.told is not None:
                wait = self._status_wait(memory)
                if wait > 0:
                    await self._queue.add_later(key, wait)
                    return sweep
                sweep = await self._write_status(sweep, decision.told, memory)
                continue
            # What is due later than this is found by the comparison with the LIST: memory must not follow history.
            if decision.recheck is not None and (not sweep.is_settled or decision.recheck < _REMEMBER_SECONDS):
                await self._queue.add_later(key, min(decision.recheck, _RETRY_LIMIT_SECONDS))
                if sweep.is_settled:
                    self._cache.revisits.add(key.uid)
            return sweep
        raise RuntimeError(f"{_MAX_STEPS} steps led to nothing that lasts")

    # Observing
    async def _observe(self, key: Key) -> Sweep | None:
        """Return the sweep as fresh as the next decision needs it; None when it is deleted."""
        sweep = self._cache.sweeps.get(key.uid)
        if key.uid in self._cache.deleted:
            return None
        if sweep is None or key.uid in self._cache.doubtful:
            obj = await self._cluster.get_sweep(key.namespace, key.name)
            if obj is None or obj["metadata"]["uid"] != key.uid:
                self._cache.mark_deleted(key.uid)
                return None
            self._cache.doubtful.discard(key.uid)
            sweep = sweep_of(obj)
            self._cache.put_sweep(sweep)
        return sweep

    async def _load(self, sweep: Sweep, memory: Memory) -> None:
        """Learn what the store has of the sweep, and whether its Job is really gone if the watch has shown none."""
        await self._ensure_bucket(memory)
        await memory.load(self._shelf(sweep))
        self._cache.begin(sweep.uid, memory.books.rounds)
        await self._look_for_job(sweep, memory)

    async def _ensure_bucket(self, memory: Memory) -> None:
        if not memory.bucket_ready:
            await self._store.ensure_bucket()
            memory.bucket_ready = True

    async def _look_for_job(self, sweep: Sweep, memory: Memory) -> None:
        number = memory.books.rounds
        if memory.round is None or number in self._cache.of(sweep.uid).jobs:
            return
        job = await self._cluster.get_job(sweep.namespace, round_job_name(sweep.name, sweep.uid, number))
        if job is not None:
            self._cache.put_job(sweep.uid, round_job(job))

    def _shelf(self, sweep: Sweep) -> Shelf:
        return Shelf(self._store, sweep.prefix, self._at_once, self._in_thread)

    def _situation(self, sweep: Sweep, memory: Memory) -> Situation:
        present = self._cache.of(sweep.uid)
        now = CLOCK.now()
        memory.pace.note(now, len(memory.books.succeeded | memory.books.failed | memory.gathered.results.ended))
        number = memory.books.rounds
        pods = tuple(p for p in present.pods.values() if p.number == number)
        job = present.jobs.get(number)
        if sweep.is_settled:  # which round was the last was not asked; none is to go on
            job = next((j for j in present.jobs.values() if not j.job.finished), None)
        return Situation(sweep, job, pods, memory.facts(now), self._config, now)

    # Applying
    async def _apply(self, sweep: Sweep, steps: tuple[actions.Action, ...], memory: Memory) -> None:
        for action in steps:
            with self._traces.change(sweep, type(action).__name__):
                await self._apply_one(sweep, action, memory)

    async def _apply_one(self, sweep: Sweep, action: actions.Action, memory: Memory) -> None:
        shelf = self._shelf(sweep)
        match action:
            case actions.ExpandPoints():
                await self._expand(sweep, memory)
            case actions.WriteRound(this):
                if memory.index is not None:
                    await shelf.write_round(this, memory.index)
                memory.round = this
            case actions.ApplyRoundJob(manifest):
                await self._apply_job(sweep, manifest)
            case actions.SetParallelism(job, parallelism):
                patched = await self._cluster.patch_job_spec(sweep.namespace, job, {"parallelism": parallelism})
                self._cache.put_job(sweep.uid, round_job(patched))
            case actions.StopPods(pods, grace_seconds):
                for pod in pods:
                    await self._cluster.stop_pod(sweep.namespace, pod, grace_seconds)
                    self._cache.mark_stopped(sweep.uid, pod)
            case actions.DeleteRoundJob(job):
                await self._cluster.delete_job(sweep.namespace, job)
                self._cache.mark_job_deleted(sweep.uid, job)
            case actions.TellCancelled(points):
                await shelf.write_cancelled(points)
                memory.told = points
            case actions.DeleteSweep():
                await self._cluster.delete_sweep(sweep.namespace, sweep.name, sweep.uid)
            case _:
                await self._learn(sweep, action, memory)

    async def _learn(self, sweep: Sweep, action: actions.Action, memory: Memory) -> None:
        match action:
            case actions.Collect(names):
                await self._collect(sweep, names, memory)
            case actions.ListPods():
                before = list(self._cache.of(sweep.uid).pods)
                listed = [pack_pod(p) async for p in self._cluster.list_pods(sweep.namespace, sweep.uid)]
                self._cache.replace_pods(sweep.uid, listed, before)
                memory.pods_listed = True
            case actions.ListResults():
                if memory.round is not None:
                    await self._read_left(sweep, memory.round, memory)
                memory.results_listed = True
            case actions.TakeEarlier(wanted, own):
                await self._take_earlier(sweep, wanted, memory, own=own)
            case actions.WriteBooks(books):
                await self._write_books(sweep, books, memory)

    async def _expand(self, sweep: Sweep, memory: Memory) -> None:
        try:
            async with self._turn(self._expanding, sweep):
                await self._ensure_bucket(memory)
                if sweep.spec is not None and sweep.spec.artifacts.delete_with_job:
                    await self._store.put_json(f"{SWEEP_OWNED_PREFIX}/{sweep.namespace}/{sweep.name}/{sweep.uid}", {})
                read_list = partial(with_points, self._store, sweep.namespace, in_thread=self._in_thread)
                memory.index = await make_points(
                    self._shelf(sweep), sweep, memory.index, self._max_points, self._in_thread, read_list
                )
        except RefusedError as error:
            memory.refusal = error.why
            return
        log.info("%s/%s: %d points are in the store", sweep.namespace, sweep.name, memory.index.points.total)

    async def _take_earlier(self, sweep: Sweep, wanted: Indexes, memory: Memory, *, own: bool) -> None:
        if memory.index is None:
            return
        write = partial(self._shelf(sweep).write_table, index=memory.index)
        earlier = Earlier(self._store, sweep, memory.index, self._at_once, self._in_thread, write)
        async with self._turn(self._looking, sweep):
            found = await earlier.find(wanted, own=own)
        books = memory.books.take(found.results, found.twins, memory.index.points.digest)
        await self._write_books(sweep, books, memory)
        metrics.SWEEP_POINTS.labels(outcome="reused").inc(len(found.results.succeeded))

    # Turns: what takes long is done for one sweep after another, and namespaces take turns
    @asynccontextmanager
    async def _turn(self, turns: Pace, sweep: Sweep) -> AsyncIterator[None]:
        """Do something while it is a sweep's turn. Not by a lock: workers that wait for one are missing everybody."""
        key = Key(sweep.namespace, sweep.name, sweep.uid)
        may_go = turns.enter(key)
        await self._wake_called(turns)  # who got the turn of one that has had it for too long
        if not may_go:
            raise _NotItsTurnError
        try:
            yield
        finally:
            await self._leave(turns, key)

    async def _leave(self, turns: Pace, key: Key) -> None:
        turns.leave(key)
        await self._wake_called(turns)

    async def _wake_called(self, turns: Pace) -> None:
        for called in turns.called():
            await self._queue.add(called)

    async def _need_no_turn(self, key: Key) -> None:
        """Give back what a sweep has of turns and of places in a line: it may be suspended or gone by now, and others would wait for it in vain."""
        for turns in (self._expanding, self._looking):
            await self._leave(turns, key)

    async def _apply_job(self, sweep: Sweep, manifest: Manifest) -> None:
        try:
            job = await self._cluster.apply_job(manifest)
        except ApiError as error:
            if error.status in (400, 403, 422) and not any(words in error.message for words in PASSING_REFUSALS):
                raise _JobRejectedError(error.message) from error
            raise
        self._cache.put_job(sweep.uid, round_job(job))

    async def _collect(self, sweep: Sweep, names: tuple[str, ...], memory: Memory) -> None:
        pods = self._cache.of(sweep.uid).pods
        ended = [pods[name] for name in names if name in pods]
        for some in portions(ended, _packs_at_once(memory.round)):
            if memory.round is not None:
                gathered, loss = await collect(self._shelf(sweep), memory.round, memory.gathered, some, self._at_once)
                self._gather(memory, gathered)
                memory.loss = loss or memory.loss
            for pod in some:
                self._cache.collect(sweep.uid, pod.pod.name)
            await self._flush_many(sweep, memory)  # not before: a Pod that left nothing is counted once

    async def _read_left(self, sweep: Sweep, this: Round, memory: Memory) -> None:
        """Take what lies in the store of Pods that nobody tells of. A round may have left gigabytes: the next pass goes on where this one ends.

        What was read is in the table then, so that an operator that starts anew has it.
        """
        if memory.unread is None:
            job = round_job_name(sweep.name, sweep.uid, this.number)
            memory.unread = await self._shelf(sweep).find_left(this, memory.gathered.results.ended, job)
        allowance = Allowance(MAX_READ)
        shelf = Shelf(self._store, sweep.prefix, self._at_once, self._in_thread, allowance.read)
        while memory.unread:
            if allowance.is_spent:
                await self._flush(sweep, memory)
                raise _MoreToReadError
            some, known = memory.unread[: _packs_at_once(this)], memory.gathered.results.ended
            packs = await shelf.read_left(this, [one for one in some if (this.points_of(one[0]) - known).ranges])
            del memory.unread[: len(some)]
            self._gather(memory, memory.gathered.take(this, packs))
            await self._flush_many(sweep, memory)

    @staticmethod
    def _gather(memory: Memory, gathered: Gathered) -> None:
        before, after = memory.gathered.results, gathered.results
        for outcome, old, new in (
            ("succeeded", before.succeeded, after.succeeded),
            ("failed", before.failed, after.failed),
        ):
            metrics.SWEEP_POINTS.labels(outcome=outcome).inc(max(0, len(new) - len(old)))
        memory.gathered = gathered

    async def _write_books(self, sweep: Sweep, books: Books, memory: Memory) -> None:
        await self._flush(sweep, memory)
        await self._shelf(sweep).write_books(books)
        over = memory.round
        if over is not None and books.rounds > memory.books.rounds:
            metrics.SWEEP_ROUNDS.labels(reason=over.reason).inc()
            job = self._cache.of(sweep.uid).jobs.get(over.number)
            if job is not None and job.job.finished:  # else what has no result was not run
                metrics.SWEEP_POINTS.labels(outcome="lost").inc(len(over.points - memory.gathered.results.ended))
        memory.turn(books)
        self._cache.begin(sweep.uid, books.rounds)

    async def _flush(self, sweep: Sweep, memory: Memory) -> None:
        """Write the lines of the table that are in memory only."""
        lines = memory.gathered.unwritten
        if lines and memory.index is not None:
            await self._shelf(sweep).write_table(lines, memory.index)
            memory.gathered = memory.gathered.written()
        memory.flushed_at = CLOCK.now()

    async def _flush_many(self, sweep: Sweep, memory: Memory) -> None:
        if memory.gathered.unwritten_size > UNWRITTEN_SIZE:
            await self._flush(sweep, memory)

    async def _write_table(self, sweep: Sweep, memory: Memory, key: Key) -> None:
        if not memory.gathered.unwritten:
            return
        since = (CLOCK.now() - memory.flushed_at).total_seconds() if memory.flushed_at is not None else 0.0
        if memory.flushed_at is None:
            memory.flushed_at = CLOCK.now()
        if since >= TABLE_SECONDS:
            await self._flush(sweep, memory)
        else:
            await self._queue.add_later(key, TABLE_SECONDS - since)

    # Status
    @staticmethod
    def _status_wait(memory: Memory) -> float:
        """Return how long no status may be written, in seconds."""
        return (memory.status_due - CLOCK.now()).total_seconds() if memory.status_due is not None else 0.0

    async def _write_status(self, sweep: Sweep, words: Told, memory: Memory) -> Sweep:
        status = words.status
        # A finished sweep may get points that are cancelled already: it stays finished, and has more of them.
        is_news = not sweep.finished or status.get("points") != sweep.status.get("points")
        if status["phase"] in FINAL_PHASES and is_news:
            await self._write_record(sweep, words, memory)
        if words.ranges is not None:
            await self._shelf(sweep).write_state({**words.ranges, "points": status.get("points")})
        try:
            with self._traces.change(sweep, "WriteStatus", **{"simops.sweep.new_phase": status["phase"]}):
                obj = await self._cluster.write_status(
                    sweep.namespace, sweep.name, sweep.version, sweep.uid, status, SWEEPS_PLURAL
                )
        except Exception:
            # It may have been written all the same.
            self._cache.doubtful.add(sweep.uid)
            memory.status_due = CLOCK.now() + timedelta(seconds=_STATUS_SECONDS)
            raise
        size = len(json.dumps(status)) + sum(map(len, (words.ranges or {}).values()))
        memory.status_due = CLOCK.now() + timedelta(seconds=max(_STATUS_SECONDS, size / _STATUS_BYTES_A_SECOND))
        after = sweep_of(obj)
        self._cache.put_sweep(after)
        if after.finished and not sweep.finished:
            metrics.FINISHED_SWEEPS.labels(phase=status["phase"], reason=status["reason"]).inc()
        await self._post_event(sweep, after, status)
        return after

    async def _post_event(self, sweep: Sweep, after: Sweep, status: Status) -> None:
        event = event_for(sweep.status, status)
        if event is None:
            return
        body = event_of(
            sweep.name,
            sweep.namespace,
            sweep.uid,
            *event,
            key=f"{after.version:x}",
            now=format_time(CLOCK.now()),
            about="SimulationSweep",
        )
        try:
            await self._cluster.post_event(sweep.namespace, body)
        except ApiError as error:
            # The status says the same; an Event is worth one try.
            log.warning("%s/%s: Event %s was not posted: %s", sweep.namespace, sweep.name, event[1], error)

    async def _write_record(self, sweep: Sweep, words: Told, memory: Memory) -> None:
        await self._ensure_bucket(memory)
        await write_record(self._store, sweep, record_of(self._situation(sweep, memory), words))
        memory.recorded = words

    async def _show_store_error(self, key: Key, memory: Memory, error: StoreError) -> None:
        """Tell the person that the sweep waits for the store; stop what is to be stopped all the same."""
        memory.store_error = str(error)
        sweep = self._cache.sweeps.get(key.uid)
        if sweep is None or sweep.finished:
            return
        decision = plan.decide(self._situation(sweep, memory))
        safe = tuple(a for a in decision.actions if isinstance(a, actions.StopPods | actions.DeleteRoundJob))
        await self._apply(sweep, safe, memory)
        words = decision.told
        is_about_it = words is not None and words.status["reason"] == Reason.STORE_UNAVAILABLE
        if words is not None and is_about_it and words.ranges is None and self._status_wait(memory) <= 0:
            await self._write_status(sweep, words, memory)

    # Deleted while unfinished
    async def _settle_deleted(self, key: Key, memory: Memory) -> None:
        sweep = self._cache.deleted.get(key.uid)
        if sweep is None:  # never seen by this process; Kubernetes cleans up, and what Pods leave stays in the store
            # Not called finished: that there is no such sweep is said by labels, and the UID may be that of a sweep elsewhere.
            self._memories.pop(key.uid, None)
            self._cache.drop(key.uid)
            return
        if not memory.loaded:
            await memory.load(self._shelf(sweep))
            self._cache.begin(key.uid, memory.books.rounds)
        for _ in range(_MAX_STEPS):
            decision = plan.decide_deleted(self._situation(sweep, memory))
            if decision is None:
                break
            await self._apply(sweep, decision.actions, memory)
            if decision.told is not None:
                await self._write_record(sweep, decision.told, memory)
                break
            if not decision.actions:
                if decision.recheck is not None:
                    await self._queue.add_later(key, decision.recheck)
                return  # Pods are still ending; their events come
        self._forget(key)


def _packs_at_once(this: Round | None) -> int:
    """Return of how many Pods the results are in memory at once: of 500 points, or of one Pod."""
    return max(1, 500 // this.points_per_pod) if this is not None else 1


class _NotItsTurnError(Exception):
    """Another sweep does what is done for one at a time."""


class _MoreToReadError(Exception):
    """This pass has read enough; another one goes on."""


class _JobRejectedError(Exception):
    """The API server refused the Job for good."""
