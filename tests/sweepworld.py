"""A small model of Kubernetes, the store and the watches with one SimulationSweep, in memory, for tests of the whole operator.

Beside what ``world.py`` keeps, it has an Indexed Job's books and Pods that go through a pack point by point, as docs/architecture.md says of them.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from builders import CONFIG, NAMESPACE, T0, copied, time_of
from world import Calls, FakeStore, Queue, run_now

from simops_crds.indexes import Indexes
from simops_crds.names import FINAL_PHASES, sweep_prefix
from simops_operator import handlers
from simops_operator.cache import Cache, Key
from simops_operator.cluster import ApiError, Cluster
from simops_operator.core.config import JobConfig
from simops_operator.core.status import format_time
from simops_operator.resync import Resync
from simops_operator.store import Store, StoreError
from simops_operator.sweeps.cache import SweepCache
from simops_operator.sweeps.reconcile import SweepReconciler
from simops_operator.sweeps.resync import SweepResync
from simops_operator.workqueue import WorkQueue

T = TypeVar("T")
Object = dict[str, Any]
SWEEP = "grid"
UID = "7a1b2c3d-0000-4000-8000-000000000002"
PREFIX = sweep_prefix(NAMESPACE, SWEEP, UID)
KEY = Key(NAMESPACE, SWEEP, UID)


def job_name(number: int) -> str:
    """Return how the Job of a round is called."""
    return f"{SWEEP}-7a1b2c3d-r{number}"


def grid(count: int) -> Object:
    """Return a space of so many points."""
    return {"method": "grid", "axes": [{"name": "x", "integers": {"low": 0, "high": count - 1}}]}


def sweep_object(*, status: Object | None = None, points: int = 10, version: int = 1, **spec: Any) -> Object:
    """Return a SimulationSweep; keywords are fields of its spec by their outside names."""
    template = {"image": "sim:local", "command": ["run"]} | spec.pop("template", {})
    meta = {
        "name": SWEEP,
        "namespace": NAMESPACE,
        "uid": UID,
        "creationTimestamp": time_of(0),
        "generation": 1,
        "resourceVersion": str(version),
    }
    out: Object = {"metadata": meta, "spec": {"template": template, "space": grid(points), "parallelism": 3} | spec}
    return out | ({"status": status} if status is not None else {})


async def one_by_one(work: Sequence[Awaitable[T]]) -> list[T]:
    """Await one thing after another: nothing here really waits."""
    left = list(work)
    try:
        return [await left.pop(0) for _ in work]
    finally:
        for item in left:
            cast(Coroutine[Any, Any, T], item).close()


async def at_once(function: Callable[[], T], /) -> T:
    """Call a function where it stands."""
    return function()


@dataclass
class Plan:
    """What the simulations of a test do."""

    codes: Callable[[int, int], int] = lambda index, time: 0
    """(index, how often it has run before) → exit code."""
    fates: list[str] = field(default_factory=list)
    """What becomes of the Pods, in the order of their making; ``good`` for all others: killed, lost, unstored, unstartable."""
    messages: str = "results"
    """How much the bundle container says: results, ranges, cut."""


class SweepWorld:
    """One namespace with one SimulationSweep, its controllers, and one operator."""

    def __init__(self, behaviour: Plan | None = None, config: JobConfig = CONFIG, max_points: int = 1000, **spec: Any):
        self.plan = behaviour or Plan()
        self.config = config
        self.max_points = max_points
        self.now = T0
        self.version = 100
        self.sweeps: dict[str, Object] = {SWEEP: sweep_object(**spec)}
        self.jobs: dict[str, Object] = {}
        self.pods: dict[str, Object] = {}
        self.objects: dict[str, Any] = {}
        self.written: dict[str, Any] = {}
        """Key → when it was written, where that matters; else now."""
        self.store_is_up = True
        self.has_bucket = False
        self.rejects_jobs = ""
        self.events: list[Object] = []
        self.feed: dict[str, list[Object]] = {"sweep": [], "job": [], "pod": []}
        self.calls = Calls()
        self.jobs_made = 0
        self.pods_made = 0
        self.ran: dict[int, int] = {}
        """Index → how often it has run to its end."""
        self.statuses: list[Object] = []
        self.written_at: list[Any] = []
        self.restarts = 0
        self.ticks = 0
        self._changed("sweep", self.sweeps[SWEEP], "ADDED")
        self.restart()

    # The operator
    def restart(self) -> None:
        """Let the operator die, if it lives, and begin again with nothing in memory."""
        self.restarts += 1
        self.calls.die_at = None
        self.cache, self.queue = SweepCache(), Queue()
        queue = cast(WorkQueue[Key], self.queue)
        cluster, store = cast(Cluster, FakeSweepCluster(self)), cast(Store, BucketStore(cast(Any, self)))
        self.reconciler = SweepReconciler(
            cluster, store, self.cache, queue, self.config, self.max_points, at_once=one_by_one, in_thread=at_once
        )
        others: Any = Queue()
        sweeps = SweepResync(cluster, store, self.cache, queue, self.config, 600)
        self.resync = Resync(cluster, store, Cache(), others, self.config, 600, sweeps)
        app = SimpleNamespace(cache=Cache(), queue=others, sweeps=self.cache, sweep_queue=self.queue, leading=True)
        handlers._Holder.app = cast(Any, app)
        for events in self.feed.values():
            events.clear()
        run_now(self.resync.run((NAMESPACE,)))

    def work(self) -> None:
        """Reconcile what is in the queue, once; like the real queue, remember what fails."""
        for key in list(self.queue.keys):
            self.queue.keys.discard(key)
            try:
                run_now(self.reconciler.reconcile(key))
            except (ApiError, StoreError) as error:
                self.failure = error
                self.queue.later[key] = min(0.2, self.queue.later.get(key, 1.0))
            except asyncio.CancelledError:
                self.restart()
                return

    def wait(self, seconds: float = 1) -> None:
        """Let time go by: what was to be looked at later is due."""
        self.now += timedelta(seconds=seconds)
        due = {key for key, delay in self.queue.later.items() if delay <= seconds}
        self.queue.later = {k: d - seconds for k, d in self.queue.later.items() if k not in due}
        self.queue.keys |= due

    def deliver(self, kind: str) -> bool:
        """Let the oldest event of a watch arrive; whether there was one."""
        if not self.feed[kind]:
            return False
        event = self.feed[kind].pop(0)
        handler: Any = {"sweep": handlers.on_sweep, "job": handlers.on_job, "pod": handlers.on_pod}[kind]
        run_now(handler(event=event))
        return True

    def deliver_all(self) -> None:
        for kind in self.feed:
            while self.deliver(kind):
                pass

    # People
    def change_spec(self, **spec: Any) -> None:
        if SWEEP in self.sweeps:
            self.sweeps[SWEEP]["spec"] |= spec
            self.sweeps[SWEEP]["metadata"]["generation"] += 1
            self._changed("sweep", self.sweeps[SWEEP])

    def delete_pod(self, name: str) -> None:
        pod = self.pods.get(name)
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            return
        pod["metadata"]["deletionTimestamp"] = format_time(self.now)
        self._changed("pod", pod)

    def vanish(self, name: str) -> None:
        """Let a Pod go with its node: it tells nothing."""
        pod = self.pods.pop(name, None)
        if pod is not None:
            self._changed("pod", pod, "DELETED")

    def disrupt(self, name: str) -> None:
        if name in self.pods and not _over(self.pods[name]):
            self.pods[name]["status"]["conditions"].append({"type": "DisruptionTarget", "status": "True"})
            self.delete_pod(name)

    def delete_job(self, name: str) -> None:
        job = self.jobs.pop(name, None)
        if job is not None:
            self._changed("job", job, "DELETED")
            for pod in [n for n, p in self.pods.items() if p["job"] == job["metadata"]["uid"]]:
                self.delete_pod(pod)

    def delete_sweep(self) -> None:
        sweep = self.sweeps.pop(SWEEP, None)
        if sweep is not None:
            self._changed("sweep", sweep, "DELETED")
            for job in list(self.jobs):
                self.delete_job(job)

    # Controllers
    def job_controller(self) -> None:
        for job in list(self.jobs.values()):
            before = json.dumps(job["status"])
            self._keep_books(job)
            if json.dumps(job["status"]) != before:
                self._changed("job", job)

    def _keep_books(self, job: Object) -> None:
        status, spec = job["status"], job["spec"]
        if status.get("conditions") or spec.get("suspend"):
            return
        mine = [p for p in self.pods.values() if p["job"] == job["metadata"]["uid"]]
        done = Indexes.parse(status.get("completedIndexes", ""))
        failed = Indexes.parse(status.get("failedIndexes", ""))
        present = {p["pack"] for p in mine}
        for pack in job["running"] - present - set(done) - set(failed):
            job["running"].discard(pack)  # it vanished; Kubernetes counts it as failed
            failed = failed | Indexes.of([(pack, pack)])
        for pod in mine:
            if _over(pod) and not pod["counted"]:
                pod["counted"] = True
                job["running"].discard(pod["pack"])
                disrupted = any(c["type"] == "DisruptionTarget" for c in pod["status"]["conditions"])
                one = Indexes.of([(pod["pack"], pod["pack"])])
                if pod["status"]["phase"] == "Succeeded":
                    done = done | one
                elif not disrupted:
                    failed = failed | one
        status["completedIndexes"], status["failedIndexes"] = str(done), str(failed)
        alive = [p for p in mine if not _over(p)]
        left = Indexes.up_to(spec["completions"]) - done - failed
        if not left.ranges and not alive:
            kind = "Failed" if failed.ranges else "Complete"
            status["conditions"] = [{"type": kind, "status": "True", "reason": "FailedIndexes"}]
            return
        waiting = [i for i in left if i not in {p["pack"] for p in alive}]
        for pack in waiting[: max(0, spec["parallelism"] - len(alive))]:
            self._make_pod(job, pack)

    def _make_pod(self, job: Object, pack: int) -> None:
        self.version += 1
        self.pods_made += 1
        name = f"{job['metadata']['name']}-{pack}-{self.version}"
        template = copied(job["spec"]["template"])
        labels = template["metadata"]["labels"] | {"batch.kubernetes.io/job-completion-index": str(pack)}
        fates = self.plan.fates
        job["running"].add(pack)
        self.pods[name] = {
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "uid": f"uid-{name}",
                "labels": labels,
                "creationTimestamp": format_time(self.now),
            },
            "spec": {"nodeName": "node-1"},
            "status": {"phase": "Pending", "conditions": []},
            "job": job["metadata"]["uid"],
            "round": int(labels["simops.dev/round"]),
            "pack": pack,
            "counted": False,
            "stage": "pending",
            "fate": fates[self.pods_made - 1] if self.pods_made <= len(fates) else "good",
            "lines": [],
        }
        self._changed("pod", self.pods[name], "ADDED")

    def kubelet(self, name: str) -> None:
        """Bring one Pod one step forward."""
        pod = self.pods.get(name)
        if pod is None:
            return
        deleting = "deletionTimestamp" in pod["metadata"]
        match pod["stage"]:
            case "pending" if deleting:
                self._end(pod, "Failed")
            case "pending" if self.store_is_up:
                self._start(pod)
            case "running" if deleting or not pod["todo"]:
                pod["stopped"] = deleting
                pod["stage"] = "uploading"
                self.ticks += 1
                return
            case "running":
                self._run_a_point(pod)
                self.ticks += 1
                return
            case "uploading" if self.store_is_up or pod["fate"] == "unstored":
                self._upload(pod)
            case "over" if deleting:
                del self.pods[name]
                self._changed("pod", pod, "DELETED")
                return
            case _:
                return
        self._changed("pod", pod)

    def _start(self, pod: Object) -> None:
        this = json.loads(self.objects[f"{PREFIX}/rounds/{pod['round']}.json"])
        points = Indexes.parse(this["points"])
        pack, size = pod["pack"], this["pointsPerPod"]
        unwanted = Indexes.parse(json.loads(self.objects.get(f"{PREFIX}/cancelled.json", "{}")).get("points", ""))
        pod["points"] = points.ranks(pack * size, (pack + 1) * size)
        pod["todo"] = [] if pod["fate"] == "unstartable" else list(pod["points"] - unwanted)
        pod["skipped"] = pod["points"] & unwanted
        pod["stage"] = "running"
        pod["status"]["phase"] = "Running"
        pod["status"]["conditions"].append({"type": "PodScheduled", "status": "True"})
        self._containers(pod, {"running": {"startedAt": format_time(self.now)}}, {"running": {}})

    def _run_a_point(self, pod: Object) -> None:
        index = pod["todo"].pop(0)
        code = self.plan.codes(index, self.ran.get(index, 0))
        self.ran[index] = self.ran.get(index, 0) + 1
        reason = "Completed" if code == 0 else "ExitCode"
        if pod["fate"] == "killed":
            code, reason, pod["todo"] = 137, "OOMKilled", []
        pod["lines"].append({"index": index, "exitCode": code, "seconds": 0.5, "reason": reason})

    def _upload(self, pod: Object) -> None:
        name, fate, lines = pod["metadata"]["name"], pod["fate"], pod["lines"]
        if fate == "lost":
            self.vanish(name)
            return
        good = Indexes.of((line["index"],) * 2 for line in lines if line["exitCode"] == 0)
        bad = Indexes.of((line["index"],) * 2 for line in lines if line["exitCode"] != 0)
        missing = pod["points"] - good - bad - pod["skipped"]
        key = f"{PREFIX}/rounds/{pod['round']}/{pod['pack']}/{name}"
        said: Object = {"bundle": f"{key}.zip", "succeeded": str(good), "failed": str(bad), "missing": str(missing)}
        if fate == "unstored":
            said = {"bundle": None, "error": "no space left", "succeeded": str(good), "failed": str(bad)}
        else:
            self.objects[f"{key}.zip"] = b"zip"
            self.objects[f"{key}.jsonl"] = "".join(json.dumps(line) + "\n" for line in lines).encode()
            if self.plan.messages == "results":
                said["results"] = lines
            elif self.plan.messages == "cut":
                said = {"bundle": f"{key}.zip", "rangesCut": True}
        pod["said"] = said
        whole = fate == "good" and not pod["stopped"]
        pod["code"] = 0 if whole or fate == "unstored" else 137 if fate == "killed" else 1
        self._end(pod, "Succeeded" if pod["code"] == 0 else "Failed")

    def _end(self, pod: Object, phase: str) -> None:
        ran = pod["stage"] != "pending"
        pod["stage"] = "over"
        pod["status"]["phase"] = phase
        if ran:
            times = {"startedAt": pod["metadata"]["creationTimestamp"], "finishedAt": format_time(self.now)}
            code = pod["code"]
            why = {137: "OOMKilled", 0: "Completed"}.get(code, "Error")
            why = "StartError" if pod["fate"] == "unstartable" else why
            simulation = {"terminated": {"exitCode": code, "reason": why, "message": "boom"} | times}
            bundle = {"terminated": {"exitCode": 0, "message": json.dumps(pod["said"])} | times}
            self._containers(pod, simulation, bundle)

    @staticmethod
    def _containers(pod: Object, simulation: Object, bundle: Object) -> None:
        pod["status"]["containerStatuses"] = [{"name": "simulation", "state": simulation}]
        pod["status"]["initContainerStatuses"] = [{"name": "bundle", "state": bundle}]

    # Bookkeeping
    def _changed(self, kind: str, obj: Object, event: str = "MODIFIED") -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.feed[kind].append({"type": event, "object": copied({k: v for k, v in obj.items() if k != "running"})})

    @property
    def status(self) -> Object:
        """The status as everybody sees it."""
        return cast(Object, (self.sweeps.get(SWEEP) or {}).get("status") or {})

    @property
    def is_finished(self) -> bool:
        """Whether the sweep is finished and its present spec was seen."""
        sweep = self.sweeps.get(SWEEP)
        is_seen = sweep is None or self.status.get("observedGeneration") == sweep["metadata"]["generation"]
        return self.status.get("phase") in FINAL_PHASES and is_seen

    def step(self) -> None:
        """Let everything do what it does in a second."""
        self.job_controller()
        for name in list(self.pods):
            self.kubelet(name)
        self.deliver_all()
        self.wait(1)
        self.work()

    def be_fair(self, steps: int = 400) -> None:
        """Let everything work until nothing changes any more."""
        self.store_is_up = True
        for _ in range(steps):
            before = (self.version, len(self.statuses), self.ticks)
            self.step()
            if before == (self.version, len(self.statuses), self.ticks) and not self.queue.keys:
                if not any(delay <= 600 for delay in self.queue.later.values()):
                    return
                self.wait(600)
                self.work()
        raise AssertionError(f"it never comes to rest: {self.calls.log[-20:]} {self.status}")

    def table(self) -> dict[int, Object]:
        """Return the lines of the table by index; each must be there once."""
        out: dict[int, Object] = {}
        for key in sorted(k for k in self.objects if k.startswith(f"{PREFIX}/table/")):
            for row in self.objects[key].decode().splitlines():
                line = json.loads(row)
                assert line["index"] not in out, f"point {line['index']} is twice in the table"
                out[line["index"]] = line
        return out

    def check_the_end(self) -> None:
        """What must be true of every sweep that is finished."""
        status = self.status
        assert status["phase"] in FINAL_PHASES
        counts = status.get("points")
        if counts is None:
            return
        told = json.loads(self.objects[f"{PREFIX}/state.json"]) if status.get("rangesInStore") else status
        sets = {name: Indexes.parse(told.get(f"{name}Points") or "") for name in ("succeeded", "failed", "cancelled")}
        every = Indexes.of(pair for points in sets.values() for pair in points.ranges)
        assert every == Indexes.up_to(counts["total"])
        assert sum(len(points) for points in sets.values()) == counts["total"], "a point is in two states"
        assert {name: counts[name] for name in sets} == {name: len(points) for name, points in sets.items()}
        assert counts["active"] == 0
        assert "activePoints" not in status
        table = self.table()
        good = Indexes.of((i, i) for i, line in table.items() if line["exitCode"] == 0)
        assert good == sets["succeeded"], "the table says something else"
        self._check_rounds()
        record = json.loads(self.objects[f"{PREFIX}/record.json"])
        assert record["status"]["phase"] == status["phase"]
        assert record["status"]["points"] == counts

    def _check_rounds(self) -> None:
        """The status tells of each round that has left results, in their order, and when the first of them started."""
        told = [entry["job"] for entry in self.status.get("rounds") or []]
        keys = (key.removeprefix(f"{PREFIX}/rounds/").split("/") for key, content in self.objects.items() if content)
        left = {int(parts[0]) for parts in keys if len(parts) == 3 and parts[2].endswith(".jsonl")}
        assert {job_name(number) for number in left} <= set(told), f"rounds {left} have left results, told is of {told}"
        assert told == sorted(set(told), key=lambda job: int(job.rpartition("-r")[2]))
        assert all({"startTime", "completionTime"} <= entry.keys() for entry in self.status.get("rounds") or [])
        assert not left or "startTime" in self.status


def _over(pod: Object) -> bool:
    return pod["status"]["phase"] in ("Succeeded", "Failed")


class BucketStore(FakeStore):
    """A store whose bucket is there only once it was made."""

    _world: Any

    async def ensure_bucket(self) -> None:
        await super().ensure_bucket()
        self._world.has_bucket = True

    def _call(self, name: str) -> None:
        super()._call(name)
        if name != "ensure_bucket" and not self._world.has_bucket:
            raise StoreError("NoSuchBucket")

    async def list_keys(self, prefix: str, suffix: str = "") -> list[str]:
        self._call("list_keys")
        return await super().list_keys(prefix, suffix)


class FakeSweepCluster:
    """``Cluster`` on a SweepWorld."""

    def __init__(self, world: SweepWorld) -> None:
        self._world = world

    async def get_sweep(self, namespace: str, name: str) -> Object | None:
        self._world.calls.before("get_sweep")
        return copied(self._world.sweeps[name]) if name in self._world.sweeps else None

    async def get_job(self, namespace: str, name: str) -> Object | None:
        self._world.calls.before("get_job")
        return _public(self._world.jobs[name]) if name in self._world.jobs else None

    async def list_runs(self, namespace: str) -> AsyncIterator[Object]:
        for obj in list[Object]():
            yield obj

    async def list_sweeps(self, namespace: str) -> AsyncIterator[Object]:
        for obj in list(self._world.sweeps.values()):
            yield copied(obj)

    async def list_jobs(self, namespace: str) -> AsyncIterator[Object]:
        for obj in list(self._world.jobs.values()):
            yield _public(obj)

    async def list_pods(self, namespace: str, uid: str = "") -> AsyncIterator[Object]:
        if uid:
            self._world.calls.before("list_pods")
        for obj in list(self._world.pods.values()):
            yield copied(obj)

    async def apply_job(self, manifest: Object) -> Object:
        world = self._world
        world.calls.before("apply_job")
        if world.rejects_jobs:
            raise ApiError(403, world.rejects_jobs)
        name = manifest["metadata"]["name"]
        if name not in world.jobs:
            world.jobs_made += 1
            job = copied(manifest) | {"status": {}, "running": set()}
            job["metadata"] |= {"uid": f"job-{world.jobs_made}", "creationTimestamp": format_time(world.now)}
            world.jobs[name] = job
            world._changed("job", job, "ADDED")
        out = _public(world.jobs[name])
        if SWEEP not in world.sweeps:
            world.delete_job(name)  # the garbage collector
        world.calls.after("apply_job")
        return out

    async def patch_job_spec(self, namespace: str, name: str, spec: Object) -> Object:
        world = self._world
        world.calls.before("patch_job_spec")
        if name not in world.jobs:
            raise ApiError(404, "no such Job")
        world.jobs[name]["spec"] |= spec
        world._changed("job", world.jobs[name])
        world.calls.after("patch_job_spec")
        return _public(world.jobs[name])

    async def delete_job(self, namespace: str, name: str) -> None:
        self._world.calls.before("delete_job")
        self._world.delete_job(name)
        self._world.calls.after("delete_job")

    async def stop_pod(self, namespace: str, name: str, grace_seconds: int) -> None:
        self._world.calls.before("stop_pod")
        self._world.delete_pod(name)
        self._world.calls.after("stop_pod")

    async def delete_sweep(self, namespace: str, name: str, uid: str) -> None:
        self._world.calls.before("delete_sweep")
        self._world.delete_sweep()
        self._world.calls.after("delete_sweep")

    async def write_status(
        self, namespace: str, name: str, version: int, uid: str, status: Object, plural: str
    ) -> Object:
        world = self._world
        world.calls.before("write_status")
        assert plural == "simulationsweeps"
        sweep = world.sweeps.get(name)
        if sweep is None:
            raise ApiError(404, "no such SimulationSweep")
        if sweep["metadata"]["resourceVersion"] != str(version):
            raise ApiError(409, "the object has been modified")
        sweep["status"] = copied(status)
        world.statuses.append(sweep["status"])
        world.written_at.append((world.restarts, world.now))
        if status["phase"] in FINAL_PHASES:
            world.check_the_end()
        world._changed("sweep", sweep)
        out = copied(sweep)
        world.calls.after("write_status")
        return out

    async def post_event(self, namespace: str, event: Object) -> None:
        self._world.calls.before("post_event")
        self._world.events.append(event)
        self._world.calls.after("post_event")


def _public(job: Object) -> Object:
    return copied({k: v for k, v in job.items() if k != "running"})
