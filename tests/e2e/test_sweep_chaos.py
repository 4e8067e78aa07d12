"""A sweep while everything around it is killed at random: operator, store, Pods, single containers. Every point succeeds, once, and its files are there.

`make test` runs it with 200 points; SIMOPS_CHAOS_POINTS=2000 is the whole of it (`make chaos`). A failure prints the seed that repeats its choices.
"""

import os
import random
import time

import pytest
from e2e.bucket import unpacked
from e2e.cluster import SYSTEM, Object, Refused
from e2e.host import Host
from e2e.lab import PODS, Lab, Sweep, sweep
from e2e.test_operator_crash import process
from e2e.test_sweep_crash import seeded

from simops_crds.indexes import Indexes

POINTS = int(os.environ.get("SIMOPS_CHAOS_POINTS") or 200)
WITHIN = 0.5 * POINTS + 240
PACK = 10
NOW = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
SYSTEM_PODS = f"/api/v1/namespaces/{SYSTEM}/pods"


class Chaos:
    """Kills what a sweep needs, and notes what it has killed."""

    def __init__(self, lab: Lab, host: Host, made: Sweep, chance: random.Random) -> None:
        self.lab = lab
        self.host = host
        self.made = made
        self.chance = chance
        self.seen: set[str] = set()
        self.killed: dict[str, int] = {}

    def _note(self, what: str) -> None:
        self.killed[what] = self.killed.get(what, 0) + 1

    def _kill(self, container: str, what: str) -> None:
        try:
            self.host.signal(container, "KILL")
        except AssertionError:
            return  # it has ended by itself
        self._note(what)

    def operator(self) -> None:
        """Kill the operator. Each third time its Pod goes with it, so that another one must wait for the Lease of the dead one to end (40 s)."""
        for pod in self.lab.cluster.operators():
            if container := process(pod):
                self._kill(container, "operator")
                if self.killed.get("operator", 0) % 3 == 0:
                    self._drop(f"{SYSTEM_PODS}/{pod['metadata']['name']}")

    def store(self) -> None:
        """Kill the store; its data is on a volume."""
        selector = "app.kubernetes.io/component=minio"
        for pod in self.lab.cluster.items(SYSTEM_PODS, labelSelector=selector):
            if container := process(pod):
                self._kill(container, "store")
                self._drop(f"{SYSTEM_PODS}/{pod['metadata']['name']}")

    def one_pod_in_ten(self) -> None:
        """Look at the Pods that are new and run, and attack each tenth in one of four ways."""
        for pod in self.made.pods():
            name = pod["metadata"]["name"]
            if name in self.seen or pod["status"].get("phase") != "Running":
                continue
            self.seen.add(name)
            if self.chance.random() < 0.1:
                self._attack(pod, self.chance.choice(["vanishes", "deleted", "simulation", "bundle", "containers"]))

    def _attack(self, pod: Object, how: str) -> None:
        states = [*(pod["status"].get("initContainerStatuses") or []), *(pod["status"].get("containerStatuses") or [])]
        ids = {state["name"]: state["containerID"] for state in states if "running" in (state.get("state") or {})}
        path = f"{PODS}/{pod['metadata']['name']}"
        match how:
            case "vanishes":
                self._drop(path)
                self._note("Pod without a word")
            case "deleted":
                self.lab.cluster.request("DELETE", path)
                self._note("Pod in good order")
            case "simulation" | "bundle":
                if how in ids:
                    self._kill(ids[how], how)
            case "containers":
                for container in ids.values():
                    self._kill(container, "all containers of a Pod")

    def _drop(self, path: str) -> None:
        try:
            self.lab.cluster.request("DELETE", path, NOW)
        except Refused as refusal:
            if refusal.status != 404:
                raise

    def run(self, within: float) -> None:
        """Go on until the sweep has ended or nothing is left to be started; operator and store have pauses in which to work."""
        next_kill = {"operator": time.monotonic() + 5, "store": time.monotonic() + 15}
        end = time.monotonic() + within
        while time.monotonic() < end:
            status = self.made.status
            if status.get("phase") in ("Succeeded", "Failed", "Cancelled"):
                return
            self.one_pod_in_ten()
            for what, kill in (("operator", self.operator), ("store", self.store)):
                if time.monotonic() >= next_kill[what]:
                    kill()
                    next_kill[what] = time.monotonic() + self.chance.uniform(30, 90)
            time.sleep(0.2)


@pytest.mark.timeout(WITHIN + 300)
def test_every_point_succeeds_once_whatever_is_killed(simops: Lab, host: Host) -> None:
    script = 'echo "x $x"; echo "{\\"twice\\": $((2 * x))}" > "$SIMOPS_OUTPUTS/metrics.json"; sleep 0.2'
    # A point that is killed while it runs has failed, as far as anybody can see, and is tried again.
    made = simops.sweep(sweep("chaos", script, points=POINTS, pointsPerPod=PACK, parallelism=6, retriesPerPoint=5))
    chaos = Chaos(simops, host, made, seeded())
    chaos.run(within=WITHIN)
    print("killed:", chaos.killed)  # noqa: T201 - pytest shows it with a failure
    status = made.ended("Succeeded", "Completed", within=240)
    assert chaos.killed.get("operator", 0) >= 1
    assert status["succeededPoints"] == f"0-{POINTS - 1}"
    made.whole()
    table = made.table()
    assert sorted(table) == list(range(POINTS))
    assert all(line["metrics"] == {"twice": 2 * index} for index, line in table.items())
    for bundle in {line["bundle"] for line in table.values()}:
        files = unpacked(simops.bucket.read(bundle))
        for index in (i for i, line in table.items() if line["bundle"] == bundle):
            assert files[f"{index}/log.txt"] == f"x {index}\n".encode(), bundle


def test_a_fifth_of_the_points_fails_and_exactly_these_run_again(simops: Lab) -> None:
    chance = seeded()
    first, step = chance.randrange(1, 5), chance.choice([7, 11, 13, 17])
    bad = Indexes.of((i, i) for i in range(1000) if (i * step + first) % 5 == 0)
    script = f'case "$HOSTNAME" in *-r0-*) test $(( (x * {step} + {first}) % 5 )) -ne 0;; esac'
    made = simops.sweep(sweep("fifth", script, points=1000, pointsPerPod=250, parallelism=2))
    status = made.ended("Failed", "PointsFailed", within=300)
    assert Indexes.parse(status["failedPoints"]) == bad
    assert status["points"]["failed"] == len(bad) == 200
    made.whole()
    made.patch(rerun={"points": "failed", "id": "again"})
    made.until(lambda s: s["phase"] == "Succeeded", "Succeeded", within=300)
    made.whole()
    assert [reason for reason, _ in made.rounds] == ["points", "rerun"]
    again = Indexes.of((i, i) for i, line in made.table().items() if line["round"] == 1)
    assert again == bad
