"""A small model of Kubernetes, the store and the watches, in memory, for tests of the whole operator.

It keeps what matters to SimOps: the Job controller's books, a kubelet that goes through a Pod's life one step at a time, watches that lag as
much as a test wants, conflicts, outages, and an operator that may die at any call. It never really waits: a coroutine that talks to it runs to its end
at once (``run_now``).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from builders import CONFIG, NAME, NAMESPACE, PREFIX, T0, UID, copied, run_object

from simops_crds.names import FINAL_PHASES
from simops_operator import handlers
from simops_operator.cache import Cache, Key
from simops_operator.cluster import ApiError, Cluster
from simops_operator.core.config import JobConfig
from simops_operator.core.status import format_time
from simops_operator.reconcile import Reconciler
from simops_operator.resync import Resync
from simops_operator.store import Store, StoreError
from simops_operator.sweeps.cache import SweepCache
from simops_operator.sweeps.resync import SweepResync
from simops_operator.workqueue import WorkQueue

T = TypeVar("T")
Object = dict[str, Any]
KEY = Key(NAMESPACE, NAME, UID)


def run_now(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    work.close()
    raise AssertionError("it waits for something real")


class Queue:
    """Notes what is to be worked on."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self.later: dict[Key, float] = {}

    async def add(self, key: Key) -> None:
        self.keys.add(key)

    async def add_later(self, key: Key, seconds: float) -> None:
        self.later[key] = min(seconds, self.later.get(key, float("inf")))


@dataclass
class Behaviour:
    """What the simulations do: the exit code of each attempt (the last one for all further ones)."""

    codes: tuple[int, ...] = (0,)
    ignores_sigterm: bool = False
    stop_code: int = 143
    long: int = 0
    """Steps of the kubelet that each takes."""


_ANSWERED = {
    "apply_job",
    "patch_job_spec",
    "delete_job",
    "stop_pod",
    "delete_run",
    "delete_sweep",
    "write_status",
    "post_event",
}


@dataclass
class Calls:
    """What was called, and where the operator dies."""

    log: list[str] = field(default_factory=list)
    die_at: int | None = None
    die_after: bool = False
    """Whether the call that it dies at still has its effect."""
    lose_at: int | None = None
    """The call to the API server whose answer is lost, or the next one that changes something."""
    meanwhile: dict[int, Callable[[], object]] = field(default_factory=dict)
    """Call → what happens in the world and arrives by the watches while it is under way."""

    def before(self, name: str) -> None:
        self.log.append(name)
        self.meanwhile.pop(len(self.log), lambda: None)()
        if not self.die_after and self.die_at == len(self.log):
            raise asyncio.CancelledError(f"killed before {name}")

    def after(self, name: str) -> None:
        if self.die_after and self.die_at == len(self.log):
            raise asyncio.CancelledError(f"killed after {name}")
        if name in _ANSWERED and self.lose_at is not None and self.lose_at <= len(self.log):
            self.lose_at = None
            raise ApiError(500, f"the answer to {name} was lost")


