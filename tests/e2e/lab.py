"""SimulationJobs and SimulationSweeps as a person has them: started, watched, stopped; and what the operator must have made of them."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from e2e.bucket import Bucket, unpacked
from e2e.cluster import Cluster, Object, Refused, until

from simops_crds.indexes import Indexes
from simops_crds.names import FINAL_PHASES, GROUP, LABEL_UID, VERSION

NAMESPACE = "lab"
TESTBOX = "localhost/simops-testbox:dev"
RUNS = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/simulationjobs"
SWEEPS = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/simulationsweeps"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"

# Runs until a test tells this attempt with which exit code to end; stops when told to.
HELD = """
trap 'echo stopped; exit 143' TERM
echo "attempt $SIMOPS_ATTEMPT_ID"
echo begun > "$SIMOPS_OUTPUTS/begun.txt"
until [ -f /tmp/verdict ]; do sleep 0.2; done
echo ended > "$SIMOPS_OUTPUTS/ended.txt"
exit "$(cat /tmp/verdict)"
"""
# Neither stops when told to nor ends by itself.
STUBBORN = """
trap 'echo no' TERM
echo begun > "$SIMOPS_OUTPUTS/begun.txt"
while true; do sleep 0.5; done
"""


def job(name: str, script: str | None = None, **spec: Any) -> Object:
    """Return a SimulationJob: a shell script in a foreign image, unless the spec says otherwise."""
    defaults: Object = {"image": TESTBOX, "timeoutSeconds": 600}
    if script is not None:
        defaults["command"] = ["sh", "-c", script]
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "SimulationJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": defaults | spec,
    }


def sweep(
    name: str, script: str | None = None, *, points: int = 10, template: Object | None = None, **spec: Any
) -> Object:
    """Return a SimulationSweep over x = 0, 1, … that runs a shell script for each point, ``$x`` being its value."""
    whole: Object = {"image": TESTBOX} | (template or {})
    if script is not None:
        # The script is one word, so that the point's parameters come after it: --x 3
        whole["command"] = ["sh", "-c", f"x=$2; {script}", "point"]
    axis = {"name": "x", "integers": {"low": 0, "high": points - 1}}
    defaults: Object = {"template": whole, "space": {"axes": [axis]}, "timeoutSeconds": 120, "parallelism": 3}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "SimulationSweep",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": defaults | spec,
    }


class Chronicle:
    """All that a watch saw of runs, sweeps and Kubernetes Jobs since the tests began, by the UID of the object that people made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.phases: dict[str, list[str]] = defaultdict(list)
        self.reasons: dict[str, list[str]] = defaultdict(list)
        self.messages: dict[str, list[str]] = defaultdict(list)
        self.jobs: dict[str, set[str]] = defaultdict(set)
        self.last: dict[str, Object] = {}
        self.gap = ""
        """Why something may have been missed; empty when nothing was."""
        self._ended = threading.Event()
        for path, take in ((RUNS, self._take_run), (SWEEPS, self._take_run), (JOBS, self._take_job)):
            threading.Thread(target=self._follow, args=(path, take), daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    def _follow(self, path: str, take: Callable[[Object], None]) -> None:
        version = ""
        while not self._ended.is_set():
            try:
                if not version:
                    listed = self._cluster.request("GET", path)
                    version = listed["metadata"]["resourceVersion"]
                    for item in listed["items"]:
                        take(item)
                for event in self._cluster.watch(path, version):
                    if event["type"] == "ERROR":
                        raise Refused(int(event["object"].get("code", 0)), str(event["object"]))
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        take(event["object"])
            except Refused as refusal:
                self.gap, version = f"the watch of {path} began anew: {refusal}", ""
                self._ended.wait(1)
            except OSError:  # the connection was lost; the watch goes on where it was
                self._ended.wait(0.5)

    def _take_run(self, obj: Object) -> None:
        uid, status = obj["metadata"]["uid"], obj.get("status") or {}
        self.last[uid] = obj
        for memory, value in (
            (self.phases, status.get("phase")),
            (self.reasons, status.get("reason")),
            (self.messages, status.get("message")),
        ):
            if value and memory[uid][-1:] != [value]:
                memory[uid].append(value)

    def _take_job(self, obj: Object) -> None:
        owner = (obj["metadata"].get("labels") or {}).get(LABEL_UID)
        if owner:
            self.jobs[owner].add(obj["metadata"]["uid"])


class Run:
    """One SimulationJob that was started."""

    kind, paths, prefixes = "simjob", RUNS, "jobs"

    def __init__(self, lab: "Lab", made: Object) -> None:
        self.lab = lab
        self.name: str = made["metadata"]["name"]
        self.uid: str = made["metadata"]["uid"]
        self.path = f"{self.paths}/{self.name}"
        self.prefix = f"{self.prefixes}/{NAMESPACE}/{self.name}/{self.uid}/"

    # What is there
    def find(self) -> Object | None:
        """Return the object, None when it is gone."""
        found = self.lab.cluster.find(self.path)
        return found if found is not None and found["metadata"]["uid"] == self.uid else None

    @property
    def status(self) -> Object:
        return (self.find() or {}).get("status") or {}

    def condition(self, kind: str) -> tuple[str, str]:
        """Return status and reason of a condition."""
        found = {c["type"]: (c["status"], c["reason"]) for c in self.status.get("conditions") or []}
        return found.get(kind, ("Unknown", ""))

    @property
    def phases(self) -> list[str]:
        """Every phase that the watch saw, in order."""
        return self.lab.chronicle.phases[self.uid]

    @property
    def kubernetes_jobs(self) -> set[str]:
        """The UIDs of all Kubernetes Jobs that were ever made for it."""
        return self.lab.chronicle.jobs[self.uid]

    def pods(self) -> list[Object]:
        """Return its Pods, the oldest first."""
        found = self.lab.cluster.items(PODS, labelSelector=f"{LABEL_UID}={self.uid}")
        return sorted(found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def kubernetes_job_exists(self) -> bool:
        """Whether there is a Kubernetes Job for it."""
        return bool(self.lab.cluster.items(JOBS, labelSelector=f"{LABEL_UID}={self.uid}"))

    def events(self) -> list[tuple[str, str]]:
        """Return type and reason of its Events."""
        found = self.lab.cluster.items(EVENTS, fieldSelector=f"involvedObject.uid={self.uid}")
        return [(event["type"], event["reason"]) for event in found]

    # What is done to it
    def patch(self, **spec: Any) -> Object:
        return self.lab.cluster.merge(self.path, {"spec": spec})

    def delete(self) -> None:
        self.lab.cluster.request("DELETE", self.path)

    def attempt(self, *, after: Iterable[str] = (), within: float = 120) -> str:
        """Return the name of the Pod whose simulation runs, one that is not in ``after``."""
        known = set(after)

        def running() -> str | None:
            for pod in self.pods():
                states = [s.get("state") or {} for s in (pod.get("status") or {}).get("containerStatuses") or []]
                is_new = pod["metadata"]["name"] not in known and "deletionTimestamp" not in pod["metadata"]
                if is_new and states and "running" in states[0]:
                    return str(pod["metadata"]["name"])
            return None

        return until(running, lambda: f"a running Pod of {self.name}: {self.status}", within=within)

    def shell(self, pod: str, script: str) -> str:
        """Run a script in the simulation container."""
        return self.lab.cluster.kubectl(
            "exec", f"--namespace={NAMESPACE}", pod, "--container=simulation", "--", "sh", "-c", script, timeout=60
        )

    def release(self, exit_code: int = 0, *, after: Iterable[str] = ()) -> str:
        """Let the attempt that runs, or will run, end with this exit code; return its Pod's name."""
        pod = self.attempt(after=after)
        self.shell(pod, f"echo {exit_code} > /tmp/part && mv /tmp/part /tmp/verdict")
        return pod

    # What is waited for
    def until(self, met: Callable[[Object], Any], what: str, *, within: float = 180) -> Object:
        """Return the status as soon as it is as wanted."""
        return until(
            lambda: status if met(status := self.status) else None,
            lambda: f"{self.name}: {what}; its status is {json.dumps(self.status)}",
            within=within,
        )

    def running(self, *, within: float = 180) -> Object:
        return self.until(lambda s: s.get("phase") == "Running", "Running", within=within)

    def finished(self, *, within: float = 240) -> Object:
        """Return the final status."""
        return self.until(lambda s: s.get("phase") in FINAL_PHASES, "a final phase", within=within)

    def ended(self, phase: str, reason: str, *, within: float = 240) -> Object:
        """Return the final status, which must be this one."""
        status = self.finished(within=within)
        assert (status["phase"], status["reason"]) == (phase, reason), json.dumps(status)
        return status

    def gone(self, *, within: float = 120) -> None:
        """Wait until the object is gone."""
        until(lambda: self.find() is None, f"{self.name} is deleted", within=within)

    def podless(self, *, within: float = 120) -> None:
        """Wait until none of its Pods is left."""
        until(lambda: not self.pods(), f"the Pods of {self.name} are gone", within=within)

    # What it left
    def objects(self) -> dict[str, int]:
        """Return what the store has of it: name → bytes."""
        return self.lab.bucket.objects(self.prefix)

    def stored(self, suffix: str, *, but: str = "", within: float = 60) -> bytes:
        """Return its only object of this suffix that is not the one called ``but``."""

        def one() -> bytes | None:
            names = [name for name in self.objects() if name.endswith(suffix) and name != but]
            assert len(names) <= 1, names
            return self.lab.bucket.read(self.prefix + names[0]) if names else None

        return until(one, lambda: f"{suffix} of {self.name}; there is {sorted(self.objects())}", within=within)

    def record(self) -> Object:
        found: Object = json.loads(self.stored("record.json"))
        return found

    def wait_for_record(self, *, within: float = 120) -> Object:
        """Return the record as soon as there is one, for a run whose object is gone."""
        found = until(
            lambda: self.lab.bucket.find(f"{self.prefix}record.json"),
            lambda: f"the record of {self.name}; there is {sorted(self.objects())}",
            within=within,
        )
        record: Object = json.loads(found)
        return record

    def files(self) -> dict[str, bytes]:
        """Return the files of the bundle that its final status names."""
        return self.lab.unpacked(self.status["artifacts"])

    def log(self) -> str:
        """Return the log that its final status names."""
        return self.lab.bucket.read(self.status["artifacts"]["log"]).decode()


class Sweep(Run):
    """One SimulationSweep that was started."""

    kind, paths, prefixes = "simsweep", SWEEPS, "sweeps"

    @property
    def points(self) -> dict[str, int]:
        """How many points are where."""
        return dict(self.status.get("points") or {})

    def indexes(self, what: str) -> Indexes:
        """Return the points that have succeeded, failed, …"""
        return Indexes.parse(self.status.get(f"{what}Points") or "")

    @property
    def rounds(self) -> list[tuple[str, str]]:
        """Reason and points of each round."""
        return [(r["reason"], r["points"]) for r in self.status.get("rounds") or []]

    def has_begun(self, pod: str, index: int) -> bool:
        """Whether the Pod has come to a point."""
        return "yes" in self.shell(pod, f"test -e /simops/outputs/{index}/log.txt && echo yes || echo no")

    def table(self) -> dict[int, Object]:
        """Return the table by index; no point may be in it twice."""
        out: dict[int, Object] = {}
        for name in sorted(self.objects()):
            if name.startswith("table/"):
                for row in self.lab.bucket.read(self.prefix + name).splitlines():
                    line = json.loads(row)
                    assert line["index"] not in out, f"point {line['index']} is twice in the table"
                    out[line["index"]] = line
        return out

    def files_of(self, index: int) -> dict[str, bytes]:
        """Return the files of a point."""
        files = unpacked(self.lab.bucket.read(self.table()[index]["bundle"]))
        return {name.partition("/")[2]: data for name, data in files.items() if name.startswith(f"{index}/")}

    def whole(self) -> Object:
        """Return its final status, whose counts, ranges, table and record must say the same."""
        status = self.finished()
        counts, table, record = status["points"], self.table(), self.record()
        sets = {what: self.indexes(what) for what in ("succeeded", "failed", "cancelled")}
        assert {what: len(points) for what, points in sets.items()} == {what: counts[what] for what in sets}
        together = Indexes.of(pair for points in sets.values() for pair in points.ranges)
        assert (len(together), counts["active"]) == (counts["total"], 0)
        assert sum(counts[what] for what in sets) == counts["total"]
        assert Indexes.of((i, i) for i, line in table.items() if line["exitCode"] == 0) == sets["succeeded"]
        assert record["status"] == status
        return status


class Lab:
    """The namespace in which the tests run simulations."""

    def __init__(self, cluster: Cluster, bucket: Bucket, chronicle: Chronicle) -> None:
        self.cluster = cluster
        self.bucket = bucket
        self.chronicle = chronicle
        self.recent: list[Run] = []
        """What the present test has to do with, for the report of its failure."""

    def start(self, manifest: Object) -> Run:
        """Make a SimulationJob."""
        run = Run(self, self.cluster.request("POST", f"{RUNS}?fieldValidation=Strict", manifest))
        self.recent.append(run)
        return run

    def sweep(self, manifest: Object) -> Sweep:
        """Make a SimulationSweep."""
        made = Sweep(self, self.cluster.request("POST", f"{SWEEPS}?fieldValidation=Strict", manifest))
        self.recent.append(made)
        return made

    def run_called(self, name: str) -> Run:
        """Return a SimulationJob that somebody else has made."""
        run = Run(self, self.cluster.request("GET", f"{RUNS}/{name}"))
        self.recent.append(run)
        return run

    def sweep_called(self, name: str) -> Sweep:
        """Return a SimulationSweep that somebody else has made."""
        found = Sweep(self, self.cluster.request("GET", f"{SWEEPS}/{name}"))
        self.recent.append(found)
        return found

    def start_all(self, *manifests: Object) -> dict[str, Run]:
        """Make SimulationJobs; return them by name."""
        return {run.name: run for run in map(self.start, manifests)}

    def unpacked(self, artifacts: Object) -> dict[str, bytes]:
        """Return the files of a bundle, given by what a status says of it."""
        files = unpacked(self.bucket.read(artifacts["bundle"]), artifacts["sha256"])
        assert artifacts["files"] == len(files)
        assert artifacts["bytes"] == sum(map(len, files.values()))
        return files

    def clear(self) -> None:
        """Remove what an earlier session left."""
        for path in (RUNS, SWEEPS):
            for obj in self.cluster.items(path):
                self.cluster.request("DELETE", f"{path}/{obj['metadata']['name']}")
        until(lambda: not self.cluster.items(PODS), "no Pods are left of an earlier session", within=240)
