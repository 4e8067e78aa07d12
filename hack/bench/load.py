"""Thousands of SimulationJobs at once beside as many bare Kubernetes Jobs, on nodes that only say that they run Pods (KWOK).

    make up && .venv/bin/python hack/bench/load.py --jobs 5000

By Kubernetes' own limits the controllers end three Jobs a second; a native cluster that is made with SIMOPS_CONTROLLER_QPS=200 goes on until a core is
busy, and asks more of the operator.

Both are made by one `kubectl create`, and are over when the last one has succeeded. While the SimulationJobs are at it, one more is made in another
namespace: how many of the thousands end after it has started says whether namespaces take turns. Besides: the operator's restarts, its memory, its
calls, and the most calls that it made in a second, which the chart's `operator.apiQueriesPerSecond` bounds.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import fakenodes, meter
from localcluster import providers
from simops_demo.installation import CHART, NAMESPACE, RELEASE, Cluster, load_images, output
from simops_demo.store import forwarded
from simops_images.catalogue import TESTBOX, name_of
from simops_images.cli import build_all

Object = dict[str, Any]
MANY, FEW = "default", "load-few"
STRANGER = f"stranger-{os.getpid()}"
_DEADLINE_SECONDS = 7200.0
_POLL_SECONDS = 1.0
_NODE_PODS = 1000


def bare_job(name: str) -> Object:
    """Return a Job of one container."""
    pod: Object = {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": name_of(TESTBOX), "command": ["true"]}],
        **fakenodes.placement(),
    }
    meta = {"name": name, "namespace": MANY}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def simulation_job(name: str, namespace: str = MANY) -> Object:
    """Return a SimulationJob that does the same."""
    spec = {"image": name_of(TESTBOX), "command": ["true"], **fakenodes.placement()}
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "simops.dev/v1alpha1", "kind": "SimulationJob", "metadata": meta, "spec": spec}


def create(cluster: Cluster, objects: list[Object]) -> None:
    """Make objects."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    command = cluster.kubectl("create", "-f", "-")
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=1800)


JOBS = f"/apis/batch/v1/namespaces/{MANY}/jobs?fieldSelector=status.successful!=1"
RUNS = f"/apis/simops.dev/v1alpha1/namespaces/{MANY}/simulationjobs?fieldSelector=status.phase!=Succeeded"


def count(cluster: Cluster, path: str) -> int:
    """Return how many objects a list has, without fetching them."""
    page = json.loads(output(cluster.kubectl("get", "--raw", f"{path}&limit=500")))
    found = len(page["items"])
    while more := page["metadata"].get("continue"):
        page = json.loads(output(cluster.kubectl("get", "--raw", f"{path}&limit=500&continue={more}")))
        found += len(page["items"])
    return found


def any_left(cluster: Cluster, path: str) -> bool:
    """Whether a list has an object."""
    return bool(json.loads(output(cluster.kubectl("get", "--raw", f"{path}&limit=1")))["items"])


def until_over(cluster: Cluster, path: str, begun: float) -> float:
    """Return the seconds from ``begun`` until a list is empty."""
    while any_left(cluster, path):
        if time.perf_counter() - begun > _DEADLINE_SECONDS:
            raise SystemExit(f"not over after {_DEADLINE_SECONDS:.0f} s: {path}")
        time.sleep(_POLL_SECONDS)
    return time.perf_counter() - begun


@dataclass(frozen=True)
class Stranger:
    """The job of another namespace."""

    made: float
    started: float
    left: int
    """Of the thousands, how many had not ended when it had started."""


def stranger(cluster: Cluster, begun: float) -> Stranger:
    """Make a job in another namespace and watch when it starts."""
    made = time.perf_counter() - begun
    create(cluster, [simulation_job(STRANGER, FEW)])
    query = ["get", f"simulationjob/{STRANGER}", f"--namespace={FEW}", "--output=jsonpath={.status.startTime}"]
    while not output(cluster.kubectl(*query)):
        time.sleep(_POLL_SECONDS)
    return Stranger(made, time.perf_counter() - begun, count(cluster, RUNS))


def look_after_both(cluster: Cluster) -> None:
    """Let the installation look after both namespaces."""
    both = f"simulations.namespaces={{{MANY},{FEW}}}"
    options = ["--reuse-values", f"--set={both}", "--set=simulations.createNamespaces=true", "--wait"]
    output(cluster.helm("upgrade", RELEASE, str(CHART), f"--namespace={NAMESPACE}", *options), timeout=300)
    output(
        cluster.kubectl(
            "rollout",
            "status",
            "deployment",
            f"--namespace={NAMESPACE}",
            f"--selector=app.kubernetes.io/instance={RELEASE}",
        )
    )


def restarts(cluster: Cluster) -> int:
    """Return how often the operator's process was started again."""
    pod = cluster.get("pod", meter.operator_pod(cluster), f"--namespace={NAMESPACE}")
    return sum(int(status["restartCount"]) for status in pod["status"]["containerStatuses"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--cluster", default="simops")
    parser.add_argument("--no-baseline", action="store_true")
    arguments = parser.parse_args()
    build_all([TESTBOX])
    cluster = Cluster(arguments.cluster, providers.up(arguments.cluster))
    load_images(cluster, [name_of(TESTBOX)])
    look_after_both(cluster)
    names = [f"load-{os.getpid()}-{number}" for number in range(arguments.jobs)]  # what an earlier run has left stays
    nodes = -(-arguments.jobs // _NODE_PODS) + 1
    bare = 0.0
    with fakenodes.running(cluster, 2 * nodes, 1, 1, has_logs=True):
        if not arguments.no_baseline:
            begun = time.perf_counter()
            create(cluster, [bare_job(name) for name in names])
            bare = until_over(cluster, JOBS, begun)
            print(f"{arguments.jobs} bare Jobs: {bare:.1f} s", flush=True)
        with (
            ThreadPoolExecutor(1) as aside,
            forwarded(cluster, f"pod/{meter.operator_pod(cluster)}", 8081) as address,
        ):
            watched = meter.Meter(address)
            begun = time.perf_counter()
            create(cluster, [simulation_job(name) for name in names])
            coming = aside.submit(stranger, cluster, begun)
            own = until_over(cluster, RUNS, begun)
            usage = watched.stop()
            other = coming.result()
    print(f"{arguments.jobs} SimulationJobs: {own:.1f} s, {restarts(cluster)} restarts of the operator")
    if bare:
        print(f"  {own / bare:.3f} × the time of bare Jobs (target: at most 1.25)")
    calls = ", ".join(f"{number / arguments.jobs:.3f} {verb}" for verb, number in sorted(usage.calls.items()))
    print(f"  operator: {usage.cores:.1%} of a core, peak {usage.peak_bytes / 1e6:.0f} MB; calls a job: {calls}")
    print(f"  at most {usage.peak_rate:.1f} calls a second")
    print(
        f"  a job of another namespace, made after {other.made:.1f} s: started after {other.started - other.made:.1f} s more, "
        f"when {other.left} of the {arguments.jobs} had not ended"
    )


if __name__ == "__main__":
    main()
