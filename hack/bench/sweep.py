"""What a SimulationSweep costs beside a bare Indexed Job of as many Pods, and what packs and batch mode are worth on real Pods.

    make up && .venv/bin/python hack/bench/sweep.py fake --points 1000
    make up && .venv/bin/python hack/bench/sweep.py real --alone 100 --packed 1000 --batch 10000

`fake`: nodes that only say that they run Pods (KWOK). Time and API writes of the sweep against those of a bare Indexed Job with the same parallelism, in
the order bare, sweep, bare: the mean of the two takes out a drift. Besides, the operator's CPU, memory and calls, and the size of the objects.
`real`: points a second of the sample simulation (100 cells, 1,000 steps) with one Pod a point, bare and as a sweep, in packs, and in batch mode; the
table of each sweep is checked point by point against the simulation itself.
"""

import argparse
import contextlib
import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import fakenodes, meter
from localcluster import providers
from simops_crds.names import sweep_prefix
from simops_demo.installation import Cluster, load_images, output
from simops_demo.store import forwarded, opened
from simops_images.catalogue import TESTBOX, name_of
from simops_images.cli import build_all
from simops_sim import heat1d
from simops_sim.problem import Problem

Object = dict[str, Any]
NAME = "bench-sweep"
PLACE = "default"
_DEADLINE_SECONDS = 7200.0
_POLL_SECONDS = 0.5
_NODE_PODS = 1000


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds from its making to its end, and the writes that the API server has answered meanwhile."""

    seconds: float
    writes: Counter[str]

    @property
    def count(self) -> int:
        """All writes."""
        return sum(self.writes.values())


# The objects
def bare(points: int, parallelism: int, container: Object, place: Object) -> Object:
    """Return an Indexed Job of one container a Pod."""
    pod = {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 0, **place}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": NAME, "namespace": PLACE},
        "spec": {
            "completionMode": "Indexed",
            "completions": points,
            "parallelism": parallelism,
            "backoffLimitPerIndex": 0,
            "template": {"spec": pod},
        },
    }


def sweep(template: Object, space: Object, **spec: Any) -> Object:
    """Return a SimulationSweep."""
    meta = {"name": NAME, "namespace": PLACE}
    whole = {"template": template, "space": space, **spec}
    return {"apiVersion": "simops.dev/v1alpha1", "kind": "SimulationSweep", "metadata": meta, "spec": whole}


# Running them
def apply(cluster: Cluster, manifest: Object) -> None:
    """Make an object."""
    text = json.dumps(manifest)
    subprocess.run(cluster.kubectl("apply", "-f", "-"), input=text, text=True, check=True, capture_output=True)


def wait(cluster: Cluster, kind: str, begun: float) -> Object:
    """Return the object when it has ended."""
    while time.perf_counter() - begun < _DEADLINE_SECONDS:
        found: Object = cluster.get(kind, NAME, f"--namespace={PLACE}")
        status = found.get("status") or {}
        over = [
            c for c in status.get("conditions") or [] if c["type"] in ("Complete", "Failed") and c["status"] == "True"
        ]
        if over or status.get("phase") in ("Succeeded", "Failed", "Cancelled"):
            if status.get("phase") != "Succeeded" and not any(c["type"] == "Complete" for c in over):
                raise SystemExit(f"{kind} did not succeed: {json.dumps(status)[:2000]}")
            return found
        time.sleep(_POLL_SECONDS)
    raise SystemExit(f"{kind} had not ended after {_DEADLINE_SECONDS:.0f} s")


def remove(cluster: Cluster, kind: str) -> None:
    """Delete the object and wait until its Pods are gone: their deletion must not be counted for whoever comes next."""
    output(cluster.kubectl("delete", kind, NAME, f"--namespace={PLACE}", "--cascade=foreground"), timeout=3600)
    selector = "batch.kubernetes.io/job-name"
    # The garbage collector takes minutes for thousands of Pods, one by one.
    everything = f"/api/v1/namespaces/{PLACE}/pods?labelSelector={selector}&gracePeriodSeconds=0"
    output(cluster.kubectl("delete", "--raw", everything), timeout=600)
    while output(cluster.kubectl("get", "pods", f"--namespace={PLACE}", f"--selector={selector}", "--output=name")):
        time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def made(cluster: Cluster, kind: str, manifest: Object) -> Iterator[tuple[Object, Cost]]:
    """Give the ended object and what it has cost; it is removed afterwards."""
    before, begun = meter.writes(cluster), time.perf_counter()
    apply(cluster, manifest)
    found = wait(cluster, kind, begun)
    seconds = time.perf_counter() - begun
    try:
        yield found, Cost(seconds, meter.writes(cluster) - before)
    finally:
        remove(cluster, kind)


# Pods that are none
def fake(cluster: Cluster, points: int, parallelism: int, points_per_pod: int, *, baseline: bool) -> None:
    """Measure on nodes that only say that they run Pods."""
    packs = -(-points // points_per_pod)
    parallelism = min(parallelism, packs)
    image = name_of(TESTBOX)
    place = fakenodes.placement()
    container = {"name": "main", "image": image, "command": ["true"]}
    space = {"axes": [{"name": "x", "integers": {"low": 0, "high": points - 1}}]}
    template = {"image": image, "command": ["true"], **place}
    own = sweep(template, space, parallelism=parallelism, pointsPerPod=points_per_pod)
    plain = bare(packs, parallelism, container, place)
    bares: list[Cost] = []
    with fakenodes.running(cluster, -(-parallelism // _NODE_PODS) + 1, points_per_pod, points):
        if baseline:
            with made(cluster, "job", plain) as (_, cost):
                bares.append(cost)
        with forwarded(cluster, f"pod/{meter.operator_pod(cluster)}", 8081) as address:
            watched = meter.Meter(address)
            with made(cluster, "simulationsweep", own) as (ended, mine):
                usage = watched.stop()
                sizes = sizes_of(cluster, ended)
        if baseline:
            with made(cluster, "job", plain) as (_, cost):
                bares.append(cost)
    counts = ended["status"]["points"]
    print(f"{points} points in {packs} Pods, {parallelism} at once: {json.dumps(counts)}")
    print(f"  sweep {mine.seconds:.1f} s, {packs / mine.seconds:.1f} Pods/s, {mine.count} writes: {top(mine.writes)}")
    if bares:
        seconds, count = (sum(v) / len(bares) for v in ([b.seconds for b in bares], [b.count for b in bares]))
        print(
            f"  bare Indexed Job {', '.join(f'{b.seconds:.1f} s' for b in bares)}, {count:.0f} writes: {top(bares[0].writes)}"
        )
        print(
            f"  time {mine.seconds / seconds:.3f} × (target: at most 1.10), writes {mine.count / count:.3f} × (target: at most 1.2)"
        )
    calls = ", ".join(f"{number / points:.4f} {verb}" for verb, number in sorted(usage.calls.items()))
    print(f"  operator: {usage.cores:.1%} of a core, peak {usage.peak_bytes / 1e6:.0f} MB; calls a point: {calls}")
    print(f"  objects: {', '.join(f'{what} {size / 1000:.1f} KB' for what, size in sizes.items())}")


def top(writes: Counter[str]) -> str:
    """Return the most frequent writes."""
    return ", ".join(f"{count} {what}" for what, count in writes.most_common(6))


def sizes_of(cluster: Cluster, ended: Object) -> dict[str, int]:
    """Return the bytes of the largest objects that a sweep has, as JSON."""
    uid = ended["metadata"]["uid"]
    jobs = cluster.get("jobs", f"--namespace={PLACE}", f"--selector=simops.dev/uid={uid}")["items"]
    return {"sweep": len(json.dumps(ended)), "Job": max((len(json.dumps(job)) for job in jobs), default=0)}


# Real Pods
CELLS, STEPS = 100, 1000
HEAT: Object = {
    "image": "sim:local",
    "command": ["python", "-m", "simops_sim"],
    "args": ["--outputs", "summary"],
    "params": {"spatial_steps": CELLS + 1, "time_steps": STEPS},
}
_OUTPUTS = [{"name": "SIMOPS_OUTPUTS", "value": "/tmp"}]  # noqa: S108 - in a container of its own


def heat_space(points: int) -> Object:
    """Return so many diffusivities for which the explicit scheme is stable."""
    return {"axes": [{"name": "diffusivity", "linspace": {"start": 0.0005, "stop": 0.004, "num": points}}]}


def real(cluster: Cluster, alone: int, packed: int, batch: int) -> None:
    """Measure on the cluster's real nodes."""
    flags = [part for name, value in HEAT["params"].items() for part in (f"--{name}", str(value))]
    words = [*HEAT["args"], *flags, "--diffusivity", "0.004"]
    container = {"name": "main", "image": HEAT["image"], "command": HEAT["command"], "args": words, "env": _OUTPUTS}
    cases: dict[str, tuple[int, int | str, bool]] = {
        "sweep, one Pod a point": (alone, 1, False),
        "sweep, packs (auto)": (packed, "auto", False),
        "sweep, batch mode (auto)": (batch, "auto", True),
    }
    rates: dict[str, float] = {}
    if alone:
        with made(cluster, "job", bare(alone, 10, container, {})) as (_, cost):
            rates["bare Job, one Pod a point"] = alone / cost.seconds
    for what, (points, size, is_batch) in cases.items():
        if not points:
            continue
        template = {**HEAT, "batch": is_batch}
        manifest = sweep(template, heat_space(points), parallelism=10 if size == 1 else 2, pointsPerPod=size)
        with made(cluster, "simulationsweep", manifest) as (ended, cost):
            rates[what] = points / cost.seconds
            rounds = len(ended["status"]["rounds"])
            print(f"{what}: {points} points in {cost.seconds:.1f} s, {rounds} rounds, {cost.count} writes", flush=True)
            check(cluster, ended, points)
    baseline = rates.get("bare Job, one Pod a point", BARE_PODS_A_SECOND)
    for what, rate in rates.items():
        print(f"{what}: {rate:.2f} points/s, {rate / baseline:.1f} × one Pod a point")