class World:
    """One namespace with one SimulationJob, its controllers, and one operator."""

    def __init__(self, behaviour: Behaviour | None = None, config: JobConfig = CONFIG, **spec: Any) -> None:
        self.behaviour = behaviour or Behaviour()
        self.config = config
        self.now = T0
        self.version = 100
        self.runs: dict[str, Object] = {}
        self.jobs: dict[str, Object] = {}
        self.pods: dict[str, Object] = {}
        self.bundled: dict[str, Object] = {}
        """Pod → what its bundle container has put into its termination message."""
        self.objects: dict[str, Any] = {}
        self.written: dict[str, Any] = {}
        """Key → when it was written, where that matters; else now."""
        self.store_is_up = True
        self.rejects_jobs = ""
        self.events: list[Object] = []
        self.feed: dict[str, list[Object]] = {"run": [], "job": [], "pod": []}
        self.calls = Calls()
        self.jobs_made = 0
        self.ticks = 0
        self.jobs_deleted = 0
        self.statuses: list[Object] = []
        self.final: Object | None = None
        self.runs[NAME] = run_object(**spec)
        self._changed("run", self.runs[NAME], "ADDED")
        self.restart()

    # The operator
    def restart(self) -> None:
        """Let the operator die, if it lives, and begin again with nothing in memory."""
        self.cache, self.queue = Cache(), Queue()
        queue = cast(WorkQueue[Key], self.queue)
        cluster, store = cast(Cluster, FakeCluster(self)), cast(Store, FakeStore(self))
        self.calls.die_at = None
        self.reconciler = Reconciler(cluster, store, self.cache, queue, self.config, 1 << 30)
        self.sweeps, self.sweep_queue = SweepCache(), Queue()
        sweep_queue = cast(WorkQueue[Key], self.sweep_queue)
        sweeps = SweepResync(cluster, store, self.sweeps, sweep_queue, self.config, 600)
        self.resync = Resync(cluster, store, self.cache, queue, self.config, 600, sweeps)
        app = SimpleNamespace(
            cache=self.cache, queue=self.queue, sweeps=self.sweeps, sweep_queue=self.sweep_queue, leading=True
        )
        handlers._Holder.app = cast(Any, app)
        for events in self.feed.values():
            events.clear()
        run_now(self.resync.run((NAMESPACE,)))

    def work(self) -> None:
        """Reconcile what is in the queue, once; like the real queue, remember what fails."""
        for key in sorted(self.queue.keys, key=str):
            self.queue.keys.discard(key)
            try:
                run_now(self.reconciler.reconcile(key))
            except (ApiError, StoreError, RuntimeError):
                self.queue.later[key] = 0.2
            except asyncio.CancelledError:
                self.restart()
                return

    def wait(self, seconds: float = 60) -> None:
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
        handler: Any = {"run": handlers.on_run, "job": handlers.on_job, "pod": handlers.on_pod}[kind]
        run_now(handler(event=event))
        return True

    def while_it_works(self, calls: int, happens: Callable[[], object]) -> None:
        """Let something happen during the operator's call after so many more."""
        self.calls.meanwhile[len(self.calls.log) + calls] = happens

    def deliver_all(self) -> bool:
        delivered = [self.deliver(kind) for kind in self.feed for _ in list(self.feed[kind])]
        return any(delivered)

    # People
    def change_spec(self, **spec: Any) -> None:
        if NAME in self.runs:
            self.runs[NAME]["spec"] |= spec
            self.runs[NAME]["metadata"]["generation"] += 1
            self._changed("run", self.runs[NAME])

    def delete_pod(self, name: str) -> None:
        if name in self.pods and "deletionTimestamp" not in self.pods[name]["metadata"]:
            self.pods[name]["metadata"]["deletionTimestamp"] = format_time(self.now)
            self._changed("pod", self.pods[name])

    def disrupt(self, name: str) -> None:
        if name in self.pods and not _over(self.pods[name]):
            _conditions(self.pods[name]).append({"type": "DisruptionTarget", "status": "True"})
            self.delete_pod(name)

    def delete_job(self, name: str) -> None:
        job = self.jobs.pop(name, None)
        if job is not None:
            self._changed("job", job, "DELETED")
            for pod in list(self.pods):
                self.delete_pod(pod)

    def delete_run(self) -> None:
        run = self.runs.pop(NAME, None)
        if run is not None:
            self._changed("run", run, "DELETED")
            for job in list(self.jobs):
                self.delete_job(job)

    # Controllers
    def job_controller(self) -> None:
        """Bring the books up to date and make the next Pod, as the Job controller does."""
        for job in self.jobs.values():
            before = json.dumps(job)
            self._keep_books(job)
            if json.dumps(job) != before:
                self._changed("job", job)

    def _keep_books(self, job: Object) -> None:
        uid, status = job["metadata"]["uid"], job["status"]
        mine = [p for p in self.pods.values() if p["job"] == uid]
        for pod in mine:
            if _over(pod) and not pod["counted"]:
                pod["counted"] = True
                disrupted = any(c["type"] == "DisruptionTarget" for c in _conditions(pod))
                if pod["status"]["phase"] == "Succeeded":
                    status["succeeded"] = 1
                elif not disrupted and not job["spec"].get("suspend"):
                    status["failed"] = status.get("failed", 0) + 1
        if status.get("conditions"):
            return
        alive = [p for p in mine if not _over(p)]
        if status.get("succeeded") and not alive:
            status["conditions"] = [{"type": "Complete", "status": "True"}]
        elif job["spec"].get("suspend"):
            for pod in alive:
                self.delete_pod(pod["metadata"]["name"])
        elif status.get("failed", 0) > job["spec"]["backoffLimit"]:
            if not alive:
                why = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
                status["conditions"] = [{"type": "Failed", "status": "True", **why}]
        elif not alive and not status.get("succeeded"):
            self._make_pod(job)

    def _make_pod(self, job: Object) -> None:
        self.now += timedelta(seconds=1)
        self.version += 1
        name = f"{job['metadata']['name']}-{self.version}"
        template = copied(job["spec"]["template"])
        self.pods[name] = {
            "metadata": template["metadata"]
            | {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "creationTimestamp": format_time(self.now)},
            "spec": template["spec"],
            "status": {"phase": "Pending", "conditions": []},
            "job": job["metadata"]["uid"],
            "counted": False,
            "stage": "pending",
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
            case "pending":
                pod["stage"] = "running"
                pod["status"]["phase"] = "Running"
                _conditions(pod).append({"type": "PodScheduled", "status": "True"})
                self._containers(pod, {"running": {"startedAt": format_time(self.now)}}, {"running": {}})
            case "running" if deleting:
                pod["stage"] = "stopping"
                pod["code"] = self.behaviour.stop_code
            case "running" if pod.setdefault("steps", 0) < self.behaviour.long:
                pod["steps"] += 1
                self.ticks += 1
                return
            case "running":
                pod["stage"] = "uploading"
                attempt = sum(1 for p in self.pods.values() if p["stage"] not in ("pending", "running")) - 1
                pod["code"] = self.behaviour.codes[min(attempt, len(self.behaviour.codes) - 1)]
                self._containers(pod, self._terminated(pod, pod["code"]), {"running": {}})
            case "stopping" if self.behaviour.ignores_sigterm and pod.setdefault("grace", 0) < 4:
                self._bundle(pod, partial=True)
                pod["grace"] += 1  # when it is over kubelet kills the simulation
                self.ticks += 1
                return
            case "stopping" if self.behaviour.ignores_sigterm:
                pod["code"] = 137
                self._end(pod, "Failed")
            case "stopping" | "uploading" if self._bundle(pod, partial=False):
                self._end(pod, "Succeeded" if pod["code"] == 0 else "Failed")
            case "over" if deleting:
                del self.pods[name]
                self._changed("pod", pod, "DELETED")
                return
            case _:
                return
        self._changed("pod", pod)

    def _bundle(self, pod: Object, *, partial: bool) -> bool:
        name = pod["metadata"]["name"]
        if not self.store_is_up:
            return False
        if name not in self.bundled or self.bundled[name]["partial"] != partial:
            key = f"{PREFIX}/{name}.zip"
            self.bundled[name] = {"bundle": key, "files": 1, "bytes": 1, "size": 1, "sha256": "", "partial": partial}
            self.objects[key] = b"zip"
            self.objects[f"{PREFIX}/{name}.json"] = json.dumps(self.bundled[name])
        return True

    def _end(self, pod: Object, phase: str) -> None:
        ran = pod["stage"] != "pending"
        pod["stage"] = "over"
        pod["status"]["phase"] = phase
        if not ran:
            return
        message = json.dumps(self.bundled.get(pod["metadata"]["name"], {"bundle": None, "error": "killed"}))
        self._containers(pod, self._terminated(pod, pod["code"]), self._terminated(pod, 0, message))

    def _terminated(self, pod: Object, code: int, message: str = "") -> Object:
        times = {"startedAt": pod["metadata"]["creationTimestamp"], "finishedAt": format_time(self.now)}
        return {
            "terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "message": message} | times
        }

    @staticmethod
    def _containers(pod: Object, simulation: Object, bundle: Object) -> None:
        pod["status"]["containerStatuses"] = [{"name": "simulation", "state": simulation}]
        pod["status"]["initContainerStatuses"] = [{"name": "bundle", "state": bundle}]

    # Bookkeeping
    def _changed(self, kind: str, obj: Object, event: str = "MODIFIED") -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        if kind == "run" and event != "DELETED" and (obj.get("status") or {}).get("phase") in FINAL_PHASES:
            event = "DELETED"  # it leaves the watch's field selector
        self.feed[kind].append({"type": event, "object": copied(obj)})

    @property
    def status(self) -> Object:
        """The status as everybody sees it."""
        return cast(Object, self.runs[NAME].get("status") or {})

    @property
    def finished(self) -> bool:
        return self.final is not None

    def be_fair(self, steps: int = 80) -> None:
        """Let everything work until nothing changes any more."""
        self.store_is_up = True
        for _ in range(steps):
            before = (self.version, len(self.statuses), self.ticks)
            self.job_controller()
            for name in list(self.pods):
                self.kubelet(name)
            self.deliver_all()
            self.work()
            if before == (self.version, len(self.statuses), self.ticks) and not self.queue.keys:
                if not any(delay <= 600 for delay in self.queue.later.values()):
                    return
                self.wait(600)
                self.work()
        raise AssertionError(f"it never comes to rest: {self.calls.log[-20:]} {self.status}")


def _over(pod: Object) -> bool:
    return pod["status"]["phase"] in ("Succeeded", "Failed")


def _conditions(pod: Object) -> list[Object]:
    return cast(list[Object], pod["status"]["conditions"])


class FakeCluster:
    """``Cluster`` on a World."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def get_run(self, namespace: str, name: str) -> Object | None:
        self._world.calls.before("get_run")
        return copied(self._world.runs[name]) if name in self._world.runs else None

    async def get_job(self, namespace: str, name: str) -> Object | None:
        self._world.calls.before("get_job")
        return copied(self._world.jobs[name]) if name in self._world.jobs else None

    async def list_runs(self, namespace: str) -> AsyncIterator[Object]:
        for obj in list(self._world.runs.values()):
            yield copied(obj)

    async def list_sweeps(self, namespace: str) -> AsyncIterator[Object]:
        for obj in list[Object]():
            yield obj

    async def list_jobs(self, namespace: str) -> AsyncIterator[Object]:
        for obj in list(self._world.jobs.values()):
            yield copied(obj)

    async def list_pods(self, namespace: str, uid: str = "") -> AsyncIterator[Object]:
        if uid:
            self._world.calls.before("list_pods")
        for obj in list(self._world.pods.values()):
            yield copied(obj)

    async def stream_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        self._world.calls.before("stream_log")
        if pod not in self._world.pods:
            raise ApiError(404, "no such Pod")
        yield b"log of "
        yield pod.encode()

    async def apply_job(self, manifest: Object) -> Object:
        world = self._world
        world.calls.before("apply_job")
        if world.rejects_jobs:
            raise ApiError(403, world.rejects_jobs)
        name = manifest["metadata"]["name"]
        if name not in world.jobs:
            world.jobs_made += 1
            job = copied(manifest)
            job["metadata"]["uid"] = f"job-{world.jobs_made}"
            job["status"] = {}
            world.jobs[name] = job
            world._changed("job", job, "ADDED")
        out = copied(world.jobs[name])
        if NAME not in world.runs:
            world.delete_job(name)  # the garbage collector
        world.calls.after("apply_job")
        return out

    async def patch_job_spec(self, namespace: str, name: str, spec: Object) -> Object:
        world = self._world
        world.calls.before("patch_job_spec")
        if name not in world.jobs:
            raise ApiError(404, "no such Job")
        if any(world.jobs[name]["spec"].get(k) != v for k, v in spec.items()):
            world.jobs[name]["spec"] |= spec
            world._changed("job", world.jobs[name])
        world.calls.after("patch_job_spec")
        return copied(world.jobs[name])

    async def delete_job(self, namespace: str, name: str) -> None:
        self._world.calls.before("delete_job")
        self._world.jobs_deleted += name in self._world.jobs
        self._world.delete_job(name)
        self._world.calls.after("delete_job")

    async def stop_pod(self, namespace: str, name: str, grace_seconds: int) -> None:
        self._world.calls.before("stop_pod")
        self._world.delete_pod(name)
        self._world.calls.after("stop_pod")

    async def delete_run(self, namespace: str, name: str, uid: str) -> None:
        self._world.calls.before("delete_run")
        self._world.delete_run()
        self._world.calls.after("delete_run")

    async def write_status(self, namespace: str, name: str, version: int, uid: str, status: Object) -> Object:
        world = self._world
        world.calls.before("write_status")
        run = world.runs.get(name)
        if run is None:
            raise ApiError(404, "no such SimulationJob")
        if run["metadata"]["resourceVersion"] != str(version):
            raise ApiError(409, "the object has been modified")
        assert world.final is None, "a final status was changed"
        run["status"] = copied(status)
        world.statuses.append(run["status"])
        if status["phase"] in FINAL_PHASES:
            world.final = run["status"]
            check_the_end(world)
        world._changed("run", run)
        out = copied(run)
        world.calls.after("write_status")
        return out

    async def post_event(self, namespace: str, event: Object) -> None:
        self._world.calls.before("post_event")
        self._world.events.append(event)
        self._world.calls.after("post_event")


class FakeStore:
    """``Store`` on a World."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _call(self, name: str) -> None:
        self._world.calls.before(name)
        if not self._world.store_is_up:
            raise StoreError("the store does not answer")

    async def ensure_bucket(self) -> None:
        self._call("ensure_bucket")

    async def exists(self, key: str) -> bool:
        self._call("exists")
        return key in self._world.objects

    async def get_text(self, key: str, limit: int = 0) -> str | None:
        self._call("get_text")
        found = self._world.objects.get(key)
        return found.decode() if isinstance(found, bytes) else found

    async def get_bytes(self, key: str, limit: int) -> bytes | None:
        self._call("get_bytes")
        found = self._world.objects.get(key)
        return found.encode() if isinstance(found, str) else found

    async def get_left(self, key: str, limit: int, read: Any) -> Any:
        self._call("get_left")
        found = self._world.objects.get(key)
        data = found.encode() if isinstance(found, str) else found
        return await read(data) if data is not None and len(data) <= limit else None

    async def get_head(self, key: str) -> bytes | None:
        self._call("get_head")
        found = self._world.objects.get(key)
        return found.encode() if isinstance(found, str) else found

    async def put_json(self, key: str, value: Any) -> None:
        self._call("put_json")
        self._world.objects[key] = json.dumps(value)
        self._world.calls.after("put_json")

    async def put_bytes(self, key: str, data: bytes, content_type: str = "") -> None:
        self._call("put_bytes")
        self._world.objects[key] = data
        self._world.calls.after("put_bytes")

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        self._call("put_stream")
        data = b"".join([chunk async for chunk in chunks])
        self._world.objects[key] = data
        self._world.calls.after("put_stream")
        return len(data)

    async def delete_prefix(self, prefix: str, keep: str = "") -> None:
        for key in [k for k in self._world.objects if k.startswith(f"{prefix}/") and k != keep]:
            del self._world.objects[key]

    async def list_keys(self, prefix: str, suffix: str = "") -> list[str]:
        if not self._world.store_is_up:
            raise StoreError("the store does not answer")
        return sorted(k for k in self._world.objects if k.startswith(prefix) and k.endswith(suffix))

    async def list_older(self, prefix: str, before: Any) -> list[str]:
        return [key for key in await self.list_keys(prefix) if self._world.written.get(key, self._world.now) < before]

    async def delete(self, key: str) -> None:
        self._world.objects.pop(key, None)


def check_the_end(world: World) -> None:
    """What must be true at the moment at which a status becomes final."""
    status, objects = world.status, world.objects
    record = json.loads(objects[f"{PREFIX}/record.json"])
    assert record["status"] == status
    pod = status.get("podName")
    bundle = (status.get("artifacts") or {}).get("bundle")
    if bundle:
        assert bundle == f"{PREFIX}/{pod}.zip"
        assert bundle in objects
    log = (status.get("artifacts") or {}).get("log")
    if log:
        assert objects[log] == f"log of {pod}".encode()
    if status["phase"] == "Succeeded":
        assert status["exitCode"] == 0
        assert bundle
    if pod in world.pods and "startTime" in status and _ran(world.pods[pod]):
        assert f"{PREFIX}/{pod}.log" in objects


def _ran(pod: Object) -> bool:
    return pod["stage"] == "over" and "containerStatuses" in pod["status"]
