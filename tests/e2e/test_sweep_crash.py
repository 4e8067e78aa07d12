"""The operator and Pods of a sweep are killed while it runs: every point ends once, and nothing is lost."""

import os
import random
import time

from e2e.cluster import SYSTEM, until
from e2e.host import Host
from e2e.lab import PODS, Lab, Sweep, sweep
from e2e.test_operator_crash import process, running

SCRIPT = 'echo "x $x"; sleep 0.5'


def seeded() -> random.Random:
    seed = int(os.environ.get("SIMOPS_TEST_SEED") or time.time_ns() % 1_000_000)
    print(f"SIMOPS_TEST_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)


def all_succeeded_once(made: Sweep, count: int) -> None:
    status = made.ended("Succeeded", "Completed", within=400)
    assert status["succeededPoints"] == f"0-{count - 1}"
    made.whole()
    assert sorted(made.table()) == list(range(count))


def test_a_sweep_survives_kills_of_the_operator(simops: Lab, host: Host) -> None:
    chance = seeded()
    made = simops.sweep(sweep("survivor-sweep", SCRIPT, points=60, pointsPerPod=4, parallelism=3))
    killed = ""
    for _ in range(5):
        pod = running(simops, besides=killed)
        time.sleep(chance.uniform(0, 4))
        path = f"/api/v1/namespaces/{SYSTEM}/pods/{pod['metadata']['name']}"
        killed = process(simops.cluster.request("GET", path)) or process(pod)
        host.signal(killed, "KILL")
        now = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        simops.cluster.request("DELETE", path, now)  # a new Pod is started at once, the old one later each time
    all_succeeded_once(made, 60)
    assert len(made.kubernetes_jobs) == len(made.rounds) == 1


def test_points_of_a_pod_that_was_deleted_run_again(simops: Lab) -> None:
    script = 'test "$x" -ne 5 || case "$HOSTNAME" in *-r0-*) sleep 300;; esac'
    made = simops.sweep(sweep("deleted-pod", script, points=12, pointsPerPod=4, parallelism=1, timeoutSeconds=600))

    def stuck() -> str | None:
        pods = [p for p in made.pods() if p["status"].get("phase") == "Running"]
        names = [p["metadata"]["name"] for p in pods if "-r0-1-" in p["metadata"]["name"]]
        return names[0] if names and made.has_begun(names[0], 5) else None

    pod = until(stuck, "the second pack is at its second point", within=120)
    simops.cluster.request("DELETE", f"{PODS}/{pod}")
    all_succeeded_once(made, 12)
    assert made.rounds[1] == ("missing", "5-7")
    assert made.table()[4]["round"] == 0


def test_points_of_a_pod_that_vanished_without_a_word_run_again(simops: Lab) -> None:
    script = 'test "$x" -ne 5 || case "$HOSTNAME" in *-r0-*) sleep 300;; esac'
    made = simops.sweep(sweep("vanished-pod", script, points=12, pointsPerPod=4, parallelism=1, timeoutSeconds=600))

    def stuck() -> str | None:
        pods = [p for p in made.pods() if p["status"].get("phase") == "Running"]
        names = [p["metadata"]["name"] for p in pods if "-r0-1-" in p["metadata"]["name"]]
        return names[0] if names and made.has_begun(names[0], 5) else None

    pod = until(stuck, "the second pack is at its second point", within=120)
    now = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
    simops.cluster.request("DELETE", f"{PODS}/{pod}", now)
    all_succeeded_once(made, 12)
    assert made.rounds[1][0] == "missing"


def test_a_sweep_that_is_deleted_while_it_runs_leaves_a_record(simops: Lab) -> None:
    made = simops.sweep(sweep("deleted-sweep", 'test "$x" -lt 2 || sleep 300', points=8, pointsPerPod=4, parallelism=1))
    pod = made.attempt()
    until(lambda: made.has_begun(pod, 2), "the third point is under way")
    made.delete()
    record = made.wait_for_record(within=240)
    assert (record["status"]["phase"], record["status"]["reason"]) == ("Cancelled", "Deleted")
    assert record["status"]["succeededPoints"] == "0-1"
    assert sorted(made.table()) == [0, 1]
