"""The operator dies, or stands still, at moments that nobody chose; nothing is lost and nothing is made twice.

The processes are killed by the kernel (SIGKILL from the node), as an OOM kill or a power failure would.
"""

import os
import random
import time
from collections.abc import Iterator

import pytest
from e2e.cluster import SYSTEM, Object, Refused, until
from e2e.host import Host
from e2e.lab import HELD, Lab, Run, job

KILLS = 10
RUNS = 20
POD = f"/api/v1/namespaces/{SYSTEM}/pods"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/simops-operator"


def process(pod: Object) -> str:
    """Return the ID of the operator's container if it runs, else nothing."""
    states = (pod.get("status") or {}).get("containerStatuses") or []
    return str(states[0]["containerID"]) if states and "running" in (states[0].get("state") or {}) else ""


def running(lab: Lab, besides: str = "") -> Object:
    """Return an operator's Pod whose process runs, another process than the given one."""

    def found() -> Object | None:
        return next((pod for pod in lab.cluster.operators() if process(pod) not in {"", besides}), None)

    return until(found, "an operator that runs", within=180, every=0.2)


def drop(lab: Lab, pod: str) -> None:
    """Remove a Pod at once, without asking anybody."""
    now = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
    lab.cluster.request("DELETE", f"{POD}/{pod}", now)


def assert_whole(run: Run) -> None:
    """All of a run that succeeded is there, once."""
    assert len(run.kubernetes_jobs) == 1, run.kubernetes_jobs
    assert run.files().keys() >= {"begun.txt"}
    pod = run.status["podName"]
    assert set(run.objects()) == {"record.json", f"{pod}.zip", f"{pod}.json", f"{pod}.log"}
    assert run.record()["status"] == run.status
    assert run.phases[-1] == "Succeeded"


def test_twenty_jobs_survive_ten_kills(simops: Lab, host: Host) -> None:
    seed = int(os.environ.get("SIMOPS_TEST_SEED") or time.time_ns() % 1_000_000)
    print(f"SIMOPS_TEST_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    chance = random.Random(seed)
    runs: dict[str, Run] = {}
    victims: list[str] = []
    killed = ""
    for kill in range(KILLS):
        for number in (2 * kill, 2 * kill + 1):
            script = f"echo begun > $SIMOPS_OUTPUTS/begun.txt; sleep {chance.randrange(15)}; echo ended"
            run = simops.start(job(f"survivor-{number}", script))
            runs[run.name] = run
            time.sleep(chance.uniform(0, 1))
        pod = running(simops, besides=killed)
        time.sleep(chance.uniform(0, 6))
        killed = process(simops.cluster.request("GET", f"{POD}/{pod['metadata']['name']}")) or process(pod)
        host.signal(killed, "KILL")
        victims.append(killed)
        # kubelet starts the process again at once, then after 10 s, then later each time; a new Pod needs no such patience.
        if kill % 3 == 2:
            drop(simops, pod["metadata"]["name"])
    assert len(set(victims)) == KILLS

    for run in runs.values():
        run.ended("Succeeded", "Completed", within=300)
    assert len(runs) == RUNS
    for run in runs.values():
        assert_whole(run)
        assert run.log() == "ended\n"
    assert not simops.chronicle.gap
    assert sum(len(run.kubernetes_jobs) for run in runs.values()) == RUNS


def test_a_lease_that_somebody_deletes_is_made_again(simops: Lab) -> None:
    before = simops.cluster.request("GET", LEASE)["metadata"]["uid"]
    simops.cluster.request("DELETE", LEASE)

    def again() -> bool:
        found = simops.cluster.find(LEASE)
        return found is not None and found["metadata"]["uid"] != before and bool(found["spec"].get("holderIdentity"))

    until(again, "the operator has a Lease again", within=120)
    run = simops.start(job("leased", "echo begun > $SIMOPS_OUTPUTS/begun.txt"))
    run.ended("Succeeded", "Completed")
    assert_whole(run)


@pytest.fixture
def two(simops: Lab) -> Iterator[Lab]:
    simops.cluster.scale("operator", 2)
    yield simops
    simops.cluster.scale("operator", 1)


def leader(lab: Lab) -> str:
    found: str = lab.cluster.request("GET", LEASE)["spec"].get("holderIdentity") or ""
    return found


def leading(lab: Lab) -> list[str]:
    """Return the operators that say that they lead; one that cannot be asked (yet) stands there with a question mark."""
    out = []
    for pod in lab.cluster.operators():
        name = pod["metadata"]["name"]
        try:
            if process(pod) and lab.cluster.metrics(name).get("simops_operator_leader") == 1:
                out.append(name)
        except Refused as refusal:
            if refusal.status != 503:
                raise
            out.append(f"{name}?")  # its process has started, and does not listen yet
    return out


def until_leads(lab: Lab, besides: str = "") -> str:
    """Return who leads, another than the given one."""
    present = {pod["metadata"]["name"] for pod in lab.cluster.operators()}
    return until(
        lambda: name if (name := leader(lab)) and name != besides and name in present else None,
        "one of the operators leads",
        within=90,
    )


def test_another_replica_takes_over_from_one_that_was_killed(two: Lab, host: Host) -> None:
    lab = two
    first = until_leads(lab)
    runs = lab.start_all(*(job(f"inherited-{number}", HELD) for number in range(3)))
    for run in runs.values():
        run.attempt()
    pod = lab.cluster.request("GET", f"{POD}/{first}")
    host.signal(process(pod), "KILL")
    drop(lab, first)
    assert until_leads(lab, besides=first) != first
    for run in runs.values():
        run.release()
    for run in runs.values():
        run.ended("Succeeded", "Completed")
        assert_whole(run)


def test_a_leader_that_stood_still_does_not_write_beside_its_successor(two: Lab, host: Host) -> None:
    lab = two
    first = until_leads(lab)
    runs = lab.start_all(*(job(f"contested-{number}", HELD) for number in range(3)))
    for run in runs.values():
        run.attempt()
    frozen = process(lab.cluster.request("GET", f"{POD}/{first}"))
    host.signal(frozen, "STOP")
    try:
        second = until_leads(lab, besides=first)
        for run in runs.values():
            run.release()
        late = lab.start(job("contested-late", "echo begun > $SIMOPS_OUTPUTS/begun.txt"))
        finals = {run.uid: run.finished() for run in (*runs.values(), late)}
    finally:
        host.signal(frozen, "CONT")

    # It finds its Lease lost and ends itself, to come back as a follower.
    until(lambda: process(lab.cluster.request("GET", f"{POD}/{first}")) not in {"", frozen}, "the old leader restarts")
    until(lambda: leading(lab) == [second], lambda: f"only {second} leads; there lead {leading(lab)}")
    for run in (*runs.values(), late):
        assert run.status == finals[run.uid], "nothing was written after the end"
        assert_whole(run)