BARE_PODS_A_SECOND = 3.2
"""One-container Pods a second that one node of this kind completes (60 of them, measured once); used without ``--alone``."""


def check(cluster: Cluster, ended: Object, points: int) -> None:
    """See that every point is in the table once, with the result that the simulation gives when it is run by itself."""
    meta = ended["metadata"]
    table: dict[int, Object] = {}
    with opened(cluster) as bucket:
        root = f"{sweep_prefix(meta['namespace'], meta['name'], meta['uid'])}/table/"
        for key in bucket.client.list_objects(bucket.name, root, recursive=True):
            for text in bucket.read(str(key.object_name)).splitlines():
                line = json.loads(text)
                if table.setdefault(line["index"], line) is not line:
                    raise SystemExit(f"point {line['index']} is twice in the table")
    if sorted(table) != list(range(points)):
        raise SystemExit(f"{points - len(table)} points are missing in the table")
    base = Problem(spatial_steps=CELLS + 1, time_steps=STEPS)
    for index, diffusivity in enumerate(np.linspace(0.0005, 0.004, points).tolist()):
        wanted = float(heat1d.centre(heat1d.solve(replace(base, diffusivity=diffusivity))[-1]))
        got = table[index]["metrics"]["final_center_temp"]
        if not math.isclose(got, wanted, rel_tol=1e-12):
            raise SystemExit(f"point {index}: {got} instead of {wanted}")
    print(f"  all {points} results are in the table once and are those of single runs")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("fake", "real"), default="fake")
    parser.add_argument("--cluster", default="simops")
    parser.add_argument("--points", type=int, default=1000, help="fake: points of the sweep")
    parser.add_argument("--parallelism", type=int, default=1000, help="fake: Pods at once")
    parser.add_argument("--points-per-pod", type=int, default=1, help="fake: points of a pack")
    parser.add_argument("--no-baseline", action="store_true", help="fake: without the bare Jobs")
    parser.add_argument("--alone", type=int, default=100, help="real: points with a Pod each; 0: none")
    parser.add_argument("--packed", type=int, default=1000, help="real: points in packs; 0: none")
    parser.add_argument("--batch", type=int, default=10_000, help="real: points in batch mode; 0: none")
    arguments = parser.parse_args()
    build_all([TESTBOX])
    cluster = Cluster(arguments.cluster, providers.up(arguments.cluster))
    load_images(cluster, [name_of(TESTBOX)])
    if arguments.what == "real":
        real(cluster, arguments.alone, arguments.packed, arguments.batch)
        return
    fake(
        cluster,
        arguments.points,
        arguments.parallelism,
        arguments.points_per_pod,
        baseline=not arguments.no_baseline,
    )


if __name__ == "__main__":
    main()
