"""What SimOps adds to bare Kubernetes Jobs: throughput side by side on one cluster, and API calls per SimulationJob.

    make up && .venv/bin/python hack/bench/jobs.py --jobs 20

The baseline makes as many bare Jobs of the same image and command in the same run, without a sidecar, outputs, logs or records. Both sides are made by
one `kubectl apply` and are over when the last one has succeeded. The order is baseline, SimOps, baseline: the mean of the two baselines takes out a drift.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import meter
from localcluster import providers
from simops_demo.installation import Cluster, load_images, output
from simops_demo.store import forwarded
from simops_images.catalogue import TESTBOX, name_of
from simops_images.cli import build_all

LABEL = "simops-bench"
DEADLINE_SECONDS = 600.0


def bare_job(name: str, image: str) -> dict[str, Any]:
    """Return a Job that does what the benchmark's SimulationJob does, and nothing of what SimOps adds."""
    container = {"name": "main", "image": image, "command": ["true"], "imagePullPolicy": "IfNotPresent"}
    pod = {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {LABEL: "bare"}},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": {LABEL: "bare"}}, "spec": pod}},
    }


def simulation_job(name: str, image: str) -> dict[str, Any]:
    """Return the SimulationJob of the comparison."""
    return {
        "apiVersion": "simops.dev/v1alpha1",
        "kind": "SimulationJob",
        "metadata": {"name": name, "labels": {LABEL: "simops"}},
        "spec": {"image": image, "command": ["true"]},
    }


def run(cluster: Cluster, kind: str, objects: list[dict[str, Any]], done: str) -> float:
    """Apply the objects, wait until all have succeeded, remove them; return the seconds until the last one had."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    begin = time.perf_counter()
    subprocess.run(
        cluster.kubectl("apply", "-f", "-"), input=text, text=True, check=True, capture_output=True, timeout=120
    )
    query = cluster.kubectl("get", kind, f"--selector={LABEL}", f"--output=jsonpath={{.items[*].{done}}}")
    while output(query).split().count("Succeeded" if "phase" in done else "1") < len(objects):
        if time.perf_counter() - begin > DEADLINE_SECONDS:
            raise SystemExit(f"{kind}: not all succeeded within {DEADLINE_SECONDS:.0f} s")
        time.sleep(0.2)
    seconds = time.perf_counter() - begin
    output(cluster.kubectl("delete", kind, f"--selector={LABEL}", "--wait=true"), timeout=300)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--cluster", default="simops")
    arguments = parser.parse_args()
    build_all([TESTBOX])
    image = name_of(TESTBOX)
    cluster = Cluster(arguments.cluster, providers.up(arguments.cluster))
    load_images(cluster, [image])
    names = [f"bench-{n}" for n in range(arguments.jobs)]
    bare = [bare_job(name, image) for name in names]
    first = run(cluster, "jobs", bare, "status.succeeded")
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(forwarded(cluster, f"pod/{meter.operator_pod(cluster)}", 8081))
        watched = meter.Meter(address)
        own = run(cluster, "simulationjobs", [simulation_job(name, image) for name in names], "status.phase")
        usage = watched.stop()
    second = run(cluster, "jobs", bare, "status.succeeded")
    baseline = (first + second) / 2
    per_job = {verb: count / arguments.jobs for verb, count in sorted(usage.calls.items())}
    print(
        f"{arguments.jobs} jobs: bare {first:.1f} s and {second:.1f} s, SimOps {own:.1f} s: {own / baseline:.2f} × the time"
    )
    print(f"operator's API calls per job: {', '.join(f'{n:.2f} {verb}' for verb, n in per_job.items())}")
    print(f"of these writes: {sum(per_job.get(verb, 0) for verb in meter.WRITES):.2f} (target: at most 5)")


if __name__ == "__main__":
    main()
